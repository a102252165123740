"""Whether a stack is computed as one batch, and how many trials fit into memory."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from adam_repro.config.trial import Trial
from adam_repro.errors import UserError
from adam_repro.memory import available_bytes

# Optimizers whose trials cannot be stacked: each trial is a stack of its own.
NOT_STACKABLE = ("sfo", "torch")
# The share of the free memory that a stack's parameters and buffers may take.
SHARE = 0.7
# Multiply-adds of a forward pass of one trial. Below this, a CPU spends most of the time in calls.
TINY = 2**25


def batched(
    trials: Sequence[Trial], engine: str, device: torch.device, parameters: int, convolutions: bool
) -> bool:
    """Whether a stack is computed as one batch.

    ``auto``: on a CPU for tiny models only, whose time goes into calls (``scripts/benchmark.py``
    measures it); larger products fill the cores by themselves. On a GPU always, except for
    convolutions: their stacked form is a slow grouped convolution. The answer does not depend on the
    number of trials, so that the rest of an interrupted stack goes on with the same bits.

    Raises:
        UserError: ``engine=batched`` for an optimizer that has no stacked form.
    """
    foreign = [trial for trial in trials if trial.optimizer["name"] == "torch"]
    if foreign and engine == "batched":
        target = foreign[0].optimizer["target"]
        raise UserError(
            f"engine=batched: {target} has no stacked form; use engine=looped (or auto)"
        )
    if engine != "auto":
        return engine == "batched"
    if foreign:
        return False
    if device.type == "cuda":
        return not convolutions
    return parameters * trials[0].batch_size < TINY


def max_stack_size(parameters: int, epoch_examples: int, device: torch.device) -> int:
    """How many trials of a model fit into the free memory of ``device``.

    A trial keeps its parameters, up to two slots, an average, a gradient and one temporary, in
    float32, and the cost and error of every example of an epoch.
    """
    free = available_bytes(device)
    if free is None:
        return 2**31
    trial = 6 * 4 * parameters + 5 * epoch_examples
    return max(1, int(SHARE * free) // trial)
