"""Stochastic gradient descent: plain, with momentum (Polyak 1964), with Nesterov's momentum."""

from __future__ import annotations

from typing import Any, ClassVar

from torch import Tensor

from adam_repro.config.validate import Range
from adam_repro.kernels import fused_update
from adam_repro.optim.base import RuleOptimizer
from adam_repro.optim.ops import add_scaled_
from adam_repro.optim.rule import Scalar


class SGD(RuleOptimizer):
    """theta_t = theta_{t-1} - lr g_t.

    Args:
        lr: the stepsize, > 0.

    Raises:
        ValueError: a value outside its range.
    """

    hyperparameters: ClassVar = {"lr": Range(gt=0)}

    def __init__(self, params: Any, lr: float = 1e-1) -> None:
        super().__init__(params, lr=lr)

    @staticmethod
    def scalars(h: Any, t: int | Tensor) -> dict[str, Scalar]:
        return {"lr": h.lr}

    @staticmethod
    def update(theta: Tensor, g: Tensor, s: Any, c: Any) -> None:
        add_scaled_(theta, -c.lr, g)

    @staticmethod
    def stack_kernel(theta: Tensor, g: Tensor, s: Any, c: Any) -> None:
        fused_update.step_("sgd", theta, g, (), (c.lr,))


class SGDMomentum(RuleOptimizer):
    """A velocity that sums past gradients, without the stepsize in it (PyTorch's form).

        b_t = momentum b_{t-1} + g_t
        theta_t = theta_{t-1} - lr b_t

    Args:
        lr: the stepsize, > 0.
        momentum: in [0, 1).

    Raises:
        ValueError: a value outside its range.
    """

    hyperparameters: ClassVar = {"lr": Range(gt=0), "momentum": Range(ge=0, lt=1)}
    slots = ("b",)

    def __init__(self, params: Any, lr: float = 1e-2, momentum: float = 0.9) -> None:
        super().__init__(params, lr=lr, momentum=momentum)

    @staticmethod
    def scalars(h: Any, t: int | Tensor) -> dict[str, Scalar]:
        return {"lr": h.lr, "momentum": h.momentum}

    @staticmethod
    def update(theta: Tensor, g: Tensor, s: Any, c: Any) -> None:
        s.b.mul_(c.momentum).add_(g)  # b_t
        add_scaled_(theta, -c.lr, s.b)

    @staticmethod
    def stack_kernel(theta: Tensor, g: Tensor, s: Any, c: Any) -> None:
        fused_update.step_("sgd_momentum", theta, g, (s.b,), (c.lr, c.momentum))


class SGDNesterov(SGDMomentum):
    """Momentum that looks one step ahead (PyTorch's form, after Sutskever et al. 2013).

        b_t = momentum b_{t-1} + g_t
        theta_t = theta_{t-1} - lr (g_t + momentum b_t)

    Sutskever's velocity is -lr b_t, and its parameters are read at the point looked ahead to: the
    same method as long as lr is constant.

    Args:
        lr: the stepsize, > 0.
        momentum: in [0, 1).

    Raises:
        ValueError: a value outside its range.
    """

    @staticmethod
    def scalars(h: Any, t: int | Tensor) -> dict[str, Scalar]:
        return {"lr": h.lr, "momentum": h.momentum, "lr_momentum": h.lr * h.momentum}

    @staticmethod
    def update(theta: Tensor, g: Tensor, s: Any, c: Any) -> None:
        s.b.mul_(c.momentum).add_(g)  # b_t
        add_scaled_(theta, -c.lr, g)
        add_scaled_(theta, -c.lr_momentum, s.b)

    @staticmethod
    def stack_kernel(theta: Tensor, g: Tensor, s: Any, c: Any) -> None:
        scalars = (c.lr, c.momentum, c.lr_momentum)
        fused_update.step_("sgd_nesterov", theta, g, (s.b,), scalars)
