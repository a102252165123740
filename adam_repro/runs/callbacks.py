"""What looks on while trials train: the interface, a list of callbacks, the progress bar of one trial."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterable
from typing import Any

from tqdm import tqdm

from adam_repro.config.trial import Trial
from adam_repro.engine.protocol import Row, TrialStack


class Callback:
    """Methods that are called while stacks train; a subclass overrides those that it needs.

    A callback never changes a result. If one raises an error, it is dropped with a warning, and
    training goes on.
    """

    def on_stack_start(self, stack: TrialStack, epochs: int) -> None:
        """Training of a stack starts, or goes on after ``stack.epoch`` of ``epochs`` epochs."""

    def on_step(self) -> None:
        """One minibatch of the stack is done. Called thousands of times an epoch: be fast."""

    def on_epoch_end(self, rows: dict[str, Row]) -> None:
        """One epoch is done and written: its row of metrics.csv for each trial, by identity."""

    def on_trial_end(self, trial: Trial, status: str) -> None:
        """A trial of the stack is complete (``finished`` or ``diverged``) or has ``failed``."""


class Callbacks(Callback):
    """Several callbacks as one."""

    def __init__(self, callbacks: Iterable[Callback]) -> None:
        self.callbacks = list(callbacks)

    def on_stack_start(self, stack: TrialStack, epochs: int) -> None:
        self._call("on_stack_start", stack, epochs)

    def on_step(self) -> None:
        self._call("on_step")

    def on_epoch_end(self, rows: dict[str, Row]) -> None:
        self._call("on_epoch_end", rows)

    def on_trial_end(self, trial: Trial, status: str) -> None:
        self._call("on_trial_end", trial, status)

    def _call(self, name: str, *arguments: Any) -> None:
        for callback in self.callbacks:
            method: Callable[..., None] = getattr(callback, name)
            try:
                method(*arguments)
            except Exception as error:  # whatever another person's callback raises
                self.callbacks = [one for one in self.callbacks if one is not callback]
                warnings.warn(
                    f"{type(callback).__name__}.{name} failed ({type(error).__name__}: {error}); it "
                    "is not called again, and training goes on",
                    RuntimeWarning,
                    stacklevel=2,
                )


class ProgressBar(Callback):
    """One progress bar over all minibatches, with the latest cost and the time left."""

    def __init__(self, shown: bool) -> None:
        self.shown = shown
        self.bar: tqdm | None = None

    def on_stack_start(self, stack: TrialStack, epochs: int) -> None:
        steps = stack.epoch_steps
        self.bar = tqdm(
            total=epochs * steps,
            initial=stack.epoch * steps,
            unit="step",
            disable=not self.shown,
            file=sys.stderr,
            mininterval=0.2 if sys.stderr.isatty() else 30.0,
        )

    def on_step(self) -> None:
        if self.bar is not None:
            self.bar.update()

    def on_epoch_end(self, rows: dict[str, Row]) -> None:
        row = next(iter(rows.values()))
        if self.bar is not None:
            self.bar.set_postfix_str(f"epoch {row['epoch']}, cost {row['train_cost']:.4g}", False)

    def close(self) -> None:
        if self.bar is not None:
            self.bar.close()
