"""What every method has in common: its hyperparameters' legal ranges and its `torch.optim` form."""

from __future__ import annotations

import difflib
import math
import numbers
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import SimpleNamespace
from typing import Any, ClassVar

import torch
from torch import Tensor

from adam_repro.errors import UserError
from adam_repro.optim import blocks

#: Settings of PyTorch's own methods, which a group of ours must not seem to have.
TORCH_NAMES = (
    "betas",
    "momentum",
    "nesterov",
    "weight_decay",
    "amsgrad",
    "maximize",
    "alpha",
    "lr_decay",
)

Scalar = float | Tensor  # one number, or one number a trial as a float64 tensor [S, 1]


class HyperparameterError(UserError, ValueError):
    """An illegal hyperparameter: a `UserError` to the command line, a `ValueError` to PyTorch."""


class Range:
    """The legal interval of a hyperparameter: `gt`, `ge` bound it below and `lt`, `le` above."""

    def __init__(
        self,
        *,
        gt: float | None = None,
        ge: float | None = None,
        lt: float | None = None,
        le: float | None = None,
    ) -> None:
        self.gt, self.ge, self.lt, self.le = gt, ge, lt, le

    def admits(self, value: object) -> bool:
        """Whether `value` is a finite number inside the interval (a bool is not a number here)."""
        if isinstance(value, bool) or not isinstance(value, numbers.Real):
            return False
        value = float(value)
        return (
            math.isfinite(value)
            and (self.gt is None or value > self.gt)
            and (self.ge is None or value >= self.ge)
            and (self.lt is None or value < self.lt)
            and (self.le is None or value <= self.le)
        )

    def __str__(self) -> str:
        below = f"> {self.gt:g}" if self.gt is not None else ""
        below = f">= {self.ge:g}" if self.ge is not None else below
        above = f"< {self.lt:g}" if self.lt is not None else ""
        above = f"<= {self.le:g}" if self.le is not None else above
        bounds = " and ".join(part for part in (below, above) if part)
        return f"a finite number {bounds}".rstrip()


class Choice:
    """The legal values of an option, in the order they are told to the user."""

    def __init__(self, *values: str) -> None:
        self.values = values

    def admits(self, value: object) -> bool:
        """Whether `value` is one of the legal values."""
        return value in self.values

    def __str__(self) -> str:
        return "one of " + ", ".join(self.values)


