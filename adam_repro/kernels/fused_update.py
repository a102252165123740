"""One update of a whole stack on a GPU, in one pass over its tensors, as a Triton kernel.

In PyTorch's operations an update reads and writes its tensors several times, Adam's some twenty times. The
kernel reads theta, g and the slots once, and writes theta and the slots once. PyTorch's own fused
optimizers take one stepsize for all parameters, as a number of the host. Here each trial has its own, and
the device may count the steps. ``TRITON_INTERPRET=1`` runs the kernel on a CPU.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import increment_version

from adam_repro.kernels.triton import compiles, tl, triton

BLOCK = 1024
SLOTS, SCALARS = 3, 4  # the most that a rule has
MOST_ROWS = 65_535  # CUDA's limit in the second dimension of a grid
LONGEST = 2**31 - BLOCK  # a row whose elements 32 bits can count

if triton is not None:
    # Triton reads the source of its kernels and cannot resolve names in annotations. Unused slot and scalar
    # arguments are passed as theta and 0, and never read.
    @triton.jit
    def _step(  # type: ignore[no-untyped-def]
        theta, g, s1, s2, s3, theta_row, g_row, s1_row, s2_row, s3_row,
        c1, c2, c3, c4, c1_row, c2_row, c3_row, c4_row,
        c1_on_device: tl.constexpr, c2_on_device: tl.constexpr,
        c3_on_device: tl.constexpr, c4_on_device: tl.constexpr,
        length, rule: tl.constexpr, slots: tl.constexpr, block: tl.constexpr,
    ):  # fmt: skip
        row = tl.program_id(1).to(tl.int64)  # a stack has more elements than 32 bits can count
        at = tl.program_id(0) * block + tl.arange(0, block)
        inside = at < length
        theta += row * theta_row + at
        s1 += row * s1_row + at
        s2 += row * s2_row + at
        s3 += row * s3_row + at
        if c1_on_device:
            c1 = tl.load(c1 + row * c1_row)
        if c2_on_device:
            c2 = tl.load(c2 + row * c2_row)
        if c3_on_device:
            c3 = tl.load(c3 + row * c3_row)
        if c4_on_device:
            c4 = tl.load(c4 + row * c4_row)
        place = tl.load(theta, mask=inside)
        slope = tl.load(g + row * g_row + at, mask=inside)
        if slots > 0:
            x = tl.load(s1, mask=inside)
        if slots > 1:
            y = tl.load(s2, mask=inside)
        if slots > 2:
            z = tl.load(s3, mask=inside)

        if rule == "sgd":  # lr
            place -= c1 * slope
        elif rule == "sgd_momentum":  # lr, momentum; b
            x = c2 * x + slope
            place -= c1 * x
        elif rule == "sgd_nesterov":  # lr, momentum, lr momentum; b
            x = c2 * x + slope
            place -= c1 * slope
            place -= c3 * x
        elif rule == "adagrad":  # lr, eps; sum
            x += slope * slope
            place -= c1 * tl.div_rn(slope, tl.sqrt_rn(x) + c2)
        elif rule == "rmsprop":  # lr, eps, 1 - rho, momentum; v, b
            x += c3 * (slope * slope - x)
            y = c4 * y + tl.div_rn(slope, tl.sqrt_rn(x) + c2)
            place -= c1 * y
        elif rule == "adadelta":  # lr, eps, 1 - rho; v, d
            x += c3 * (slope * slope - x)
            delta = tl.sqrt_rn(tl.div_rn(y + c2, x + c2)) * slope
            y += c3 * (delta * delta - y)
            place -= c1 * delta
        elif rule == "adam":  # alpha_t, eps, 1 - beta1, 1 - beta2; m, v
            x += c3 * (slope - x)
            y += c4 * (slope * slope - y)
            place -= c1 * tl.div_rn(x, tl.sqrt_rn(y) + c2)
        elif rule == "adam_lazy":  # the same; what has no gradient stays
            touched = slope != 0
            x = tl.where(touched, x + c3 * (slope - x), x)
            y = tl.where(touched, y + c4 * (slope * slope - y), y)
            place = tl.where(touched, place - c1 * tl.div_rn(x, tl.sqrt_rn(y) + c2), place)
        elif rule == "amsgrad":  # the same; m, v, v_max
            x += c3 * (slope - x)
            y += c4 * (slope * slope - y)
            z = tl.maximum(z, y)
            place -= c1 * tl.div_rn(x, tl.sqrt_rn(z) + c2)
        elif rule == "adamax":  # alpha_t, eps, 1 - beta1, beta2; m, u
            x += c3 * (slope - x)
            y = tl.maximum(c4 * y, tl.abs(slope))
            place -= c1 * tl.div_rn(x, y + c2)
        else:
            tl.static_assert(False, "no such rule")

        tl.store(theta, place, mask=inside)
        if slots > 0:
            tl.store(s1, x, mask=inside)
        if slots > 1:
            tl.store(s2, y, mask=inside)
        if slots > 2:
            tl.store(s3, z, mask=inside)


@cache
def available(device: torch.device) -> bool:
    """Whether the kernel compiles for ``device``."""

    def small() -> None:
        theta, g, m, v = (torch.zeros(1, 8, device=device) for _ in range(4))
        step_("adam", theta, g, (m, v), (torch.ones(1, 1, device=device),) * 4)

    return compiles(device, small)


def suits(theta: Tensor, g: Tensor, slots: Any) -> bool:
    """Whether the kernel can update these: float32 on a GPU, [n] or [S, n], rows without gaps."""
    if theta.dim() not in (1, 2) or not theta.numel() or not available(theta.device):
        return False
    if theta.shape[-1] > LONGEST or (theta.dim() == 2 and len(theta) > MOST_ROWS):
        return False
    tensors = (theta, g, *vars(slots).values())
    return all(x.dtype == torch.float32 and x.stride(-1) == 1 for x in tensors)


def step_(
    rule: str, theta: Tensor, g: Tensor, slots: Sequence[Tensor], scalars: Sequence[float | Tensor]
) -> None:
    """One step of ``rule``, a name of ``OPTIMIZERS``, in place on ``theta`` and its slots, for every trial.

    Tensors are float32, [n] or [S, n] with rows any distance apart; slots and scalars in the order in which
    the kernel names them, each scalar a float or a float32 tensor [] or [S, 1].
    """
    tensors = [x if x.dim() == 2 else x[None] for x in (theta, g, *slots)]
    rows, length = tensors[0].shape
    tensors += [tensors[0]] * (SLOTS - len(slots))
    numbers = [*scalars, *[0.0] * (SCALARS - len(scalars))]
    with torch.cuda.device_of(theta):  # else Triton launches on the current GPU
        _step[(triton.cdiv(length, BLOCK), rows)](
            *tensors, *(x.stride(0) for x in tensors),
            *numbers, *(x.stride(0) if isinstance(x, Tensor) and x.dim() else 0 for x in numbers),
            *(isinstance(x, Tensor) for x in numbers), length, rule, len(slots), BLOCK,
        )  # fmt: skip
    increment_version((theta, *slots))  # autograd knows nothing of Triton's writes
