"""One trial of Adam in plain PyTorch, to be read beside Algorithm 1 of the paper.

No stack, no GPU, no checkpoint, no tricks: what the engine does fast is done here as one would write it
down. A test proves that both give the same curve, for every task.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from adam_repro.config.trial import Trial
from adam_repro.engine.minibatches import DeviceDataset, by_length
from adam_repro.engine.protocol import Row
from adam_repro.optim.schedules import factor
from adam_repro.random_streams import generator
from adam_repro.tasks import Batch, Task

Noise = tuple[Tensor | None, ...]
State = tuple[Tensor, ...]


def train(trial: Trial, task: Task, data: DeviceDataset, test: DeviceDataset) -> Iterator[Row]:
    """Train a trial of ``optimizer=adam``; after each epoch its training cost and its test cost."""
    alpha, eps = trial.optimizer["lr"], trial.optimizer["eps"]
    beta1, beta2 = trial.optimizer["beta1"], trial.optimizer["beta2"]
    n, seed = trial.batch_size, trial.seed
    steps_in_pass = data.n // n  # the last, incomplete minibatch of a pass is left out
    steps_in_epoch = (trial.task.get("epoch_examples") or steps_in_pass * n) // n
    counted = (trial.task.get("cost_examples") or steps_in_epoch * n) // n

    model = task.model(generator(seed, "init"))
    theta = list(model.parameters())
    m = [torch.zeros_like(p) for p in theta]
    v = [torch.zeros_like(p) for p in theta]
    t = 0
    for epoch in range(trial.epochs):
        draws = generator(seed, "noise", epoch)  # of dropout masks, or of latents
        costs, state = [], task.initial_state(n, data.targets.device)
        for _ in range(steps_in_epoch):
            number, step = divmod(t, steps_in_pass)
            if step == 0:
                rows = shuffled(data, trial, number)
            batch = rows.batch(step * n, (step + 1) * n)
            noise = task.noise(batch, draws)
            output, state = call(model, batch, noise, state)
            cost = task.costs(output, batch)
            penalty = sum(task.l2 / 2 * p.square().sum() for p in theta if p.ndim > 1)
            gradients = torch.autograd.grad(cost.mean() + penalty, theta)
            t += 1
            alpha_t = alpha * factor(trial.schedule, t, number)
            with torch.no_grad():
                for i, g in enumerate(gradients):
                    m[i] = beta1 * m[i] + (1 - beta1) * g
                    v[i] = beta2 * v[i] + (1 - beta2) * g**2
                    m_hat = m[i] / (1 - beta1**t)
                    v_hat = v[i] / (1 - beta2**t)
                    theta[i].sub_(alpha_t * m_hat / (v_hat.sqrt() + eps))
            costs.append(cost.detach())
        with torch.no_grad():
            draws, test_costs = generator(seed, "evaluation"), []
            state = task.initial_state(task.evaluation_batch, data.targets.device)
            for batch in test.batches(task.evaluation_batch):
                noise = task.evaluation_noise(batch, draws)
                output, state = call(model, batch, noise, state)
                test_costs.append(task.costs(output, batch))
        yield {
            "epoch": epoch,
            "train_cost": float(torch.cat(costs[:counted]).double().mean()),
            "test_cost": float(torch.cat(test_costs).double().mean()),
        }


def shuffled(data: DeviceDataset, trial: Trial, number: int) -> DeviceDataset:
    """The training set in the order of pass ``number``, drawn from the trial's seed."""
    name, n = trial.task["order"], trial.batch_size
    if name == "file":
        return data
    draws = generator(trial.seed, "order", 0 if name == "once" else number)
    order = torch.randperm(data.n, generator=draws)
    if data.lengths is not None:  # order=by_length
        order = by_length(order[: data.n // n * n], data.lengths, n, draws)
    return data.permuted(order)


def call(model: nn.Module, batch: Batch, noise: Noise, state: State) -> tuple[Any, State]:
    """The model's output on a minibatch, and the state it carries to the next one, if it has any."""
    inputs = batch.inputs if isinstance(batch.inputs, tuple) else (batch.inputs,)
    output = model(*inputs, *noise, *state)
    if not state:
        return output, ()
    output, state = output
    return output, tuple(one.detach() for one in state)
