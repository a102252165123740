"""Adam, Algorithm 1 of Kingma & Ba (arXiv 1412.6980v9), and AdamW."""

from __future__ import annotations

from typing import Any, ClassVar

from torch import Tensor

from adam_repro.config.validate import Choice, Range
from adam_repro.kernels import fused_update
from adam_repro.optim.base import RuleOptimizer
from adam_repro.optim.ops import TINY, adam_kernel_, add_quotient_, one_minus_power
from adam_repro.optim.rule import HALF, Scalar, update_whole


class Adam(RuleOptimizer):
    """Adaptive moment estimation.

        m_t = beta1 m_{t-1} + (1 - beta1) g_t          v_t = beta2 v_{t-1} + (1 - beta2) g_t^2
        m_hat = m_t / (1 - beta1^t)                    v_hat = v_t / (1 - beta2^t)
        theta_t = theta_{t-1} - lr m_hat / (sqrt(v_hat) + eps)

    The last three are carried out in the order of section 2's end, which saves two passes:

        theta_t = theta_{t-1} - alpha_t m_t / (sqrt(v_t) + eps_hat)
        alpha_t = lr sqrt(1 - beta2^t) / (1 - beta1^t)

    This is Algorithm 1 exactly when eps_hat = eps sqrt(1 - beta2^t), as `form="algorithm1"` has it.
    `form="efficient"` takes eps itself for eps_hat at every t: another method while t is small.

    Args:
        lr: the stepsize alpha, > 0.
        beta1, beta2: decay rates of the moments, in [0, 1).
        eps: >= 0; with 0, a coordinate whose gradient was always zero does not move.
        bias_correction: which moments are corrected: "both" (the paper), "m", "v" or "none".
        form: where eps stands, "algorithm1" or "efficient".

    Raises:
        ValueError: a value outside its range.
    """

    hyperparameters: ClassVar = {
        "lr": Range(gt=0),
        "beta1": Range(ge=0, lt=1),
        "beta2": Range(ge=0, lt=1),
        "eps": Range(ge=0),
    }
    options: ClassVar = {
        "bias_correction": Choice("both", "m", "v", "none"),
        "form": Choice("algorithm1", "efficient"),
    }
    slots = ("m", "v")

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        beta1: float = 0.9,
        beta2: float = 0.999,
        eps: float = 1e-8,
        bias_correction: str = "both",
        form: str = "algorithm1",
    ) -> None:
        super().__init__(
            params, lr=lr, beta1=beta1, beta2=beta2, eps=eps,
            bias_correction=bias_correction, form=form,
        )  # fmt: skip

    @staticmethod
    def scalars(h: Any, t: int | Tensor) -> dict[str, Scalar]:
        m_correction = one_minus_power(h.beta1, t) if h.bias_correction in ("both", "m") else 1.0
        v_correction = one_minus_power(h.beta2, t) if h.bias_correction in ("both", "v") else 1.0
        root = v_correction**0.5
        return {
            "beta1": h.beta1,
            "beta2": h.beta2,
            "one_minus_beta1": 1 - h.beta1,
            "one_minus_beta2": 1 - h.beta2,
            "alpha_t": h.lr * root / m_correction,
            "eps_hat": (h.eps * root if h.form == "algorithm1" else h.eps) + TINY,
        }

    @staticmethod
    def update(theta: Tensor, g: Tensor, s: Any, c: Any) -> None:
        s.m.lerp_(g, c.one_minus_beta1)  # m_t
        s.v.lerp_(g * g, c.one_minus_beta2)  # v_t
        add_quotient_(theta, -c.alpha_t, s.m, s.v.sqrt().add_(c.eps_hat))

    @staticmethod
    def kernel(theta: Tensor, g: Tensor, s: Any, c: Any) -> None:
        adam_kernel_(
            theta, g, s.m, s.v,
            beta1=c.beta1, beta2=c.beta2, alpha_t=c.alpha_t, eps_hat=c.eps_hat,
        )  # fmt: skip

    @staticmethod
    def stack_kernel(theta: Tensor, g: Tensor, s: Any, c: Any) -> None:
        scalars = (c.alpha_t, c.eps_hat, c.one_minus_beta1, c.one_minus_beta2)
        fused_update.step_("adam", theta, g, (s.m, s.v), scalars)


class AdamW(Adam):
    """Loshchilov & Hutter (arXiv 1711.05101): Adam whose weight decay never enters the moments.

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
        RuleOptimizer.__init__(
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
        if theta.dtype in HALF:  # rounding 1 - lr weight_decay times theta would undo a small decay
            update_whole(AdamW, theta, g, s, c)
            return
        theta.mul_(c.shrinkage)
        Adam.kernel(theta, g, s, c)

    @staticmethod
    def stack_kernel(theta: Tensor, g: Tensor, s: Any, c: Any) -> None:
        theta.mul_(c.shrinkage)
        Adam.stack_kernel(theta, g, s, c)
