"""How a stack is executed, and how long it may be: by measurement and by memory."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from adam_repro.config.trial import Trial
from adam_repro.errors import UserError
from adam_repro.memory import available_bytes

# Optimizers whose trials have no stacked form, each a stack of its own.
NOT_STACKABLE = ("sfo", "torch")
# The part of the free memory that a stack's parameters and buffers may take.
SHARE = 0.7
# Multiply-adds of a trial's forward pass up to which a CPU is idle between them without a stack.
TINY = 2**25


def batched(
    trials: Sequence[Trial], engine: str, device: torch.device, parameters: int, convolutions: bool
) -> bool:
    """Whether a stack is computed as one batch.

    ``auto``: on a CPU for tiny models only, whose time goes into calls (``scripts/benchmark.py``
    measures it); larger products fill the cores by themselves. On a GPU always, but for
    convolutions, whose stacked form is a grouped convolution. The length of the stack does not
    matter, so that what is left of an interrupted one goes on to the same bits.

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
    """How many trials of a model fit into the memory that is free on ``device``.

    A trial keeps its parameters, up to two slots, an average, a gradient and one temporary, in
    float32, and the cost and error of every example of an epoch.
    """
    free = available_bytes(device)
    if free is None:
        return 2**31
    trial = 6 * 4 * parameters + 5 * epoch_examples
    return max(1, int(SHARE * free) // trial)
