"""Whether a stack is computed as one batch, and how many trials fit into memory."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from adam_repro.config.trial import Trial
from adam_repro.engine import device as devices
from adam_repro.errors import UserError
from adam_repro.memory import available_bytes
from adam_repro.tasks import Task

# Optimizers whose trials are never stacked: each trial is a stack of its own.
NOT_STACKABLE = ("sfo",)
# The share of the free memory that a stack's parameters and buffers may take.
SHARE = 0.7
# Multiply-adds of a forward pass of one trial. Below this, a CPU spends most of the time in calls.
TINY = 2**25


def batched(
    trials: Sequence[Trial], engine: str, device: torch.device, task: Task, model: nn.Module
) -> bool:
    """Whether a stack is computed as one batch.

    ``auto``: on a CPU for tiny models only, whose time goes into calls (``scripts/benchmark.py``
    measures it); larger products fill the cores by themselves. On a GPU always, except for
    convolutions, whose stacked form is a slow grouped convolution, and PyTorch's recurrent layers,
    which have none. The answer does not depend on the
    number of trials, so that the rest of an interrupted stack goes on with the same bits.

    Raises:
        UserError: ``engine=batched`` for an optimizer or a model that has no stacked form.
    """
    recurrent = any(isinstance(part, nn.RNNBase) for part in model.modules())
    foreign = [trial for trial in trials if trial.optimizer["name"] == "torch"]
    twice = any(trial.optimizer.get("create_graph") for trial in foreign)
    recurrent |= bool(foreign and task.initial_state(1, device))
    if foreign and engine == "batched" and (recurrent or twice):
        why = "with optimizer.create_graph=true" if twice else "on a recurrent model"
        raise UserError(
            f"engine=batched: {foreign[0].optimizer['target']} has no stacked form {why}; "
            "use engine=looped (or auto)"
        )
    if engine == "batched" and not task.batchable:
        raise UserError(
            f"engine=batched: the model of task={task.config['name']} has no stacked form; "
            "use engine=looped (or auto)"
        )
    if engine != "auto":
        return engine == "batched"
    if twice or recurrent or not task.batchable:
        return False
    if device.type == "cuda":
        return not any(isinstance(part, nn.Conv2d) for part in model.modules())
    parameters = sum(parameter.numel() for parameter in model.parameters())
    return parameters * trials[0].batch_size < TINY


def several_seeds(name: str) -> bool:
    """Whether trials of several seeds are one stack on the device of this name.

    On a GPU, where the groups of a stack run side by side and a single recording replays them all: trials
    that differ in their seed alone do not fill it one after another. On a CPU the seeds are computed one
    after another in either case: 20 trials of logreg, five of each seed, took 1.03 times the CPU time
    together. Each seed would also need its own copy of the training set in its order.

    Raises:
        UserError: for a device that is not there.
    """
    return devices.resolve(name).type == "cuda"


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
