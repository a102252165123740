"""Update rules as PyTorch optimizers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from adam_repro.optim.rule import (
    HyperparameterError,
    UpdateRule,
    namespace,
    prepare,
    update_in_blocks,
)
from adam_repro.optim.settings import check_names, check_state, misplaced


class RuleOptimizer(UpdateRule, torch.optim.Optimizer):
    """An update rule that is at the same time a `torch.optim.Optimizer`.

    Any hyperparameter may be a tensor of one element, in the constructor and in a group: a stepsize that
    changes in place costs `torch.compile(optimizer.step)` no second compilation. Parameters may be of any
    tensor type, as the sharded ones of `fully_shard`.

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

        A group may have lr = 0, which freezes it. Keys that are no settings are left alone.

        Raises:
            HyperparameterError: a value outside its range; a setting of PyTorch's that is on and that this
                method has not; a misspelt name.
        """
        if isinstance(param_group, Mapping):  # PyTorch's own error otherwise
            self._check_group({**self.defaults, **param_group})
            if found := misplaced(param_group, self._names()):
                key, hint = found
                name = type(self).__name__
                raise HyperparameterError(f"{name} has no hyperparameter {key!r}{hint}")
        super().add_param_group(param_group)

    def _names(self) -> tuple[str, ...]:
        return (*self.hyperparameters, *self.options)

    def _check_group(self, group: Mapping[str, Any]) -> None:
        settings = {name: group[name] for name in self._names() if name in group}
        if _zero(settings.get("lr")):  # a group may be frozen
            settings["lr"] = 1.0
        self.check(settings)

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Called at the end of `load_state_dict`, after its hooks, and by copies; nothing is set on error.

        Raises:
            HyperparameterError (a ValueError): a hyperparameter outside its range.
            StateError (a ValueError): the state of another method, or of parameters of other shapes.
        """
        for group in state["param_groups"]:
            check_names(type(self).__name__, group, self._names())
            self._check_group(group)
            for index, p in enumerate(group["params"]):
                saved = state["state"].get(p)
                if saved:
                    check_state(type(self).__name__, saved, self.slots, p, index)
                    saved["step"] = _count(saved["step"])
        super().__setstate__(state)

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
            params: list[Tensor] = []
            gradients: list[Tensor] = []
            steps: list[Tensor] = []
            slots: list[list[Tensor]] = [[] for _ in self.slots]
            self._init_group(group, params, gradients, steps, *slots)
            if params:
                self._update_group(group, params, gradients, steps, slots)
        return loss

    def _init_group(
        self,
        group: dict[str, Any],
        params: list[Tensor],
        gradients: list[Tensor],
        steps: list[Tensor],
        *slots: list[Tensor],
    ) -> None:
        """Fill the lists with what the group's update needs; new parameters get a state.

        `torch.compile` knows this name. It calls the method while it traces a step, so that the first step
        is the same graph as all others.
        """
        for p in group["params"]:
            if p.grad is None:
                continue
            _check_gradient(p)
            state = self.state[p]
            if not state:
                state["step"] = _count(0)
                state.update((name, torch.zeros_like(p)) for name in self.slots)
            params.append(p)
            gradients.append(p.grad)
            steps.append(state["step"])
            for name, values in zip(self.slots, slots, strict=True):
                values.append(state[name])

    def _update_group(
        self,
        group: dict[str, Any],
        params: list[Tensor],
        gradients: list[Tensor],
        steps: list[Tensor],
        slots: list[list[Tensor]],
    ) -> None:
        rule = type(self)
        prepared: dict[Any, Any] = {}
        for p, g, step, *values in zip(params, gradients, steps, *slots, strict=True):
            t = _count_step(p, step)
            # All parameters of a group usually share one step count.
            key = (t, p.dtype, p.device) if isinstance(t, int) else len(prepared)
            if key not in prepared:
                h = namespace(**{name: _number(p, group[name]) for name in self._names()})
                prepared[key] = prepare(rule, h, t, p.dtype)
            s = namespace(**dict(zip(rule.slots, values, strict=True)))
            update_in_blocks(rule, p, g, s, prepared[key])


def _count_step(p: Tensor, step: Tensor) -> int | Tensor:
    """Count one step more; the new count as the rule takes it for `p`."""
    if _readable(step):
        t = int(step.item()) + 1
        step.fill_(t)  # twice as fast as adding
        return t
    step.add_(1)
    return _beside(p, step)


def _number(p: Tensor, x: Any) -> Any:
    """A hyperparameter as the rule takes it for `p`; options stay as they are."""
    if not isinstance(x, Tensor):
        return x
    return x.item() if _readable(x) else _beside(p, x)


def _readable(x: Tensor) -> bool:
    """Whether a number can be read at once: not from a device, not without data, not while compiling."""
    return type(x) is Tensor and x.is_cpu and not torch.compiler.is_compiling()


def _beside(p: Tensor, x: Tensor) -> Tensor:
    """A number as a 0-dim tensor beside `p`, in float64 where its device has that."""
    return x.to(p.device, torch.float32 if p.device.type == "mps" else torch.float64).reshape(())


def _count(step: Any) -> Tensor:
    """A step count as PyTorch's optimizers keep it: on the host, where reading it waits for nothing."""
    if isinstance(step, Tensor):
        return step
    return torch.tensor(float(step), dtype=torch.float32, device="cpu")


def _zero(lr: Any) -> bool:
    if isinstance(lr, Tensor):
        return type(lr) is Tensor and lr.numel() == 1 and not lr.is_meta and lr.item() == 0
    return not isinstance(lr, bool) and isinstance(lr, (int, float)) and lr == 0


def _check_gradient(p: Tensor) -> None:
    g = p.grad
    assert g is not None
    if g.layout != torch.strided or g.is_complex():
        kind = "complex" if g.is_complex() else "sparse"
        raise RuntimeError(
            f"a parameter of shape {tuple(p.shape)} has a {kind} gradient, and the update is "
            f"defined for dense real gradients only: use e.g. Embedding(sparse=False)"
        )