class Method(torch.optim.Optimizer):
    """An update rule over a stack, which is at the same time a `torch.optim.Optimizer`.

    A subclass states `hyperparameters` (numbers, one per trial), `options` (structural, the same
    for a whole stack), `slots` (state tensors shaped like theta, zero before the first step), and
    the rule: `scalars`, done once a step in float64, and `update`, elementwise and in place.
    `adam_repro.optim.apply` puts the two together; `step` does it for PyTorch's parameters. A
    `kernel`, if stated, is `update` in one pass, for contiguous tensors and floats in `c`;
    `stack_kernel` is so on a GPU for whatever `adam_repro.kernels.fused_update.suits`.

    PyTorch's schedulers set a group's `lr`; OneCycleLR and CyclicLR cycle `betas` too unless they are
    given `cycle_momentum=False`, which they need here.
    """

    hyperparameters: ClassVar[dict[str, Range]] = {}
    options: ClassVar[dict[str, Choice]] = {}
    slots: ClassVar[tuple[str, ...]] = ()
    kernel: ClassVar[Any] = None
    stack_kernel: ClassVar[Any] = None

    def __init__(self, params: Any, **defaults: Any) -> None:
        """`params` as in PyTorch; a subclass passes every hyperparameter and option.

        Raises:
            HyperparameterError (a ValueError): a value outside its range.
        """
        self.check(defaults)
        super().__init__(params, defaults)

    @staticmethod
    def scalars(h: Any, t: int | Tensor) -> dict[str, Scalar]:
        """What `update` needs besides tensors, from the hyperparameters and the step count.

        `h` holds Python floats or float64 tensors [S, 1] (`h.lr` is the stepsize of this step) and
        the options; `t` counts steps from 1, an int or a float64 tensor: 0-dim, or [T, 1, 1] for
        the scalars [T, S, 1] of T steps at once. Float64 throughout.
        """
        raise TypeError("Method is abstract: use one of adam_repro.optim.METHODS")

    @staticmethod
    def update(theta: Tensor, g: Tensor, s: Any, c: Any) -> None:
        """One step of the rule, in place on `theta` and the slots `s`; `g` is left as it is.

        All tensors are [n] or [S, n]; `c` holds the scalars as floats or as [S, 1] tensors in
        theta's dtype. Elementwise, so that any block of the tensors can be updated on its own.
        """
        raise TypeError("Method is abstract: use one of adam_repro.optim.METHODS")

    @classmethod
    def check(cls, h: Mapping[str, Any] | SimpleNamespace) -> None:
        """Check names, types and ranges of one trial's hyperparameters and options.

        Raises:
            HyperparameterError: naming the option, its value and what is legal.
        """
        given = dict(h) if isinstance(h, Mapping) else vars(h)
        legal: dict[str, Range | Choice] = {**cls.hyperparameters, **cls.options}
        for name in given:
            if name not in legal:
                near = difflib.get_close_matches(name, legal, n=1)
                hint = f"; did you mean {near[0]}?" if near else f"; it has {', '.join(legal)}"
                raise HyperparameterError(f"{cls.__name__} has no hyperparameter {name!r}{hint}")
        for name, allowed in legal.items():
            if name not in given:
                raise HyperparameterError(f"{cls.__name__} needs {name}: give {allowed}")
            if not allowed.admits(given[name]):
                raise HyperparameterError(
                    f"{cls.__name__}: {name} = {given[name]!r}, but {name} must be {allowed}"
                )

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """As in PyTorch; the group's own hyperparameters are checked like the constructor's.

        A group may have lr = 0, which freezes it.

        Raises:
            HyperparameterError: a value outside its range, or a name PyTorch has and this method has not.
        """
        known = (*self.hyperparameters, *self.options)
        settings = {name: param_group.get(name, self.defaults[name]) for name in known}
        foreign = {name: param_group[name] for name in TORCH_NAMES if name in param_group}
        frozen = {"lr": self.defaults["lr"]} if settings["lr"] == 0 else {}
        self.check({**foreign, **settings, **frozen})
        super().add_param_group(param_group)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update every parameter that has a gradient; return the closure's loss, if one is given.

        Raises:
            RuntimeError: for a sparse or complex gradient.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            self._step_group(group)
        return loss

    def _step_group(self, group: dict[str, Any]) -> None:
        method = type(self)
        h = SimpleNamespace(**{k: group[k] for k in (*self.hyperparameters, *self.options)})
        prepared: dict[tuple[int, torch.dtype], SimpleNamespace] = {}
        for p, g in _with_gradient(group["params"]):
            state = self.state[p]
            if not state:
                state["step"] = 0
                state.update((name, torch.zeros_like(p)) for name in self.slots)
            state["step"] += 1
            key = (state["step"], p.dtype)
            if key not in prepared:  # all parameters of a group usually share one step count
                prepared[key] = blocks.prepare(method, h, *key)
            slots = SimpleNamespace(**{name: state[name] for name in self.slots})
            blocks.update_in_blocks(method, p, g, slots, prepared[key])


def _with_gradient(params: Iterable[Tensor]) -> Iterator[tuple[Tensor, Tensor]]:
    for p in params:
        if p.grad is None:
            continue
        if p.grad.layout != torch.strided or p.grad.is_complex():
            kind = "complex" if p.grad.is_complex() else "sparse"
            raise RuntimeError(
                f"a parameter of shape {tuple(p.shape)} has a {kind} gradient, and the update is "
                f"defined for dense real gradients only: use e.g. Embedding(sparse=False)"
            )
        yield p, p.grad
