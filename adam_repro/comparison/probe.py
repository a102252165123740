"""Small trainings beside the trials: a step of everybody before anything else, and what a step costs."""

from __future__ import annotations

import math
import tempfile
import time
import warnings
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import torch

from adam_repro.comparison.model import Entrant, Setting
from adam_repro.comparison.spec import TaskSpec
from adam_repro.comparison.trials import Composer
from adam_repro.comparison.tuning import stepsize
from adam_repro.config.trial import Run, Trial
from adam_repro.engine import device as devices
from adam_repro.engine.stack import Stack
from adam_repro.errors import UserError
from adam_repro.figures.plan import GENERATED
from adam_repro.runs.check import check
from adam_repro.runs.execute import execute, load, release

STEPS, WARM_UP = 40, 5
SECONDS = 0.5  # for the steps of one optimizer, unless they are fewer than `FEWEST`
FEWEST = 3
ROUNDS = 2  # one after another through all optimizers, so that what slows the machine meets all

Reasons = Mapping[tuple[str, str], str]  # by task and optimizer


def first_steps(entrants: Iterable[Entrant], tasks: Iterable[TaskSpec], run: Run) -> Reasons:
    """Why an optimizer cannot train a task, for those that fail in a short epoch on tiny data."""
    entrants = list(entrants)
    found = {}
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        here = replace(run, results_dir=Path(folder), engine="looped", progress=False)
        for task in tasks:
            for entrant in entrants:
                reason = _first_step(entrant, task, here)
                if reason is not None:
                    found[task.name, entrant.label] = reason
    return found


def _first_step(entrant: Entrant, task: TaskSpec, run: Run) -> str | None:
    try:
        execute([short_trial(entrant, task)], run)
    except UserError as error:
        return str(error)
    except Exception as error:  # whatever a foreign optimizer raises in a place that nobody foresaw
        return f"{type(error).__name__}: {error}"
    return None


def short_trial(
    entrant: Entrant, task: TaskSpec, lr: float | None = None, epochs: int = 1
) -> Trial:
    """A trial of a few steps, on generated data where the task has such, at the first stepsize."""
    scale = "smoke" if task.group in GENERATED else "short"
    composer = Composer.of(entrant, task, scale)
    if lr is None and entrant.lr_option:
        lr = default_lr(entrant)
    others = tuple((key, values[0]) for key, values in entrant.search.items())
    trial = composer.trial(Setting(lr, task.schedules[0], others), 0)
    if scale != "smoke":  # its own data: a minibatch an epoch
        return replace(
            trial, epochs=epochs, task={**trial.task, "epoch_examples": trial.batch_size}
        )
    return replace(trial, epochs=epochs)


def default_lr(entrant: Entrant) -> float:
    """The stepsize with which an optimizer is tried."""
    if entrant.lr:
        return entrant.lr[0]
    if entrant.lr_range:
        return stepsize((math.log10(entrant.lr_range[0]) + math.log10(entrant.lr_range[1])) / 2)
    return entrant.lr_default


def step_costs(trials: Mapping[str, Trial], run: Run) -> tuple[dict[str, float], dict[str, int]]:
    """Seconds of a training step alone, and bytes of the optimizer's state, by label; of one task.

    An optimizer that cannot be measured is left out.
    """
    seconds: dict[str, list[float]] = {}
    memory: dict[str, int] = {}
    for _ in range(ROUNDS):
        for label, trial in trials.items():
            if trial.optimizer["name"] == "sfo":  # its step is of another kind
                continue
            with suppress(Exception):  # an optimizer that failed in its trials fails here too
                taken, memory[label] = _measure(trial, run)
                seconds.setdefault(label, []).append(taken)
    return {label: min(several) for label, several in seconds.items()}, memory


def device(run: Run) -> torch.device:
    """The device that trains."""
    return devices.resolve(run.device)


class _EnoughError(Exception):
    """Ends an epoch early."""


def _measure(trial: Trial, run: Run) -> tuple[float, int]:
    task, device = check(trial), devices.resolve(run.device)
    assert task is not None
    with devices.precision(run.tf32):
        stack = Stack([trial], task, load(task, device), "looped")
        with devices.threads(stack.weights_at_once * trial.batch_size, None):
            short = stack.epoch_steps <= WARM_UP + FEWEST
            laps = _epochs(stack) if short else _steps(stack, device)
        size = _bytes(stack.state(trial.identity)["optimizer"])
    release(device)
    return median(laps), size


def _steps(stack: Stack, device: torch.device) -> list[float]:
    """Seconds of the steps of one epoch, as many as there is time for."""
    ends: list[float] = []

    def on_step() -> None:
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        ends.append(time.perf_counter())
        enough = ends[-1] - ends[0] > SECONDS and len(ends) > FEWEST
        if len(ends) > WARM_UP + STEPS or enough:
            raise _EnoughError

    with suppress(_EnoughError):
        stack.train_epoch(on_step)
    laps = [after - before for before, after in pairwise(ends)]
    return laps[WARM_UP:] or laps


def _epochs(stack: Stack) -> list[float]:
    """The same where an epoch is a few steps: seconds of an epoch without its evaluation, by step."""
    laps: list[float] = []
    began = time.perf_counter()
    while len(laps) < WARM_UP + STEPS and time.perf_counter() - began < SECONDS:
        before = time.perf_counter()
        stack.train_epoch(lambda: None)
        laps.append((time.perf_counter() - before - stack.evaluating) / stack.epoch_steps)
    return laps[WARM_UP:] or laps


def _bytes(state: Any) -> int:
    if isinstance(state, torch.Tensor):
        return state.numel() * state.element_size()
    parts: Sequence[Any] = ()
    if isinstance(state, Mapping):
        parts = list(state.values())
    elif isinstance(state, (list, tuple)):
        parts = state
    return sum(_bytes(part) for part in parts)
