"""AdaDelta, Algorithm 1 of Zeiler (arXiv 1212.5701)."""

from __future__ import annotations

from typing import Any, ClassVar

from torch import Tensor

from adam_repro.config.validate import Range
from adam_repro.kernels import fused_update
from adam_repro.optim.base import RuleOptimizer
from adam_repro.optim.ops import add_scaled_
from adam_repro.optim.rule import Scalar


class AdaDelta(RuleOptimizer):
    """Steps in theta's own units: the gradient times RMS of past steps over RMS of past gradients.

        v_t = rho v_{t-1} + (1 - rho) g_t^2
        delta_t = sqrt(d_{t-1} + eps) / sqrt(v_t + eps) g_t
        d_t = rho d_{t-1} + (1 - rho) delta_t^2
        theta_t = theta_{t-1} - lr delta_t

    Zeiler has no stepsize: lr = 1. His rho is 0.95 (`torch.optim.Adadelta`: 0.9).

    Args:
        lr: a factor on every step, > 0.
        rho: decay rate of both running means, in [0, 1).
        eps: > 0: with 0 the method would never leave its start.

    Raises:
        ValueError: a value outside its range.
    """

    hyperparameters: ClassVar = {
        "lr": Range(gt=0),
        "rho": Range(ge=0, lt=1),
        "eps": Range(gt=0),
    }
    slots = ("v", "d")

    def __init__(self, params: Any, lr: float = 1.0, rho: float = 0.95, eps: float = 1e-6) -> None:
        super().__init__(params, lr=lr, rho=rho, eps=eps)

    @staticmethod
    def scalars(h: Any, t: int | Tensor) -> dict[str, Scalar]:
        return {"lr": h.lr, "one_minus_rho": 1 - h.rho, "eps": h.eps}

    @staticmethod
    def update(theta: Tensor, g: Tensor, s: Any, c: Any) -> None:
        s.v.lerp_(g * g, c.one_minus_rho)  # v_t
        delta = (s.d + c.eps).div_(s.v + c.eps).sqrt_().mul_(g)  # delta_t
        s.d.lerp_(delta * delta, c.one_minus_rho)  # d_t
        add_scaled_(theta, -c.lr, delta)

    @staticmethod
    def stack_kernel(theta: Tensor, g: Tensor, s: Any, c: Any) -> None:
        fused_update.step_("adadelta", theta, g, (s.v, s.d), (c.lr, c.eps, c.one_minus_rho))
