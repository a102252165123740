"""The steps and the state of any ``torch.optim.Optimizer`` on the parameters of one trial."""

from __future__ import annotations

import inspect
import math
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from adam_repro import random_streams
from adam_repro.engine.optimizer_step import OptimizerStep
from adam_repro.engine.torch_optimizer.global_draws import OwnDraws, States, read, seeded
from adam_repro.errors import TrialFailedError
from adam_repro.memory import out_of_memory
from adam_repro.optim.foreign import Maker, Parameters, arguments, construct, groups_of, listed

# Steps that may change no parameter: some methods leave out the first, or warm up from a stepsize of 0.
IDLE = 3


@dataclass
class Minibatch:
    """What a closure needs of the minibatch: its cost [], and how to have cost and gradients again."""

    loss: Callable[[], Tensor]
    again: Callable[[], tuple[Tensor, list[Tensor]]]


class TorchOptimizerStep(OptimizerStep):
    """Any ``torch.optim.Optimizer`` on the parameters of one trial.

    If the optimizer has ``train()`` and ``eval()``, as Schedule-Free optimizers do, they are called at
    the start and the end of every epoch. The global generators of Python, NumPy and PyTorch are seeded for
    every epoch. A step that asks for a closure is given one, which may be called any number of times.

    ``maker``: what is at the target, where that is known already.
    """

    def __init__(
        self,
        settings: Mapping[str, Any],
        parameters: Parameters,
        seed: int,
        maker: Maker | None = None,
    ) -> None:
        self.settings = settings
        self.given = parameters
        self.parameters = parameters.tensors
        self.homes = [parameter.data for parameter in self.parameters]
        self.device = self.homes[0].device
        self.seed = seed
        self.maker = maker
        self.optimizer = self._construct()
        self.lr_name = settings.get("lr_name") or "lr"
        self.lr = [group.get(self.lr_name) for group in groups_of(self.optimizer)]
        self.decay = 1.0
        self.norm: Tensor | float = 0.0  # of the last gradient that was given
        self.diverged = False
        self.start: list[Tensor] = []  # the first parameters, until it is known that they move
        self.steps = 0  # since this object was made
        self.closes = _requires_closure(self.optimizer)
        self.evaluations = 0  # of gradients so far, where a closure is given
        self.create_graph = bool(settings.get("create_graph", False))
        self.draws: States | None = None  # global ones, as the epoch's first step finds them
        self.epoch_number = 0  # of the epoch that it is in, from 0

    def _construct(self) -> torch.optim.Optimizer:
        with seeded(self._stream(0), self.device):  # a constructor may draw too
            given = arguments(self.settings)
            return construct(self.settings["target"], self.given, given, self.maker)

    def stepsize(self) -> float | None:
        """The stepsize that the optimizer was given; ``None`` where it was given none."""
        return self.settings["lr"] if self.lr_name in arguments(self.settings) else None

    def _stream(self, index: int) -> int:
        return random_streams.stream_seed(self.seed, "optimizer", index)

    @contextmanager
    def epoch(self, number: int) -> Iterator[None]:
        with seeded(self._stream(number + 1), self.device):
            self.set_mode("train")
            self.draws, self.epoch_number = read(self.device), number
            if number == 0:
                self.start = [parameter.detach().clone() for parameter in self.parameters]
            yield
            if self.start and self.steps > IDLE:
                self._check_moved(self.start)
                self.start = []
            self.set_mode("eval")

    def own_draws(self, epoch: int) -> OwnDraws:
        """The draws of an epoch for steps beside those of the trial itself."""
        return OwnDraws(self._stream(epoch + 1), self.device)

    def set_mode(self, mode: str) -> None:
        """Call ``train()`` or ``eval()``, where the optimizer has it."""
        method = getattr(self.optimizer, mode, None)
        if callable(method):
            try:
                method()
            except Exception as error:  # whatever a foreign method raises
                raise TrialFailedError(self._failure(error, f"{mode}()")) from error
            self.collect()

    def _check_moved(self, before: list[Tensor]) -> None:
        """Refuse an optimizer whose steps, with a gradient and a stepsize, changed no parameter."""
        lr = self.settings.get("lr")
        if lr == 0 or self.diverged or not float(self.norm) > 0:
            return
        if all(map(torch.equal, before, self.parameters)):
            raise TrialFailedError(
                f"optimizer.target={self.settings['target']}: its first {self.steps} steps changed no "
                f"parameter (given {listed(arguments(self.settings))}); either it does not work through "
                "step(), or its stepsize is too small for float32"
            )

    def step(
        self,
        gradients: list[Tensor],
        t: int | Tensor,
        decay: float | Tensor,
        minibatch: Minibatch | None = None,
    ) -> None:
        """Update in place. ``gradients``: one a parameter."""
        if self.diverged:
            return
        self.steps += 1
        self._set_gradients(gradients)
        self._set_stepsize(float(decay))
        finite = not self.closes or all(gradient.isfinite().all() for gradient in gradients)
        try:
            with torch.set_grad_enabled(self.create_graph):
                self._step(int(t), gradients, minibatch)
        except Exception as error:  # whatever a foreign step raises
            if out_of_memory(error):
                raise
            if finite and all(gradient.isfinite().all() for gradient in gradients):
                raise TrialFailedError(self._failure(error, f"its step {int(t)}")) from error
            # The gradient is not finite. Our rules go on with NaN; this optimizer raised: diverged.
            self.diverged = True
            self.collect()
            for home in self.homes:
                home.fill_(math.nan)
        self.collect()
        if self.create_graph:  # a gradient with a graph, and its parameter, keep each other alive
            for parameter in self.parameters:
                parameter.grad = None

    def _step(self, t: int, gradients: list[Tensor], minibatch: Minibatch | None) -> None:
        if self.closes and minibatch is not None:
            self._step_with_closure(gradients, minibatch)
        elif t > 1 or minibatch is None or not _takes_closure(self.optimizer):
            self.optimizer.step()
        else:
            self._first_step(gradients, minibatch)

    def _first_step(self, gradients: list[Tensor], minibatch: Minibatch) -> None:
        """The first step, with a closure if it fails without: some declare one as optional and need it."""
        start = [home.clone() for home in self.homes]
        kept = [gradient.clone() for gradient in gradients]
        try:
            self.optimizer.step()
            return
        except Exception as error:
            if out_of_memory(error):
                raise
            failure = error
        self.collect()
        for home, value in zip(self.homes, start, strict=True):
            home.copy_(value)
        self.optimizer = self._construct()
        self.set_mode("train")
        self._set_gradients(kept)
        try:
            self._step_with_closure(kept, minibatch)
        except Exception as error:
            if out_of_memory(error) or "closure" in str(failure).lower():
                raise
            raise failure from None
        self.closes = True

    def _step_with_closure(self, gradients: list[Tensor], minibatch: Minibatch) -> None:
        """A step that may evaluate the minibatch again.

        What the first call gives is known already, unless the parameters have been moved before it.
        """
        start = [home.clone() for home in self.homes]
        kept = gradients if self.create_graph else [gradient.clone() for gradient in gradients]
        called = False
        self.evaluations += 1

        def closure() -> Tensor:
            nonlocal called
            self.collect()
            if not called and all(map(torch.equal, start, self.homes)):
                loss, found = minibatch.loss(), kept
            else:
                loss, found = minibatch.again()
                self.evaluations += 1
            called = True
            self._set_gradients(found)
            return loss

        self.optimizer.step(closure)  # type: ignore[arg-type]

    def _set_gradients(self, gradients: list[Tensor]) -> None:
        for parameter, gradient in zip(self.parameters, gradients, strict=True):
            parameter.grad = gradient

    def _set_stepsize(self, decay: float) -> None:
        if decay == self.decay:  # the optimizer may adapt a constant lr itself
            return
        self.decay = decay
        for group, lr in zip(groups_of(self.optimizer), self.lr, strict=True):
            assert lr is not None, "`check_schedule` has refused it"
            group[self.lr_name] = lr * decay

    @torch.no_grad()
    def collect(self) -> None:
        """Put parameters back to where the engine reads them, where the optimizer laid them elsewhere.

        Some replace ``parameter.data`` by another tensor instead of writing into it.
        """
        for parameter, home in zip(self.parameters, self.homes, strict=True):
            if parameter.data_ptr() != home.data_ptr():
                home.copy_(parameter.data)
                parameter.data = home

    def _failure(self, error: Exception, what: str) -> str:
        frames = traceback.extract_tb(error.__traceback__)
        file = getattr(sys.modules.get(type(self.optimizer).__module__), "__file__", None)
        frame = [*frames[-1:], *(own for own in frames if own.filename == file)][-1]
        reason = str(error).splitlines() or [""]
        return (
            f"optimizer.target={self.settings['target']}: {what} failed with "
            f"{listed(arguments(self.settings)) or 'no options'}: "
            f"{type(error).__name__}: {reason[0]} ({frame.filename}, line {frame.lineno})"
        )

    def state(self, row: int) -> dict[str, Any]:
        """What ``state_dict()`` gives; where it fails, the reason, a text."""
        try:
            found: dict[str, Any] = {"torch": self.optimizer.state_dict()}
        except Exception as error:  # whatever a foreign method raises
            return {"torch": f"its state_dict() fails ({_said(error)})"}
        return found | ({"evaluations": self.evaluations} if self.closes else {})

    def restore(self, row: int, state: Mapping[str, Any]) -> None:
        """Take up a state.

        Raises:
            ValueError: the optimizer cannot load it.
        """
        try:
            self.optimizer.load_state_dict(state["torch"])
        except Exception as error:  # whatever a foreign method raises
            raise ValueError(f"its load_state_dict() fails ({_said(error)})") from error
        if "evaluations" in state:
            self.closes, self.evaluations = True, int(state["evaluations"])


def _said(error: Exception) -> str:
    return ": ".join([type(error).__name__, *str(error).splitlines()[:1]])


def _step_arguments(optimizer: torch.optim.Optimizer) -> list[inspect.Parameter]:
    try:
        return list(inspect.signature(optimizer.step).parameters.values())
    except (TypeError, ValueError):
        return []


def _requires_closure(optimizer: torch.optim.Optimizer) -> bool:
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return any(
        p.kind in kinds and p.default is inspect.Parameter.empty for p in _step_arguments(optimizer)
    )


def _takes_closure(optimizer: torch.optim.Optimizer) -> bool:
    return any(p.name == "closure" for p in _step_arguments(optimizer)[:1])
