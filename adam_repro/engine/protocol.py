"""What the engine and those around it agree on: a stack, the rows it gives, who looks on."""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor

from adam_repro.config.trial import Trial

#: One epoch of one trial: the columns of metrics.csv; ``None`` where nothing was measured.
Row = dict[str, float | int | None]

OnStep = Callable[[], Any]  # called after every minibatch


class TrainApartError(Exception):
    """These trials have nothing to gain from one stack: train each as a stack of its own."""


class TrialStack(ABC):
    """Trials that are trained together, epoch by epoch, whatever trains them."""

    trials: list[Trial]
    epoch: int  # epochs that are done
    evaluating = 0.0  # seconds of the last epoch that went into evaluations
    weights_at_once = 0  # parameters that are computed together

    @property
    def cuda_graph(self) -> bool:
        """Whether the steps are replayed from a CUDA graph."""
        return False

    @property
    @abstractmethod
    def epoch_steps(self) -> int:
        """Minibatches of an epoch."""

    @abstractmethod
    def train_epoch(self, on_step: OnStep) -> dict[str, Row]:
        """Train one epoch; a row for every trial still in the stack, by identity."""

    def drop(self, identities: set[str]) -> None:  # noqa: B027 - optional
        """Stop computing these trials, where that saves anything."""

    @abstractmethod
    def state(self, identity: str) -> dict[str, Any]:
        """Everything one trial needs to go on from here."""

    def check_resume(
        self, identity: str, state: Mapping[str, Any], report: Callable[[str], None]
    ) -> None:
        """Try whether a trial would go on from ``state`` as it goes on now; where that is a question."""
        report("")

    @abstractmethod
    def restore(self, identity: str, state: Mapping[str, Any]) -> None:
        """Take up one trial where :meth:`state` left it; all trials of a stack are at one epoch."""


def check_state(state: Any, expected: Any, name: str = "state") -> None:
    """Refuse a checkpoint that another model or optimizer could have left.

    ``expected``: what :meth:`TrialStack.state` gives now. Each of its tensors must have the same shape and
    type in ``state``, each number must be a number. Copied into place, a tensor of another shape would be
    broadcast without a word.

    Raises:
        ValueError: naming the part, what it is and what it must be.
        KeyError: a part is missing.
    """
    if isinstance(expected, Mapping):
        if not isinstance(state, Mapping):
            raise ValueError(f"{name} is a {type(state).__name__}, it must be a mapping")
        for key, part in expected.items():
            check_state(state[key], part, f"{name}[{key!r}]")
    elif isinstance(expected, Tensor):
        if _kind(state) != _kind(expected):
            raise ValueError(f"{name} is {_kind(state)}, it must be {_kind(expected)}")
    elif isinstance(expected, (int, float)) and not isinstance(state, (int, float)):
        raise ValueError(f"{name} is {_kind(state)}, it must be a number")


def _kind(value: Any) -> str:
    if not isinstance(value, Tensor):
        return f"a {type(value).__name__}"
    return f"{str(value.dtype).removeprefix('torch.')} {list(value.shape)}"


def diverged(row: Row) -> bool:
    """Whether the training cost of an epoch is not finite."""
    cost = row["train_cost"]
    return cost is None or not math.isfinite(cost)


class Stopwatch:
    """Seconds between laps."""

    def __init__(self) -> None:
        self.last = time.perf_counter()

    def lap(self) -> float:
        now = time.perf_counter()
        seconds, self.last = now - self.last, now
        return seconds
