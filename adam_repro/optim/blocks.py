"""One step of a method: its scalars once, then the update with little traffic to memory."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from adam_repro.kernels import fused_update

if TYPE_CHECKING:
    from adam_repro.optim.method import Method

KERNELS = ("cpu", "cuda")  # devices on which PyTorch has the kernels of `Method.kernel`
BLOCK = 262_144  # elements: theta, g, slots and scratch of a block stay in a CPU's last cache


def init_state(method: type[Method], theta: Tensor) -> dict[str, Tensor]:
    """The method's slots before the first step: zeros shaped like `theta`."""
    return {name: torch.zeros_like(theta) for name in method.slots}


def apply(
    method: type[Method],
    theta: Tensor,
    g: Tensor,
    state: Mapping[str, Tensor],
    h: Any,
    t: int | Tensor,
) -> None:
    """Step `t` of `method`, in place on `theta` and `state`; to be called under `torch.no_grad()`.

    `theta`, `g` and the tensors of `state` (see `init_state`) are [n], with floats in `h`, or
    [S, n], with float64 tensors [S, 1] in `h`. `h` also holds the method's options; `h.lr` is the
    stepsize of this step. `t` counts from 1: an int, or a 0-dim float64 tensor on theta's device.
    """
    update_in_blocks(method, theta, g, SimpleNamespace(**state), prepare(method, h, t, theta.dtype))


def prepare(method: type[Method], h: Any, t: int | Tensor, dtype: torch.dtype) -> SimpleNamespace:
    """The scalars of step `t` in theta's `dtype`, with the method's options beside them.

    `plain` says that every scalar is a Python float: one trial, its step counted on the host.
    """
    numbers = method.scalars(h, t)
    plain = not any(isinstance(x, Tensor) for x in numbers.values())
    if not plain:
        numbers = {k: x.to(dtype) if isinstance(x, Tensor) else x for k, x in numbers.items()}
    options = {name: getattr(h, name) for name in method.options}
    return SimpleNamespace(plain=plain, **numbers, **options)


def update_in_blocks(
    method: type[Method], theta: Tensor, g: Tensor, s: SimpleNamespace, c: SimpleNamespace
) -> None:
    """The method's update: by a one-pass kernel, if it has one that suits, else on a CPU in blocks.

    Tensors that are not contiguous, and a GPU's without a kernel, are updated whole.
    """
    tensors = (theta, g, *vars(s).values())
    contiguous = all(x.is_contiguous() for x in tensors)
    if contiguous and c.plain and method.kernel is not None and theta.device.type in KERNELS:
        method.kernel(theta, g, s, c)
        return
    if contiguous and c.plain and theta.dim() != 1:  # one trial: its tensors' shape does not matter
        theta, g, *flat = tensors = tuple(x.view(-1) for x in tensors)
        s = SimpleNamespace(**dict(zip(vars(s), flat, strict=True)))
    if method.stack_kernel is not None and fused_update.suits(theta, g, s):
        method.stack_kernel(theta, g, s, c)
    elif not contiguous or theta.device.type != "cpu" or theta.numel() <= BLOCK:
        method.update(theta, g, s, c)
    else:
        rows = tensors[0].shape[:-1].numel()
        width = max(1, BLOCK // rows)
        for block in zip(*(x.split(width, -1) for x in tensors), strict=True):
            slots = SimpleNamespace(**dict(zip(vars(s), block[2:], strict=True)))
            method.update(block[0], block[1], slots, c)
