"""Adam's update of a whole stack on a GPU, in one pass over its tensors, as a Triton kernel.

Written out in PyTorch, the update of a stack reads and writes its tensors some twenty times; this
kernel reads theta, g, m, v and writes theta, m, v. PyTorch's own fused Adam takes one stepsize for all,
as a number of the host; here each trial has its own, and the device may count the steps.
``TRITON_INTERPRET=1`` runs it on a CPU.
"""

from __future__ import annotations

from functools import cache
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

try:
    import triton
    import triton.language as tl
except ImportError:  # PyTorch's builds without CUDA come without Triton
    triton = None

BLOCK = 1024

if triton is not None:
    # Triton reads the source of its kernels, and would not find what an annotation names.
    @triton.jit
    def _adam(  # type: ignore[no-untyped-def]
        theta, g, m, v, theta_row, g_row, m_row, v_row,
        weight1, weight2, alpha, eps, weight1_row, weight2_row, alpha_row, eps_row,
        weight1_on_device: tl.constexpr, weight2_on_device: tl.constexpr,
        alpha_on_device: tl.constexpr, eps_on_device: tl.constexpr,
        length, block: tl.constexpr,
    ):  # fmt: skip
        row = tl.program_id(1).to(tl.int64)  # a stack has more elements than 32 bits can count
        at = tl.program_id(0) * block + tl.arange(0, block)
        inside = at < length
        theta += row * theta_row + at
        m += row * m_row + at
        v += row * v_row + at
        if weight1_on_device:
            weight1 = tl.load(weight1 + row * weight1_row)
        if weight2_on_device:
            weight2 = tl.load(weight2 + row * weight2_row)
        if alpha_on_device:
            alpha = tl.load(alpha + row * alpha_row)
        if eps_on_device:
            eps = tl.load(eps + row * eps_row)
        slope = tl.load(g + row * g_row + at, mask=inside)
        first = tl.load(m, mask=inside)
        second = tl.load(v, mask=inside)
        first += weight1 * (slope - first)  # m_t
        second += weight2 * (slope * slope - second)  # v_t
        tl.store(m, first, mask=inside)
        tl.store(v, second, mask=inside)
        quotient = tl.div_rn(first, tl.sqrt_rn(second) + eps)
        tl.store(theta, tl.load(theta, mask=inside) - alpha * quotient, mask=inside)


@cache
def available(device: torch.device) -> bool:
    """Whether the kernel can be compiled for ``device``: a small step is tried, once."""
    if triton is None or device.type != "cuda":
        return False
    try:
        theta, g, m, v = (torch.zeros(1, 8, device=device) for _ in range(4))
        number = torch.ones(1, 1, device=device)
        numbers = SimpleNamespace(
            one_minus_beta1=number, one_minus_beta2=number, alpha_t=number, eps_hat=number
        )
        adam_(theta, g, m, v, numbers)
    except Exception:  # whatever a compiler that is missing or does not know the GPU ends with
        return False
    return True


def suits(theta: Tensor, g: Tensor, slots: SimpleNamespace) -> bool:
    """Whether the kernel can update these: float32 on a GPU, [n] or [S, n], rows without gaps."""
    if theta.device.type != "cuda" or not available(theta.device):
        return False
    tensors = (theta, g, *vars(slots).values())
    return all(x.dtype == torch.float32 and x.dim() <= 2 and x.stride(-1) == 1 for x in tensors)


def adam_(theta: Tensor, g: Tensor, m: Tensor, v: Tensor, c: Any) -> None:
    """theta <- theta - alpha_t m / (sqrt(v) + eps_hat) after m and v took in g, for every trial.

    Tensors are float32, [n] or [S, n] with rows any distance apart. ``c`` holds ``one_minus_beta1``,
    ``one_minus_beta2``, ``alpha_t`` and ``eps_hat``, each a float or a float32 tensor [] or [S, 1].
    """
    tensors = [x if x.dim() == 2 else x[None] for x in (theta, g, m, v)]
    scalars = [c.one_minus_beta1, c.one_minus_beta2, c.alpha_t, c.eps_hat]
    rows, length = tensors[0].shape
    with torch.cuda.device_of(
        theta
    ):  # Triton launches on the current GPU, whatever its arguments are on
        _adam[(triton.cdiv(length, BLOCK), rows)](
            *tensors, *(x.stride(0) for x in tensors),
            *scalars, *(x.stride(0) if isinstance(x, Tensor) and x.dim() else 0 for x in scalars),
            *(isinstance(x, Tensor) for x in scalars), length, BLOCK,
        )  # fmt: skip
