"""Lion, Chen et al. 2023, "Symbolic Discovery of Optimization Algorithms" (arXiv 2302.06675), Algorithm 2."""

from __future__ import annotations

from typing import Any, ClassVar

from torch import Tensor

from adam_repro.config.validate import Range
from adam_repro.optim.base import RuleOptimizer
from adam_repro.optim.ops import add_scaled_
from adam_repro.optim.rule import Scalar


class Lion(RuleOptimizer):
    """Steps of equal size in every coordinate: the sign of an average of gradients.

        c_t = beta1 m_{t-1} + (1 - beta1) g_t
        theta_t = (1 - lr weight_decay) theta_{t-1} - lr sign(c_t)
        m_t = beta2 m_{t-1} + (1 - beta2) g_t

    A coordinate whose gradient was always zero does not move, since sign(0) = 0.

    Args:
        lr: the stepsize, > 0; its authors advise a tenth to a third of Adam's.
        beta1, beta2: decay rates of the average that is stepped along and of the one that is kept, in [0, 1).
        weight_decay: >= 0, decoupled as in AdamW.

    Raises:
        ValueError: a value outside its range.
    """

    hyperparameters: ClassVar = {
        "lr": Range(gt=0),
        "beta1": Range(ge=0, lt=1),
        "beta2": Range(ge=0, lt=1),
        "weight_decay": Range(ge=0),
    }
    slots = ("m",)

    def __init__(
        self,
        params: Any,
        lr: float = 1e-4,
        beta1: float = 0.9,
        beta2: float = 0.99,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, lr=lr, beta1=beta1, beta2=beta2, weight_decay=weight_decay)

    @staticmethod
    def scalars(h: Any, t: int | Tensor) -> dict[str, Scalar]:
        return {
            "lr": h.lr,
            "one_minus_beta1": 1 - h.beta1,
            "one_minus_beta2": 1 - h.beta2,
            "shrinkage": 1 - h.lr * h.weight_decay,
        }

    @staticmethod
    def update(theta: Tensor, g: Tensor, s: Any, c: Any) -> None:
        theta.mul_(c.shrinkage)
        add_scaled_(theta, -c.lr, s.m.lerp(g, c.one_minus_beta1).sign_())
        s.m.lerp_(g, c.one_minus_beta2)  # m_t
