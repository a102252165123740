"""AdamW, Loshchilov & Hutter (arXiv 1711.05101): Adam with decoupled weight decay."""

from __future__ import annotations

from typing import Any, ClassVar

from torch import Tensor

from adam_repro.optim.adam import Adam
from adam_repro.optim.method import Method, Range, Scalar


class AdamW(Adam):
    """Adam whose decay shrinks theta itself and never enters the moments.

        theta_t = (1 - lr weight_decay) theta_{t-1} - lr m_hat / (sqrt(v_hat) + eps)

    In PyTorch's form: the decay is multiplied by the stepsize (Algorithm 2 of the paper has a
    schedule multiplier there, which does not contain the stepsize). The experiments of Adam's paper
    use the coupled form instead, an L2 term in the cost.

    Args:
        weight_decay: >= 0; the others as in `Adam`.

    Raises:
        ValueError: a value outside its range.
    """

    hyperparameters: ClassVar = {**Adam.hyperparameters, "weight_decay": Range(ge=0)}

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        beta1: float = 0.9,
        beta2: float = 0.999,
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        bias_correction: str = "both",
        form: str = "algorithm1",
    ) -> None:
        Method.__init__(
            self, params, lr=lr, beta1=beta1, beta2=beta2, eps=eps,
            weight_decay=weight_decay, bias_correction=bias_correction, form=form,
        )  # fmt: skip

    @staticmethod
    def scalars(h: Any, t: int | Tensor) -> dict[str, Scalar]:
        return {**Adam.scalars(h, t), "shrinkage": 1 - h.lr * h.weight_decay}

    @staticmethod
    def update(theta: Tensor, g: Tensor, s: Any, c: Any) -> None:
        theta.mul_(c.shrinkage)
        Adam.update(theta, g, s, c)

    @staticmethod
    def kernel(theta: Tensor, g: Tensor, s: Any, c: Any) -> None:
        theta.mul_(c.shrinkage)
        Adam.kernel(theta, g, s, c)

    @staticmethod
    def stack_kernel(theta: Tensor, g: Tensor, s: Any, c: Any) -> None:
        theta.mul_(c.shrinkage)
        Adam.stack_kernel(theta, g, s, c)
