"""Groups trials into stacks: which trials can be trained as one batched computation."""

from __future__ import annotations

import json
from collections.abc import Sequence

from adam_repro.config.trial import Trial
from adam_repro.engine.batching_policy import NOT_STACKABLE, several_seeds


def group(trials: Sequence[Trial], device: str = "cpu") -> list[list[Trial]]:
    """Stacks of trials that differ only in optimizer, schedule and clip_norm, the largest computation first.

    On a GPU they may differ in their seeds too (``device``: as in `Run`). The trials of a stack share task,
    batch size, epochs and averaging, hence data and graph. Trials of one seed and optimizer are adjacent,
    so that their update is one fused operation. Duplicates are dropped. Each trial of SFO is a stack, since
    it chooses its own minibatches. Trials of an optimizer by import path are a stack of their own, which the
    engine trains as one batch or one by one.
    """
    stacks: dict[str, dict[str, Trial]] = {}
    together = several_seeds(device)
    for trial in trials:
        stacks.setdefault(_stack_key(trial, together), {})[trial.identity] = trial
    ordered = [sorted(stack.values(), key=_sort_key) for stack in stacks.values()]
    return sorted(ordered, key=lambda stack: -len(stack) * stack[0].epochs)


def _stack_key(trial: Trial, together: bool) -> str:
    """``together``: whether trials of several seeds are one stack."""
    settings = trial.settings
    if together:
        settings.pop("seed")
    optimizer = settings.pop("optimizer")
    settings.pop("schedule")
    settings.pop("clip_norm", None)
    apart = ""
    if optimizer["name"] in NOT_STACKABLE:
        apart = trial.identity
    elif optimizer["name"] == "torch":
        apart = f"{optimizer['target']} {optimizer.get('create_graph', False)}"
    return json.dumps([settings, apart], sort_keys=True)


def _sort_key(trial: Trial) -> tuple[int, str, str]:
    """Makes trials of one seed and optimizer with the same schedule and options adjacent."""
    words = {key: value for key, value in trial.optimizer.items() if isinstance(value, str)}
    return trial.seed, trial.optimizer["name"], json.dumps([trial.schedule, words], sort_keys=True)
