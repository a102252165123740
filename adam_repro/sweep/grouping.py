"""Groups trials into stacks: which trials can be trained as one batched computation."""

from __future__ import annotations

import json
from collections.abc import Sequence

from adam_repro.config.trial import Trial
from adam_repro.engine.batching_policy import NOT_STACKABLE


def group(trials: Sequence[Trial]) -> list[list[Trial]]:
    """Stacks of trials that differ only in optimizer, schedule and clip_norm, the largest computation first.

    The trials of a stack share task, seed, batch size, epochs and averaging, hence data, random
    numbers and graph. Trials of one optimizer are adjacent, so that their update is one fused
    operation. Duplicates are dropped. Two kinds of optimizer are not stackable, and each of their
    trials is a stack: SFO chooses its own minibatches; one given by import path may use randomness
    or fail.
    """
    stacks: dict[str, dict[str, Trial]] = {}
    for trial in trials:
        stacks.setdefault(_stack_key(trial), {})[trial.identity] = trial
    ordered = [sorted(stack.values(), key=_sort_key) for stack in stacks.values()]
    return sorted(ordered, key=lambda stack: -len(stack) * stack[0].epochs)


def _stack_key(trial: Trial) -> str:
    settings = trial.settings
    optimizer = settings.pop("optimizer")
    settings.pop("schedule")
    settings.pop("clip_norm", None)
    unstackable = trial.identity if optimizer["name"] in NOT_STACKABLE else ""
    return json.dumps([settings, unstackable], sort_keys=True)


def _sort_key(trial: Trial) -> tuple[str, str]:
    """Makes trials of one optimizer with the same schedule and options adjacent."""
    words = {key: value for key, value in trial.optimizer.items() if isinstance(value, str)}
    return trial.optimizer["name"], json.dumps([trial.schedule, words], sort_keys=True)
