"""Minibatches: a data set on the device, and the sampler that fixes their order by the seed.

A *cycle* is one walk over the training set in whole minibatches; the last incomplete one is left
out, so every minibatch has the same shape. An *epoch* is what one row of metrics.csv covers:
``epoch_examples`` examples, by default one cycle. The paper's figure 1 has epochs shorter than its
cycles, so epochs and cycles are counted apart. The training cost of a row is that of the epoch's first
``cost_examples`` examples, by default of all.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from adam_repro import random_streams
from adam_repro.config.trial import Trial
from adam_repro.data.dataset import Dataset, SparseRows, Split
from adam_repro.errors import UserError
from adam_repro.tasks import Batch, Task

# Minibatches that are made of one pool of examples sorted by length (Bahdanau et al. 2014).
POOL = 20
# Inputs that are read in order are converted once and kept as floats up to this size.
PREPARED_BYTES = 512 * 2**20


class DeviceDataset:
    """A split on the device, dense or sparse, that can be permuted and cut into minibatches.

    Kept as it is stored: minibatches gathered from bytes touch a quarter of the memory.
    """

    def __init__(self, split: Split, task: Task, device: torch.device) -> None:
        self.task = task
        self.n = len(split.targets)
        self.targets = torch.from_numpy(np.array(split.targets)).long().to(device)
        inputs = split.inputs
        self.sparse = isinstance(inputs, SparseRows)
        self.prepared = False
        self.lengths: Tensor | None = None
        if isinstance(inputs, SparseRows):
            self.indptr = np.asarray(inputs.indptr)
            self.indices = torch.from_numpy(np.array(inputs.indices)).to(device)
            self.values = torch.from_numpy(np.array(inputs.values)).to(device)
            return
        self.inputs = torch.from_numpy(np.array(inputs)).to(device)
        if task.config.get("order") == "by_length":
            self.lengths = task.lengths(self.inputs).cpu()

    def in_order(self) -> DeviceDataset:
        """The same rows, which will be read in order: converted now, unless they are too large."""
        if not self.sparse and not self.prepared and self.inputs.numel() * 4 <= PREPARED_BYTES:
            prepared = self.task.preprocess(self.inputs)
            if isinstance(prepared, Tensor):
                self.inputs, self.prepared = prepared, True
        return self

    def permuted(self, order: Tensor) -> DeviceDataset:
        """These rows in the given order, to be read in that."""
        other = object.__new__(DeviceDataset)
        other.task, other.n = self.task, len(order)
        other.sparse, other.prepared, other.lengths = self.sparse, self.prepared, None
        other.targets = self.targets[order.to(self.targets.device)]
        if not self.sparse:
            other.inputs = self.inputs[order.to(self.inputs.device)]
            return other.in_order()
        rows = order.numpy()
        lengths = np.diff(self.indptr)[rows]
        other.indptr = np.concatenate([[0], np.cumsum(lengths)])
        # Position of every kept entry: the row's start, plus its place within the row.
        places = np.arange(other.indptr[-1]) - np.repeat(other.indptr[:-1], lengths)
        entries = torch.from_numpy(np.repeat(self.indptr[rows], lengths) + places)
        entries = entries.to(self.indices.device)
        other.indices, other.values = self.indices[entries], self.values[entries]
        return other

    def batch(self, start: int, stop: int) -> Batch:
        """Rows start to stop, ready for the model."""
        targets = self.targets[start:stop]
        if self.sparse:
            first, last = int(self.indptr[start]), int(self.indptr[stop])
            offsets = torch.from_numpy(self.indptr[start:stop] - first).to(targets.device)
            values = self.task.preprocess(self.values[first:last])
            assert isinstance(values, Tensor)
            return Batch((self.indices[first:last], offsets, values), targets)
        return self._dense(self.inputs[start:stop], targets)

    def take(self, index: Tensor) -> Batch:
        """The dense rows ``index`` [n], on the rows' device."""
        targets = self.targets.index_select(0, index)  # a quarter of the time of [index]
        return self._dense(self.inputs.index_select(0, index), targets)

    def _dense(self, inputs: Tensor, targets: Tensor) -> Batch:
        return Batch(inputs if self.prepared else self.task.preprocess(inputs), targets)

    def batches(self, size: int) -> Iterator[Batch]:
        """All rows in order, the last batch possibly smaller."""
        for start in range(0, self.n, size):
            yield self.batch(start, min(start + size, self.n))


@dataclass
class DeviceData:
    """A data set, and its splits on the device."""

    dataset: Dataset
    train: DeviceDataset
    test: DeviceDataset
    validation: DeviceDataset | None

    @classmethod
    def of(cls, dataset: Dataset, task: Task, device: torch.device) -> DeviceData:
        """The splits that training and evaluation read."""
        validation = None
        if dataset.validation is not None and "validation_cost" in task.columns:
            validation = DeviceDataset(dataset.validation, task, device).in_order()
        train = DeviceDataset(dataset.train, task, device)
        return cls(dataset, train, DeviceDataset(dataset.test, task, device).in_order(), validation)


