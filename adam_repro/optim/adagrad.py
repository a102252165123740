"""AdaGrad, as section 5 of Kingma & Ba states it (Duchi, Hazan & Singer 2011, diagonal form)."""

from __future__ import annotations

from typing import Any, ClassVar

from torch import Tensor

from adam_repro.config.validate import Range
from adam_repro.kernels import fused_update
from adam_repro.optim.base import RuleOptimizer
from adam_repro.optim.ops import TINY, add_quotient_
from adam_repro.optim.rule import Scalar


class AdaGrad(RuleOptimizer):
    """A stepsize per coordinate that shrinks with all squared gradients so far.

        theta_{t+1} = theta_t - lr g_t / (sqrt(sum_{i<=t} g_i^2) + eps)

    The paper has no eps, hence its default of 0 (`torch.optim.Adagrad`: 1e-10). Without it a
    coordinate whose gradient was always zero, 0/0 on paper, does not move.

    Args:
        lr: the stepsize alpha, > 0.
        eps: >= 0.

    Raises:
        ValueError: a value outside its range.
    """

    hyperparameters: ClassVar = {"lr": Range(gt=0), "eps": Range(ge=0)}
    slots = ("sum",)

    def __init__(self, params: Any, lr: float = 1e-2, eps: float = 0.0) -> None:
        super().__init__(params, lr=lr, eps=eps)

    @staticmethod
    def scalars(h: Any, t: int | Tensor) -> dict[str, Scalar]:
        return {"lr": h.lr, "eps": h.eps + TINY}

    @staticmethod
    def update(theta: Tensor, g: Tensor, s: Any, c: Any) -> None:
        s.sum.addcmul_(g, g)
        add_quotient_(theta, -c.lr, g, s.sum.sqrt().add_(c.eps))

    @staticmethod
    def stack_kernel(theta: Tensor, g: Tensor, s: Any, c: Any) -> None:
        fused_update.step_("adagrad", theta, g, (s.sum,), (c.lr, c.eps))
