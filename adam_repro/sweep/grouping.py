"""Trials to stacks: which trials can be trained as one batched computation."""

from __future__ import annotations

import json
from collections.abc import Sequence

from adam_repro.config.trial import Trial
from adam_repro.engine.batching_policy import NOT_STACKABLE


def group(trials: Sequence[Trial]) -> list[list[Trial]]:
    """Stacks of trials that differ in their optimizers only, the largest computation first.

    A stack shares task, seed, batch size, epochs and averaging: its data, its draws and its graph.
    Trials of one optimizer stand together, so that their update is one fused operation.
    SFO, which chooses its own minibatches, and optimizers by import path, which may draw or fail,
    have no stacked form: each of their trials is a stack of its own. A trial asked for twice is trained once.
    """
    stacks: dict[str, dict[str, Trial]] = {}
    for trial in trials:
        stacks.setdefault(_shared(trial), {})[trial.identity] = trial
    ordered = [sorted(stack.values(), key=_structure) for stack in stacks.values()]
    return sorted(ordered, key=lambda stack: -len(stack) * stack[0].epochs)


def _shared(trial: Trial) -> str:
    settings = trial.settings
    optimizer = settings.pop("optimizer")
    settings.pop("schedule")
    apart = trial.identity if optimizer["name"] in NOT_STACKABLE else ""
    return json.dumps([settings, apart], sort_keys=True)


def _structure(trial: Trial) -> tuple[str, str]:
    """Sorts trials of one optimizer with the same schedule and options side by side."""
    words = {key: value for key, value in trial.optimizer.items() if isinstance(value, str)}
    return trial.optimizer["name"], json.dumps([trial.schedule, words], sort_keys=True)
