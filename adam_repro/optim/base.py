"""Update rules as PyTorch optimizers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from adam_repro.optim.rule import UpdateRule, prepare, update_in_blocks

#: Settings of PyTorch's own optimizers: a group of ours that has one is a mistake.
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


class RuleOptimizer(UpdateRule, torch.optim.Optimizer):
    """An update rule that is at the same time a `torch.optim.Optimizer`.

    PyTorch's schedulers set a group's `lr`; OneCycleLR and CyclicLR cycle `betas` too unless they are
    given `cycle_momentum=False`, which they need here.
    """

    def __init__(self, params: Any, **defaults: Any) -> None:
        """`params` as in PyTorch; a subclass passes every hyperparameter and option.

        Raises:
            HyperparameterError (a ValueError): a value outside its range.
        """
        self.check(defaults)
        super().__init__(params, defaults)

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
        rule = type(self)
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
                prepared[key] = prepare(rule, h, *key)
            slots = SimpleNamespace(**{name: state[name] for name in self.slots})
            update_in_blocks(rule, p, g, slots, prepared[key])


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
