"""A task by import path, tried on one minibatch before it trains: its mistakes in its own words.

Nothing else calls another person's model in plain PyTorch: the engine's own products and `torch.func.vmap`
would report the same mistake in words that nobody could place. What would make a trial differ from the same
trial resumed is refused here, too.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from adam_repro import memory
from adam_repro.engine.minibatches import DeviceDataset
from adam_repro.engine.reference import call
from adam_repro.errors import UserError
from adam_repro.random_streams import generator
from adam_repro.source_code import words
from adam_repro.tasks import Batch, Task, own_columns

SEED = 0


def is_own(task: Task) -> bool:
    """Whether the task is another person's, by its import path."""
    return task.config.get("model") == "torch"


def check(task: Task, data: DeviceDataset, batch_size: int) -> None:
    """One step of the task in plain PyTorch, and what a resumed trial relies on.

    Raises:
        UserError: what its code raised, with the line; a model that draws by itself or keeps something from
            one call to the next; costs of another shape than [n] or [n, ...]; a parameter without gradient.
    """
    with in_its_words(task):
        batch = data.batch(0, batch_size)
        model = _model(task, batch)
        _check_initial_weights(task, model, _model(task, batch))
        buffers = {name: buffer.clone() for name, buffer in model.named_buffers()}
        costs = _costs(task, model, batch)
        _check_shape(task, costs, batch)
        if not torch.equal(costs, _costs(task, model, batch)):
            raise own_columns.mistake(
                task,
                "two calls with the same minibatch give different costs: the model draws by itself, as "
                "nn.Dropout does; give the draws by noise(), as adam_repro/tasks/mlp.py",
            )
        for name, buffer in model.named_buffers():
            if not torch.equal(buffer, buffers[name]):
                raise own_columns.mistake(
                    task,
                    f"a call changes the buffer {name}, as nn.BatchNorm's running mean; a checkpoint "
                    "holds parameters only: use a layer that keeps nothing, as nn.LayerNorm",
                )
        _check_gradients(task, model, costs)
        own_columns.batch_metrics(task, batch)
        if task.group_columns:
            own_columns.groups(task, batch)


def takes_vmap(task: Task, data: DeviceDataset, batch_size: int, engine: str) -> bool:
    """Whether trials of the task can be one computation; a warning says why they cannot.

    Raises:
        UserError: ``engine=batched`` although they cannot.
    """
    batch = data.batch(0, min(batch_size, data.n))
    model = _model(task, batch)
    parameters = dict(model.named_parameters())
    pairs = {name: torch.stack([one.detach()] * 2) for name, one in parameters.items()}

    def cost(named: dict[str, Tensor]) -> Tensor:
        with torch.nn.utils.stateless._reparametrize_module(model, named):
            return _costs(task, model, batch).mean()

    try:
        torch.func.vmap(cost)(pairs)
    except Exception as error:
        if memory.out_of_memory(error):
            raise
        if engine == "batched":
            target, reason = task.config.get("target"), words(error)
            raise UserError(
                f"engine=batched: torch.func.vmap does not take the model of {target} ({reason}); "
                "use engine=looped (or auto)"
            ) from None
        warnings.warn(
            f"task.target={task.config.get('target')}: torch.func.vmap does not take its model, so its "
            f"trials are trained one after another ({words(error)}); batchable = False in the class says so",
            RuntimeWarning,
            stacklevel=2,
        )
        return False
    return True


def _model(task: Task, batch: Batch) -> nn.Module:
    return task.initial_model(SEED).to(batch.targets.device)


def _costs(task: Task, model: nn.Module, batch: Batch) -> Tensor:
    noise = task.noise(batch, generator(SEED, "noise", 0, batch.targets.device))
    state = task.initial_state(len(batch.targets), batch.targets.device)
    output, _ = call(model, batch, noise, state)
    costs = task.costs(output, batch)
    task.errors(output, batch)
    own_columns.test_metrics(task, output, batch)
    return costs


def _check_initial_weights(task: Task, first: nn.Module, second: nn.Module) -> None:
    pairs = zip(first.named_parameters(), second.parameters(), strict=True)
    for (name, one), other in pairs:
        if not torch.equal(one, other):
            raise own_columns.mistake(
                task,
                f"model(generator) gave two different {name} with the same seed; draw every initial "
                "weight with the generator, or by torch.nn.init",
            )


def _check_shape(task: Task, costs: Tensor, batch: Batch) -> None:
    n = len(batch.targets)
    if costs.ndim == 0 or len(costs) != n or not costs.is_floating_point():
        found = f"{str(costs.dtype).removeprefix('torch.')} {list(costs.shape)}"
        raise own_columns.mistake(
            task,
            f"costs() must give a number for each of the {n} examples, [{n}] or [{n}, ...]; it gave {found}",
        )


def _check_gradients(task: Task, model: nn.Module, costs: Tensor) -> None:
    names, parameters = zip(*model.named_parameters(), strict=True)
    found = torch.autograd.grad(costs.mean(), parameters, allow_unused=True)
    unused = [name for name, gradient in zip(names, found, strict=True) if gradient is None]
    if unused:
        raise own_columns.mistake(
            task,
            f"the cost does not depend on {', '.join(unused)}; leave these parameters out, or use them",
        )


@contextmanager
def in_its_words(task: Task) -> Iterator[None]:
    """Whatever the code of a task by import path raises becomes one message, with the line that raised it.

    Raises:
        UserError: as the block, or in place of any other error.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        if memory.out_of_memory(error) or not is_own(task):
            raise
        raise own_columns.mistake(task, words(error, type(task).__module__)) from error
