"""AdaMax, Algorithm 2 of Kingma & Ba (arXiv 1412.6980v9, section 7.1)."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor

from adam_repro.config.validate import Range
from adam_repro.kernels import fused_update
from adam_repro.optim.base import RuleOptimizer
from adam_repro.optim.ops import TINY, add_quotient_, one_minus_power
from adam_repro.optim.rule import Scalar


class AdaMax(RuleOptimizer):
    """Adam with the infinity norm of past gradients in the place of sqrt(v_hat).

        m_t = beta1 m_{t-1} + (1 - beta1) g_t
        u_t = max(beta2 u_{t-1}, |g_t|)
        theta_t = theta_{t-1} - lr / (1 - beta1^t) m_t / u_t

    There is no eps, and the paper leaves 0/0 open: a coordinate whose gradient was always zero does
    not move. (`torch.optim.Adamax` adds an eps of 1e-8 to every |g_t|.)

    Args:
        lr: the stepsize alpha, > 0.
        beta1, beta2: decay rates, in [0, 1).

    Raises:
        ValueError: a value outside its range.
    """

    hyperparameters: ClassVar = {
        "lr": Range(gt=0),
        "beta1": Range(ge=0, lt=1),
        "beta2": Range(ge=0, lt=1),
    }
    slots = ("m", "u")

    def __init__(
        self, params: Any, lr: float = 2e-3, beta1: float = 0.9, beta2: float = 0.999
    ) -> None:
        super().__init__(params, lr=lr, beta1=beta1, beta2=beta2)

    @staticmethod
    def scalars(h: Any, t: int | Tensor) -> dict[str, Scalar]:
        return {
            "one_minus_beta1": 1 - h.beta1,
            "beta2": h.beta2,
            "alpha_t": h.lr / one_minus_power(h.beta1, t),
        }

    @staticmethod
    def update(theta: Tensor, g: Tensor, s: Any, c: Any) -> None:
        s.m.lerp_(g, c.one_minus_beta1)  # m_t
        torch.maximum(s.u.mul_(c.beta2), g.abs(), out=s.u)  # u_t
        add_quotient_(theta, -c.alpha_t, s.m, s.u + TINY)

    @staticmethod
    def stack_kernel(theta: Tensor, g: Tensor, s: Any, c: Any) -> None:
        scalars = (c.alpha_t, TINY, c.one_minus_beta1, c.beta2)
        fused_update.step_("adamax", theta, g, (s.m, s.u), scalars)