def check(trial: Trial) -> None:
    """Refuse an epoch, or a part of it whose cost is wanted, that holds no minibatch.

    Raises:
        UserError: naming the option, its value and the least that is legal.
    """
    for option in ("epoch_examples", "cost_examples"):
        examples = trial.task.get(option)
        if examples is not None and examples < trial.batch_size:
            raise UserError(
                f"batch_size={trial.batch_size}: more than task.{option}={examples}; choose a batch_size "
                f"of at most {examples}, or a larger task.{option}, or null for all"
            )


def check_size(trial: Trial, examples: int) -> None:
    """Refuse a minibatch that is larger than the training set.

    Raises:
        UserError: naming the option, its value and the most that is legal.
    """
    if trial.batch_size > examples:
        raise UserError(
            f"batch_size={trial.batch_size}: the training set has {examples} examples; "
            f"choose at most {examples}"
        )


class BatchSampler:
    """The training minibatches of a trial, addressed by step number from 0."""

    def __init__(self, rows: DeviceDataset, trial: Trial) -> None:
        self.rows = rows
        self.size = trial.batch_size
        self.seed = trial.seed
        self.order = trial.task["order"]
        check(trial)
        check_size(trial, rows.n)
        self.cycle_steps = rows.n // self.size
        examples = trial.task.get("epoch_examples")
        self.epoch_steps = self.cycle_steps if examples is None else examples // self.size
        counted = trial.task.get("cost_examples")
        self.cost_steps = self.epoch_steps
        if counted is not None:
            self.cost_steps = min(self.epoch_steps, counted // self.size)
        self._shuffles_every_pass = self.order in ("every_pass", "by_length")
        self._drawn = -1  # the cycle whose order is kept
        self._order = torch.empty(0)
        self._laid = -1  # the cycle whose rows are laid out
        self._rows = rows

    @property
    def epoch_examples(self) -> int:
        """Examples of an epoch."""
        return self.epoch_steps * self.size

    def batch(self, step: int) -> Batch:
        """Minibatch number ``step`` of the whole training."""
        cycle, position = divmod(step, self.cycle_steps)
        start, stop = position * self.size, (position + 1) * self.size
        if self.order == "file":
            return self.rows.batch(start, stop)
        # If the rows are copied into their order, every minibatch is a view. That pays where the order
        # stays the same, and for sparse rows. Otherwise each minibatch is gathered by itself.
        if self.order == "once" or self.rows.sparse:
            return self._laid_out(cycle).batch(start, stop)
        return self.rows.take(self._permutation(cycle)[start:stop])

    def order_of(self, first: int, steps: int) -> Tensor:
        """The rows of the minibatches from number ``first``, [steps, size], on the rows' device.

        The same minibatches that :meth:`batch` gives one by one, across the ends of cycles.
        """
        parts, step = [], first
        while step < first + steps:
            cycle, position = divmod(step, self.cycle_steps)
            count = min(first + steps - step, self.cycle_steps - position)
            start = position * self.size
            parts.append(self._permutation(cycle)[start : start + count * self.size])
            step += count
        return torch.cat(parts).view(steps, self.size)

    def _permutation(self, cycle: int) -> Tensor:
        """The order of a cycle, on the rows' device; kept until another is asked for."""
        cycle = cycle if self._shuffles_every_pass else 0
        if self._drawn != cycle:
            self._order = self._draw(cycle).to(self.rows.targets.device)
            self._drawn = cycle
        return self._order

    def _draw(self, cycle: int) -> Tensor:
        if self.order == "file":
            return torch.arange(self.rows.n)
        draws = random_streams.generator(self.seed, "order", cycle)
        order = torch.randperm(self.rows.n, generator=draws)
        if self.rows.lengths is None:
            return order
        return by_length(order[: self.cycle_steps * self.size], self.rows.lengths, self.size, draws)

    def _laid_out(self, cycle: int) -> DeviceDataset:
        """All rows in the order of a cycle; kept until another is asked for."""
        cycle = cycle if self._shuffles_every_pass else 0
        if self._laid != cycle:
            self._rows = self.rows.permuted(self._draw(cycle))
            self._laid = cycle
        return self._rows


def by_length(order: Tensor, lengths: Tensor, size: int, draws: torch.Generator) -> Tensor:
    """``order`` with examples of similar length in each minibatch of ``size``, as few are padded then.

    Each pool of ``POOL`` minibatches is sorted by length and cut; its minibatches are shuffled.
    """
    pools = []
    for pool in order.split(POOL * size):
        batches = pool[lengths[pool].sort(stable=True).indices].view(-1, size)
        pools.append(batches[torch.randperm(len(batches), generator=draws)].flatten())
    return torch.cat(pools)
