"""The optimizer of a lane: the same call for our rules, over a stack, and for any torch.optim class."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any, Protocol

import torch
from torch import Tensor

from adam_repro.engine.choose import out_of_memory
from adam_repro.engine.layout import Layout
from adam_repro.errors import UserError
from adam_repro.optim import METHODS, blocks, sfo
from adam_repro.optim.foreign import construct, resolve
from adam_repro.optim.method import Method
from adam_repro.tasks import Task

Hyperparameters = Mapping[str, Any]
FOREIGN = ("name", "target", "lr", "kwargs")  # the section of an optimizer by import path


class Update(Protocol):
    """One step of an optimizer on the parameters it was made for."""

    def step(self, gradients: list[Tensor], t: int | Tensor, decay: float | Tensor) -> None:
        """Update in place. ``gradients``: one tensor a segment; ``t``: step from 1.

        ``decay``: the schedule's factor on lr at this step. Either may be a 0-dim float64 tensor.
        """

    def state(self, row: int) -> dict[str, Any]:
        """The optimizer's state of one trial, for its checkpoint."""

    def restore(self, row: int, state: Mapping[str, Any]) -> None:
        """Take up the state of one trial."""


class RuleUpdate:
    """One of our methods over trials ``rows`` of theta [S, P] that share its structural options.

    ``alone``: one trial, its hyperparameters plain floats and its tensors one-dimensional. In a
    batch they are float64 tensors [rows, 1], also when only one row is left.
    """

    def __init__(
        self,
        method: type[Method],
        trials: Sequence[Hyperparameters],
        theta: Tensor,
        layout: Layout,
        alone: bool,
    ) -> None:
        self.method = method
        self.h = SimpleNamespace()
        for name in method.hyperparameters:
            values = [float(trial[name]) for trial in trials]
            column = torch.tensor(values, dtype=torch.float64, device=theta.device)[:, None]
            setattr(self.h, name, values[0] if alone else column)
        for name in method.options:
            setattr(self.h, name, trials[0][name])
        self.lr = self.h.lr
        self.slots = blocks.init_state(method, theta)
        self.dtype = theta.dtype
        flat = {"theta": theta, **self.slots}
        if alone:
            flat = {name: tensor[0] for name, tensor in flat.items()}
        pieces = [
            {name: tensor[..., s.start : s.stop] for name, tensor in flat.items()}
            for s in layout.segments
        ]
        self.pieces = [(piece.pop("theta"), SimpleNamespace(**piece)) for piece in pieces]
        self.alone = alone

    def step(self, gradients: list[Tensor], t: int | Tensor, decay: float | Tensor) -> None:
        self.h.lr = self.lr * decay
        scalars = blocks.prepare(self.method, self.h, t, self.dtype)
        for (theta, slots), gradient in zip(self.pieces, gradients, strict=True):
            g = gradient.view(-1) if self.alone else gradient
            blocks.update_in_blocks(self.method, theta, g, slots, scalars)

    def state(self, row: int) -> dict[str, Any]:
        return {name: slot[row].clone() for name, slot in self.slots.items()}

    def restore(self, row: int, state: Mapping[str, Any]) -> None:
        for name, slot in self.slots.items():
            slot[row].copy_(state[name])


