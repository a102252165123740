"""RMSProp (Tieleman & Hinton 2012), plain or with momentum on the rescaled gradient (Graves)."""

from __future__ import annotations

from typing import Any, ClassVar

from torch import Tensor

from adam_repro.config.validate import Range
from adam_repro.kernels import fused_update
from adam_repro.optim.base import RuleOptimizer
from adam_repro.optim.ops import TINY, add_quotient_, add_scaled_
from adam_repro.optim.rule import Scalar


class RMSProp(RuleOptimizer):
    """The gradient divided by the root of a running mean of its square, without bias correction.

        v_t = rho v_{t-1} + (1 - rho) g_t^2
        b_t = momentum b_{t-1} + g_t / (sqrt(v_t) + eps)
        theta_t = theta_{t-1} - lr b_t

    Momentum acts on the rescaled gradient, where Adam rescales the momentum. This is PyTorch's
    form; Graves (2013) also subtracts the squared mean of g from v and keeps eps under the root.
    (What figure 4 of Adam's paper calls RMSProp with momentum is `Adam(bias_correction="none")`.)

    Args:
        lr: the stepsize, > 0.
        rho: decay rate of v, in [0, 1): 0.9 in the lecture, 0.99 (as `alpha`) in PyTorch.
        eps: >= 0; with 0, a coordinate whose gradient was always zero does not move.
        momentum: in [0, 1); 0 is the plain method.

    Raises:
        ValueError: a value outside its range.
    """

    hyperparameters: ClassVar = {
        "lr": Range(gt=0),
        "rho": Range(ge=0, lt=1),
        "eps": Range(ge=0),
        "momentum": Range(ge=0, lt=1),
    }
    slots = ("v", "b")

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        rho: float = 0.9,
        eps: float = 1e-8,
        momentum: float = 0.0,
    ) -> None:
        super().__init__(params, lr=lr, rho=rho, eps=eps, momentum=momentum)

    @staticmethod
    def scalars(h: Any, t: int | Tensor) -> dict[str, Scalar]:
        return {
            "lr": h.lr,
            "one_minus_rho": 1 - h.rho,
            "eps": h.eps + TINY,
            "momentum": h.momentum,
        }

    @staticmethod
    def update(theta: Tensor, g: Tensor, s: Any, c: Any) -> None:
        s.v.lerp_(g * g, c.one_minus_rho)  # v_t
        add_quotient_(s.b.mul_(c.momentum), 1.0, g, s.v.sqrt().add_(c.eps))  # b_t
        add_scaled_(theta, -c.lr, s.b)

    @staticmethod
    def stack_kernel(theta: Tensor, g: Tensor, s: Any, c: Any) -> None:
        scalars = (c.lr, c.eps, c.one_minus_rho, c.momentum)
        fused_update.step_("rmsprop", theta, g, (s.v, s.b), scalars)
