"""Optimizers by import path, any ``torch.optim.Optimizer`` class: their checks, steps and state."""

from __future__ import annotations

import hashlib
import io
import json
import math
import sys
import traceback
from collections import deque
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from adam_repro import random_streams
from adam_repro.engine.optimizer_step import OptimizerStep
from adam_repro.engine.parameter_layout import ParameterLayout
from adam_repro.errors import TrialFailedError, UserError
from adam_repro.memory import out_of_memory
from adam_repro.optim.foreign import construct, resolve
from adam_repro.tasks import Task

OPTIONS = ("name", "target", "lr", "kwargs")  # of the section `optimizer`


class TorchOptimizerStep(OptimizerStep):
    """Any ``torch.optim.Optimizer`` class on the parameters of one trial.

    If the optimizer has ``train()`` and ``eval()``, as Schedule-Free optimizers do, they are called at
    the start and the end of every epoch. PyTorch's global generator is seeded for every epoch.
    """

    def __init__(
        self,
        settings: Mapping[str, Any],
        parameters: list[Tensor],
        layout: ParameterLayout,
        seed: int,
    ) -> None:
        self.parameters = parameters
        self.layout = layout
        self.seed = seed
        self._seed_generator(0)  # a constructor may draw too
        self.optimizer = construct(settings["target"], parameters, _arguments(settings))
        self.lr = [group["lr"] for group in self.optimizer.param_groups]
        self.attributes_at_start = self._attribute_hashes()
        self.decay = 1.0
        self.settings = settings
        self.diverged = False

    def start_epoch(self, epoch: int) -> None:
        """Seed the generator for ``epoch``, from 0, and call ``train()``."""
        self._seed_generator(epoch + 1)
        self._call_mode("train")

    def end_epoch(self) -> None:
        """Call ``eval()``: its parameters are evaluated and saved."""
        self._call_mode("eval")

    def _seed_generator(self, index: int) -> None:
        torch.manual_seed(random_streams.stream_seed(self.seed, "optimizer", index))

    def _call_mode(self, mode: str) -> None:
        method = getattr(self.optimizer, mode, None)
        if callable(method):
            try:
                method()
            except Exception as error:  # whatever a foreign method raises
                raise TrialFailedError(self._failure(error, f"{mode}()")) from error

    def step(self, gradients: list[Tensor], t: int | Tensor, decay: float | Tensor) -> None:
        if self.diverged:
            return
        for segment, gradient in zip(self.layout.segments, gradients, strict=True):
            members = range(segment.first, segment.last)
            pieces = gradient.view(-1).split([self.layout.sizes[i] for i in members])
            for i, piece in zip(members, pieces, strict=True):
                self.parameters[i].grad = piece.view(self.layout.shapes[i])
        if decay != self.decay:  # the optimizer may adapt a constant lr itself
            self.decay = float(decay)
            for group, lr in zip(self.optimizer.param_groups, self.lr, strict=True):
                group["lr"] = lr * self.decay
        try:
            self.optimizer.step()
        except Exception as error:  # whatever a foreign step raises
            if out_of_memory(error):
                raise
            if all(gradient.isfinite().all() for gradient in gradients):
                raise TrialFailedError(self._failure(error, f"its step {int(t)}")) from error
            # The gradient is not finite. Our rules go on with NaN; this optimizer raised: diverged.
            self.diverged = True
            for parameter in self.parameters:
                parameter.fill_(math.nan)

    def _attribute_hashes(self) -> dict[str, str]:
        """A hash of each attribute of the optimizer that its ``state_dict`` does not contain, by name."""
        usual = vars(torch.optim.SGD([torch.zeros(1)]))
        places = {parameter.data_ptr() for parameter in self.parameters}
        own = vars(self.optimizer).items()
        return {name: _digest(value, places, set()) for name, value in own if name not in usual}

    def _failure(self, error: Exception, what: str) -> str:
        frames = traceback.extract_tb(error.__traceback__)
        file = getattr(sys.modules[type(self.optimizer).__module__], "__file__", None)
        frame = [*frames[:1], *(own for own in frames if own.filename == file)][-1]
        given = ", ".join(f"{name}={value!r}" for name, value in _arguments(self.settings).items())
        reason = str(error).splitlines() or [""]
        return (
            f"optimizer.target={self.settings['target']}: {what} failed with {given}: "
            f"{type(error).__name__}: {reason[0]} ({frame.filename}, line {frame.lineno})"
        )

    def state(self, row: int) -> dict[str, Any]:
        now = self._attribute_hashes()
        at_start = self.attributes_at_start
        changed = [name for name, digest in now.items() if digest != at_start.get(name, "")]
        return {"torch": self.optimizer.state_dict(), "outside": ", ".join(changed)}

    def restore(self, row: int, state: Mapping[str, Any]) -> None:
        self.optimizer.load_state_dict(state["torch"])


def check_with(task: Task, optimizer: Mapping[str, Any]) -> None:
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


def _arguments(optimizer: Mapping[str, Any]) -> dict[str, Any]:
    return {"lr": optimizer["lr"], **optimizer["kwargs"]}


def check(optimizer: Mapping[str, Any]) -> None:
    """Check the section of an optimizer by import path, but for what its constructor takes.

    Raises:
        UserError: naming the option, its value and what is legal.
    """
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
        if option not in OPTIONS:
            raise UserError(
                f"optimizer.{option}: optimizer=torch has {', '.join(OPTIONS)}; what its target takes "
                f"is given as optimizer.kwargs.{option}"
            )


def _digest(value: Any, parameters: set[int], seen: set[int]) -> str:
    """A short text that changes when the value changes; empty for code.

    ``parameters``: addresses of the trial's parameters, which change in every step and are left out.
    ``seen``: ids of the objects that are being read; they may refer to each other.
    """
    if value is None or isinstance(value, (bool, int, float, str, bytes)):
        return repr(value)
    if isinstance(value, Tensor):
        if value.data_ptr() in parameters:
            return ""
        content = io.BytesIO()
        torch.save(value.detach(), content)
        return _hash(content.getbuffer())
    if isinstance(value, np.ndarray):
        return _hash(value.tobytes())
    if isinstance(value, torch.Generator):
        return _hash(value.get_state().numpy().tobytes())
    stateful = isinstance(value, (torch.optim.Optimizer, torch.nn.Module))
    if id(value) in seen or (callable(value) and not stateful):
        return ""
    seen.add(id(value))
    if stateful:
        value = value.state_dict()
    if isinstance(value, Mapping):
        value = [part for pair in value.items() for part in pair]
    if not isinstance(value, (list, tuple, deque, set, frozenset)):
        value = list(getattr(value, "__dict__", {}).values())
    return _hash(",".join(_digest(part, parameters, seen) for part in value).encode())


def _hash(content: bytes | memoryview) -> str:
    return hashlib.sha256(content).hexdigest()