class ForeignUpdate:
    """Any ``torch.optim.Optimizer`` class on the parameters of one trial."""

    def __init__(self, settings: Hyperparameters, parameters: list[Tensor], layout: Layout) -> None:
        self.parameters = parameters
        self.layout = layout
        self.optimizer = construct(settings["target"], parameters, _arguments(settings))
        self.lr = [group["lr"] for group in self.optimizer.param_groups]
        self.target = settings["target"]
        self.stepped = False

    def step(self, gradients: list[Tensor], t: int | Tensor, decay: float | Tensor) -> None:
        for segment, gradient in zip(self.layout.segments, gradients, strict=True):
            members = range(segment.first, segment.last)
            pieces = gradient.view(-1).split([self.layout.sizes[i] for i in members])
            for i, piece in zip(members, pieces, strict=True):
                self.parameters[i].grad = piece.view(self.layout.shapes[i])
        for group, lr in zip(self.optimizer.param_groups, self.lr, strict=True):
            group["lr"] = lr * decay
        try:
            self.optimizer.step()
        except Exception as error:  # whatever a foreign step raises for parameters of this kind
            if self.stepped or out_of_memory(error):
                raise
            reason = str(error).splitlines() or [""]
            raise UserError(
                f"optimizer.target={self.target}: its first step failed "
                f"({type(error).__name__}: {reason[0]}); choose one for dense gradients, or mend it"
            ) from error
        self.stepped = True

    def state(self, row: int) -> dict[str, Any]:
        return {"torch": self.optimizer.state_dict()}

    def restore(self, row: int, state: Mapping[str, Any]) -> None:
        self.optimizer.load_state_dict(state["torch"])


def check(optimizer: Hyperparameters) -> None:
    """Check an ``optimizer`` section before anything is written or trained.

    Raises:
        UserError: naming the option, its value and what is legal.
    """
    if optimizer["name"] == "torch":
        _check_foreign(optimizer)
        return
    if optimizer["name"] not in (*METHODS, "sfo"):
        legal = ", ".join((*METHODS, "sfo", "torch"))
        raise UserError(f"optimizer.name={optimizer['name']}: must be one of {legal}")
    settings = hyperparameters(optimizer)
    known = sfo.check if optimizer["name"] == "sfo" else METHODS[optimizer["name"]].check
    if optimizer["name"] == "sfo":
        settings.pop("draws", None)  # of the task's draws, not of the rule: `engine.sums` checks it
    try:
        known(settings)
    except UserError as error:
        raise UserError(f"optimizer={optimizer['name']}: {error}") from None


def check_with(task: Task, optimizer: Hyperparameters) -> None:
    """Check a foreign optimizer's options, which only its constructor knows.

    Raises:
        UserError: as :func:`adam_repro.optim.foreign.construct`.
    """
    key = json.dumps(task.config, default=str)
    if key not in _shapes:
        _shapes[key] = [tuple(p.shape) for p in task.model(torch.Generator()).parameters()]
    stand_ins = [torch.zeros(shape, requires_grad=True) for shape in _shapes[key]]
    construct(optimizer["target"], stand_ins, _arguments(optimizer))


_shapes: dict[str, list[tuple[int, ...]]] = {}  # of a task's parameters: a sweep asks many times


def _arguments(optimizer: Hyperparameters) -> dict[str, Any]:
    return {"lr": optimizer["lr"], **optimizer["kwargs"]}


def _check_foreign(optimizer: Hyperparameters) -> None:
    resolve(optimizer.get("target"))
    lr = optimizer.get("lr")
    if isinstance(lr, bool) or not isinstance(lr, (int, float)) or not math.isfinite(lr):
        raise UserError(f"optimizer.lr={lr}: must be a finite number")
    kwargs = optimizer.get("kwargs")
    if not isinstance(kwargs, Mapping) or not all(isinstance(key, str) for key in kwargs):
        raise UserError(
            f"optimizer.kwargs={kwargs}: must be options of {optimizer['target']} by name, "
            "as optimizer.kwargs.eps=1e-6"
        )
    if "lr" in kwargs:
        raise UserError(
            f"optimizer.kwargs.lr={kwargs['lr']}: would override optimizer.lr={lr}; "
            f"use optimizer.lr={kwargs['lr']}"
        )
    for option in optimizer:
        if option not in FOREIGN:
            raise UserError(
                f"optimizer.{option}: optimizer=torch has {', '.join(FOREIGN)}; what its target takes "
                f"is given as optimizer.kwargs.{option}"
            )


def hyperparameters(optimizer: Hyperparameters) -> dict[str, Any]:
    """The section without the name of the method."""
    return {key: value for key, value in optimizer.items() if key != "name"}
