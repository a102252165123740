"""AMSGrad, Algorithm 2 of Reddi, Kale & Kumar (ICLR 2018)."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor

from adam_repro.config.validate import Range
from adam_repro.kernels import fused_update
from adam_repro.optim.base import RuleOptimizer
from adam_repro.optim.ops import TINY, adam_kernel_, add_quotient_
from adam_repro.optim.rule import Scalar


class AMSGrad(RuleOptimizer):
    """Adam whose second moment never shrinks, in its authors' own form, without the projection.

        m_t = beta1 m_{t-1} + (1 - beta1) g_t
        v_t = beta2 v_{t-1} + (1 - beta2) g_t^2
        v_max_t = max(v_max_{t-1}, v_t)
        theta_{t+1} = theta_t - lr m_t / (sqrt(v_max_t) + eps)

    The maximum is of the uncorrected v, no moment is bias-corrected, and the paper has no eps,
    hence its default of 0: a coordinate whose gradient was always zero does not move. (PyTorch
    corrects both moments and has an eps of 1e-8.)

    Args:
        lr: the stepsize alpha, > 0.
        beta1, beta2: decay rates of the moments, in [0, 1).
        eps: >= 0.

    Raises:
        ValueError: a value outside its range.
    """

    hyperparameters: ClassVar = {
        "lr": Range(gt=0),
        "beta1": Range(ge=0, lt=1),
        "beta2": Range(ge=0, lt=1),
        "eps": Range(ge=0),
    }
    slots = ("m", "v", "v_max")

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        beta1: float = 0.9,
        beta2: float = 0.999,
        eps: float = 0.0,
    ) -> None:
        super().__init__(params, lr=lr, beta1=beta1, beta2=beta2, eps=eps)

    @staticmethod
    def scalars(h: Any, t: int | Tensor) -> dict[str, Scalar]:
        return {
            "lr": h.lr,
            "beta1": h.beta1,
            "beta2": h.beta2,
            "one_minus_beta1": 1 - h.beta1,
            "one_minus_beta2": 1 - h.beta2,
            "eps": h.eps + TINY,
        }

    @staticmethod
    def update(theta: Tensor, g: Tensor, s: Any, c: Any) -> None:
        s.m.lerp_(g, c.one_minus_beta1)  # m_t
        s.v.lerp_(g * g, c.one_minus_beta2)  # v_t
        torch.maximum(s.v_max, s.v, out=s.v_max)
        add_quotient_(theta, -c.lr, s.m, s.v_max.sqrt().add_(c.eps))

    @staticmethod
    def kernel(theta: Tensor, g: Tensor, s: Any, c: Any) -> None:
        adam_kernel_(
            theta, g, s.m, s.v, s.v_max,
            beta1=c.beta1, beta2=c.beta2, alpha_t=c.lr, eps_hat=c.eps,
        )  # fmt: skip

    @staticmethod
    def stack_kernel(theta: Tensor, g: Tensor, s: Any, c: Any) -> None:
        scalars = (c.lr, c.eps, c.one_minus_beta1, c.one_minus_beta2)
        fused_update.step_("amsgrad", theta, g, (s.m, s.v, s.v_max), scalars)
