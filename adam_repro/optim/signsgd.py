"""Sign descent (signSGD), Bernstein et al. 2018 (arXiv 1802.04434), Algorithm 1."""

from __future__ import annotations

from typing import Any, ClassVar

from torch import Tensor

from adam_repro.config.validate import Range
from adam_repro.optim.base import RuleOptimizer
from adam_repro.optim.ops import add_scaled_
from adam_repro.optim.rule import Scalar


class SignSGD(RuleOptimizer):
    """Steps of equal size in every coordinate, along the sign of its gradient.

        theta_t = theta_{t-1} - lr sign(g_t)

    Adam with beta1 = beta2 = eps = 0 takes the same steps. A coordinate whose gradient is zero does
    not move, since sign(0) = 0.

    Args:
        lr: the stepsize, > 0: how far every coordinate moves in a step.

    Raises:
        ValueError: a value outside its range.
    """

    hyperparameters: ClassVar = {"lr": Range(gt=0)}

    def __init__(self, params: Any, lr: float = 1e-3) -> None:
        super().__init__(params, lr=lr)

    @staticmethod
    def scalars(h: Any, t: int | Tensor) -> dict[str, Scalar]:
        return {"lr": h.lr}

    @staticmethod
    def update(theta: Tensor, g: Tensor, s: Any, c: Any) -> None:
        add_scaled_(theta, -c.lr, g.sign())
