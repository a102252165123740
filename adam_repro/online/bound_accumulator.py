"""Accumulates the inputs of a regret bound over the rounds: gradients, iterates, second moments."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from adam_repro.online.bounds import BoundInputs
from adam_repro.online.step_scalars import StepScalars

NUMBERS = ("G", "G_inf", "weighted", "fell", "compared")
VECTORS = ("squares", "low", "high", "scale")


class BoundAccumulator:
    """Sums and extremes over the rounds so far; all vectors are float64 [d].

    squares: sum_t g_t,i^2. low, high: smallest and largest iterate. scale: (sqrt(v_hat_t,i) / alpha_t)^2.
    The proof needs a scale that never decreases (Reddi et al. 2018); `falls` measures how often it does.
    """

    def __init__(self, d: int, scalars: StepScalars) -> None:
        self.step_scalars = scalars
        self.squares = torch.zeros(d, dtype=torch.float64)
        self.scale = torch.zeros_like(self.squares)
        self.low = torch.full_like(self.squares, torch.inf)
        self.high = -self.low
        self.G = self.G_inf = self.weighted = self.fell = self.compared = 0.0

    def before_step(self, theta: Tensor, g: Tensor) -> None:
        """Record theta_t and g_t."""
        torch.minimum(self.low, theta, out=self.low)
        torch.maximum(self.high, theta, out=self.high)
        self.squares.addcmul_(g, g)
        self.G = max(self.G, float(g.norm()))
        self.G_inf = max(self.G_inf, float(g.abs().max()))

    def after_step(self, slots: SimpleNamespace, t: int, alpha_t: float) -> None:
        """Record v_hat_t."""
        v_hat = self.v_hat(slots, t)
        if v_hat is None:
            return
        scale = v_hat / alpha_t**2
        # The tolerance ignores rounding: sqrt(t v_hat_t) can be constant.
        self.fell += float((scale < self.scale * (1 - 1e-12)).sum())
        self.compared += float((self.scale > 0).sum())
        self.scale = scale
        if hasattr(slots, "v_max"):
            beta1_t = self.step_scalars.settings["beta1"] * self.step_scalars.beta1_decay ** (t - 1)
            self.weighted += beta1_t * float(scale.sqrt().sum())

    def v_hat(self, slots: SimpleNamespace, t: int) -> Tensor | None:
        """v_hat_t [d], by whose root the update divides; ``None`` for an optimizer without one."""
        if hasattr(slots, "v_max"):
            return slots.v_max
        if not hasattr(slots, "v"):
            return None
        return slots.v * self.step_scalars.v_hat_factor(t)

    def bound_inputs(self, slots: SimpleNamespace, T: int, comparator: Tensor) -> BoundInputs:
        """The inputs of the bound after ``T`` rounds.

        Take the smallest box around the iterates and the comparator [d]. D_inf is its longest side
        and exact. D is its diagonal, an upper bound on every distance within.
        """
        sides = torch.maximum(self.high, comparator) - torch.minimum(self.low, comparator)
        v_hat = self.v_hat(slots, T)
        return BoundInputs(
            T=T,
            d=len(sides),
            D=float(sides.norm()),
            D_inf=float(sides.max()),
            G=self.G,
            G_inf=self.G_inf,
            sum_root_v_hat=0.0 if v_hat is None else float(v_hat.sqrt().sum()),
            sum_gradient_norms=float(self.squares.sqrt().sum()),
            sum_weighted=self.weighted,
        )

    @property
    def falls(self) -> float | None:
        """The share of coordinate steps at which sqrt(v_hat_t)/alpha_t decreased."""
        return self.fell / self.compared if self.compared else None

    def state(self) -> dict[str, Any]:
        """The contents of a checkpoint."""
        vectors = {name: getattr(self, name).clone() for name in VECTORS}
        return vectors | {name: getattr(self, name) for name in NUMBERS}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Load what :meth:`state` returned."""
        for name in (*VECTORS, *NUMBERS):
            setattr(self, name, state[name])
