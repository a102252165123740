"""Averages of the iterates, section 7.2 of Kingma & Ba: one line on top of any method.

Each average is a tensor shaped like theta, [n] or [S, n], zero before the first step; the functions
are to be called under `torch.no_grad()`, once after every step.
"""

from __future__ import annotations

from torch import Tensor

from adam_repro.optim.ops import one_minus_power


def polyak_(average: Tensor, theta: Tensor, t: int | Tensor) -> None:
    """average <- mean of theta_1 ... theta_t, in place, from the mean up to t - 1 (Polyak-Ruppert).

    `t` counts from 1: an int, or a 0-dim tensor. (The paper prints n as the sum's upper limit.)
    """
    share = 1 / t
    average.lerp_(theta, share.to(theta.dtype) if isinstance(share, Tensor) else share)


def exponential_(average: Tensor, theta: Tensor, beta: float | Tensor) -> None:
    """average <- beta average + (1 - beta) theta, in place; `beta` a float or float64 [S, 1]."""
    share = 1 - beta
    average.lerp_(theta, share.to(theta.dtype) if isinstance(share, Tensor) else share)


def corrected(average: Tensor, beta: float | Tensor, t: int | Tensor) -> Tensor:
    """The exponential average freed of its start at zero: average / (1 - beta^t), a new tensor."""
    correction = one_minus_power(beta, t)
    return average / (
        correction.to(average.dtype) if isinstance(correction, Tensor) else correction
    )
