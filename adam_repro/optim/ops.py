"""The few operations the rules are written in, for a plain number or for one number a trial."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.autograd.graph import increment_version

TINY = 1e-22
"""Added to a denominator that the paper leaves bare, so that 0/0 is 0: a coordinate whose gradient
was always zero does not move. It is about the smallest |g| whose square float32 can hold, so it
changes no quotient by a root of squares that float32 could have computed, and none in float64 for
|g| above 1e-4. AdaMax squares nothing: its quotients in float32 are changed for |g| below 1e-14."""


_ENDLESS: dict[torch.device, Tensor] = {}


def _endless(device: torch.device) -> Tensor:
    """The step count infinity on a device."""
    found = _ENDLESS.get(device)
    if found is None:
        found = torch.tensor(math.inf, device=device)
        if type(found) is Tensor:  # under a FakeTensorMode it has no data and must not be kept
            _ENDLESS[device] = found
    return found


def one_minus_power(beta: float | Tensor, t: int | Tensor) -> float | Tensor:
    """1 - beta^t without the cancellation that costs digits when beta is close to 1."""
    if isinstance(beta, Tensor):
        return -torch.expm1(t * torch.log(beta))
    exponent = t * (math.log(beta) if beta > 0 else -math.inf)
    return -torch.expm1(exponent) if isinstance(exponent, Tensor) else -math.expm1(exponent)


def add_scaled_(x: Tensor, a: float | Tensor, y: Tensor) -> None:
    """x <- x + a y, in place."""
    if isinstance(a, Tensor):
        x.addcmul_(y, a)
    else:
        x.add_(y, alpha=a)


def add_quotient_(x: Tensor, a: float | Tensor, y: Tensor, z: Tensor) -> None:
    """x <- x + a y / z, in place; z is scratch."""
    if isinstance(a, Tensor):
        x.addcmul_(torch.div(y, z, out=z), a)
    else:
        x.addcdiv_(y, z, value=a)


def adam_kernel_(
    theta: Tensor,
    g: Tensor,
    m: Tensor,
    v: Tensor,
    v_max: Tensor | None = None,
    *,
    beta1: float,
    beta2: float,
    alpha_t: float,
    eps_hat: float,
) -> None:
    """theta <- theta - alpha_t m / (sqrt(v) + eps_hat) after m and v took in g, in one pass.

    This is the kernel behind `torch.optim.Adam(fused=True)`; the division by sqrt(v_max), with
    v_max <- max(v_max, v), is its `amsgrad`. The kernel would divide the moments by 1 - beta^t:
    With t = infinity it divides by 1, and the corrections are in our scalars instead.
    All tensors share one dtype and one device, and are contiguous.
    """
    written = (theta, m, v) if v_max is None else (theta, m, v, v_max)
    torch._fused_adam_(
        [theta], [g], [m], [v], [] if v_max is None else [v_max], [_endless(theta.device)],
        lr=alpha_t, beta1=beta1, beta2=beta2, weight_decay=0.0, eps=eps_hat,
        amsgrad=v_max is not None, maximize=False,
    )  # fmt: skip
    increment_version(written)  # which PyTorch's kernel does not: autograd must see the change
