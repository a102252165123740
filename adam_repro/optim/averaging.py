"""Averages of the iterates, section 7.2 of Kingma & Ba: one line on top of any optimizer.

Each average is a tensor shaped like theta, [n] or [S, n], zero before the first step; the functions
are to be called under `torch.no_grad()`, once after every step.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
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


class IterateAverage:
    """The running average of ``theta`` [S, P]; idle where none is asked for.

    ``settings``: the section ``averaging`` of the configuration.
    """

    def __init__(self, theta: Tensor, settings: Mapping[str, Any]) -> None:
        self.kind = settings["name"]
        self.decay = settings.get("decay", 0.0)
        self.iterate = theta
        self.mean = None if self.kind == "none" else torch.zeros_like(theta)

    @torch.no_grad()
    def update(self, t: int | Tensor) -> None:
        """Take in the iterate after step ``t`` (from 1), a whole number or a 0-dim tensor."""
        if self.mean is None:
            return
        if self.kind == "polyak":
            polyak_(self.mean, self.iterate, t)
        else:
            exponential_(self.mean, self.iterate, self.decay)

    def theta(self, t: int) -> Tensor | None:
        """The averaged parameters [S, P] after step ``t``; ``None`` if idle.

        An exponential average is corrected for its start at zero.
        """
        if self.mean is None or self.kind == "polyak":
            return self.mean
        return corrected(self.mean, self.decay, t)

    def state(self, row: int) -> dict[str, Any]:
        """What one trial's checkpoint keeps of its average."""
        return {} if self.mean is None else {"mean": self.mean[row].clone()}

    def restore(self, row: int, state: Mapping[str, Any]) -> None:
        """Take up one trial's average."""
        if self.mean is not None:
            self.mean[row].copy_(state["mean"])
