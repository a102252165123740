"""The steps of one epoch, counted by the host or by the device.

``HostLoop`` counts on the host and hands every step its minibatch. ``DeviceLoop`` puts the order of an
epoch into tensors beforehand. Its step then reads and writes only tensors at fixed addresses, so that a
GPU can replay it without the host (:mod:`adam_repro.engine.cuda_graph`). Both make the same draws and
give the same curve, ``DeviceLoop`` to rounding.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from itertools import cycle, repeat
from typing import Any, Protocol

import torch
from torch import Tensor

from adam_repro import random_streams
from adam_repro.engine import device as devices
from adam_repro.engine.minibatches import BatchSampler
from adam_repro.engine.protocol import OnStep
from adam_repro.engine.trial_groups import Measured, TrialGroup
from adam_repro.optim.averaging import IterateAverage
from adam_repro.tasks import Batch, Task

# Streams of a GPU that the groups of a step share.
STREAMS = 8


@dataclass
class LoopParts:
    """What the steps of a stack work on; all its trials share ``seed``."""

    task: Task
    sampler: BatchSampler
    groups: list[TrialGroup]
    averages: list[IterateAverage]
    seed: int

    def __post_init__(self) -> None:
        self.device = self.sampler.rows.targets.device
        self.weight = torch.full((self.sampler.size,), 1.0 / self.sampler.size, device=self.device)

    def metrics(self) -> list[EpochMetrics]:
        """Empty metrics for every group."""
        return [EpochMetrics(group, self.sampler) for group in self.groups]

    def start_epoch(self) -> None:
        for group in self.groups:
            group.start_epoch(self.sampler.size)


class EpochLoop(Protocol):
    """Trains one epoch after another."""

    @property
    def captured(self) -> bool:
        """Whether the steps are replayed from a CUDA graph."""

    def epoch(self, number: int, on_step: OnStep) -> list[EpochMetrics]:
        """Train epoch ``number`` (from 0), ``on_step`` after every step; the metrics of every group."""


class HostLoop:
    """Every step called from the host."""

    captured = False

    def __init__(self, parts: LoopParts) -> None:
        self.parts = parts

    def epoch(self, number: int, on_step: OnStep) -> list[EpochMetrics]:
        parts, sampler = self.parts, self.parts.sampler
        draws = random_streams.generator(parts.seed, "noise", number, parts.device)
        metrics = parts.metrics()
        shared = BatchMetrics(parts.task, sampler)
        parts.start_epoch()
        first = number * sampler.epoch_steps
        for at in range(sampler.epoch_steps):
            step = first + at
            batch = sampler.batch(step)
            shared.add(batch, at)
            noise = parts.task.noise(batch, draws)
            cycle = step // sampler.cycle_steps
            for group, average, epoch_metrics in zip(
                parts.groups, parts.averages, metrics, strict=True
            ):
                epoch_metrics.add(group.step(batch, noise, parts.weight, step + 1, cycle), at)
                average.update(step + 1)
            del batch  # the next one takes its memory, which the CPU's cache still holds
            on_step()
        return [one.with_shared(shared) for one in metrics]


class DeviceLoop:
    """A step that depends on tensors of the device alone. For dense rows and our own rules.

    ``t``: steps done, 0-dim float64. ``at``: place in the epoch, [1]. ``order``: the rows of each
    minibatch of the epoch, [steps, size]. ``draws``: one generator, begun anew for every epoch.
    """

    captured = False

    def __init__(self, parts: LoopParts) -> None:
        self.parts = parts
        sampler, device = parts.sampler, parts.device
        self.t = torch.zeros((), dtype=torch.float64, device=device)
        self.at = torch.zeros(1, dtype=torch.int64, device=device)
        self.order = torch.zeros(
            sampler.epoch_steps, sampler.size, dtype=torch.int64, device=device
        )
        self.draws = torch.Generator(device)
        self.metrics = parts.metrics()
        self.shared = BatchMetrics(parts.task, sampler)
        self.side_streams = SideStreams(device, min(STREAMS, len(parts.groups)))

    def epoch(self, number: int, on_step: OnStep) -> list[EpochMetrics]:
        self._begin(number)
        for _ in range(self.parts.sampler.epoch_steps):
            self.advance()
            on_step()
        return [one.with_shared(self.shared) for one in self.metrics]

    def _begin(self, number: int) -> None:
        sampler = self.parts.sampler
        first = number * sampler.epoch_steps
        self.t.fill_(float(first))
        self.at.zero_()
        self.order.copy_(sampler.order_of(first, sampler.epoch_steps))
        self.draws.manual_seed(random_streams.stream_seed(self.parts.seed, "noise", number))
        self.parts.start_epoch()

    def advance(self) -> None:
        """Do one step; a subclass may replay it."""
        self.step()

    def step(self) -> None:
        """One step of every group, from the tensors of this object."""
        parts = self.parts
        batch = parts.sampler.rows.take(self.order.index_select(0, self.at).flatten())
        self.shared.add(batch, self.at)
        noise = parts.task.noise(batch, self.draws)
        walk = torch.div(self.t, parts.sampler.cycle_steps, rounding_mode="floor")
        self.t.add_(1.0)
        groups = zip(parts.groups, parts.averages, self.metrics, strict=True)
        with self.side_streams as streams:
            for stream, (group, average, epoch_metrics) in zip(streams, groups, strict=False):
                with stream:
                    epoch_metrics.add(group.step(batch, noise, parts.weight, self.t, walk), self.at)
                    average.update(self.t)
        self.at.add_(1)


class SideStreams:
    """CUDA streams on which the groups of a step run side by side; on a CPU there are none.

    One trial does not fill a GPU, so another can use what it leaves idle.
    """

    def __init__(self, device: torch.device, count: int) -> None:
        self.device = device
        several = device.type == "cuda" and count > 1
        self.streams = [devices.stream(device, 1 + i) for i in range(count)] if several else []

    def __enter__(self) -> Iterator[AbstractContextManager[Any]]:
        """An endless iterator of contexts: calls within a context go to its stream."""
        if not self.streams:
            return repeat(nullcontext())
        here = torch.cuda.current_stream(self.device)
        for stream in self.streams:
            stream.wait_stream(here)
        return cycle(torch.cuda.stream(stream) for stream in self.streams)

    def __exit__(self, *error: object) -> None:
        for stream in self.streams:
            torch.cuda.current_stream(self.device).wait_stream(stream)


class EpochMetrics:
    """Costs and errors of every example of an epoch, kept on the device and averaged at its end."""

    def __init__(self, group: TrialGroup, sampler: BatchSampler) -> None:
        self.shape = (len(group.trials), sampler.epoch_steps)
        self.counted = sampler.cost_steps
        self.costs = torch.empty(0, device=group.theta.device)
        self.errors: Tensor | None = None
        self.shared: BatchMetrics | None = None

    def add(self, measured: Measured, at: int | Tensor) -> None:
        """Keep the costs [S, n, ...] and errors of step ``at``: a number, or a tensor [1]."""
        if not self.costs.numel():
            self.costs = self._empty(measured.costs)
        _put(self.costs, measured.costs, at)
        if measured.errors is not None:
            if self.errors is None:
                self.errors = self._empty(measured.errors)
            _put(self.errors, measured.errors, at)

    def _empty(self, of_step: Tensor) -> Tensor:
        return of_step.new_empty((*self.shape, *of_step.shape[1:]))

    def with_shared(self, shared: BatchMetrics) -> EpochMetrics:
        """These metrics, with what all groups have in common."""
        self.shared = shared
        return self

    def means(self) -> dict[str, list[float] | list[None]]:
        """Mean cost and error of each trial over the epoch's steps that count, as trained."""
        costs = self.costs[:, : self.counted]
        columns: dict[str, list[float] | list[None]] = {"train_cost": _mean(costs)}
        if self.errors is not None:
            columns["train_error"] = _mean(self.errors[:, : self.counted])
        if self.shared is not None:
            columns |= self.shared.means(costs)
        return columns


class BatchMetrics:
    """What is logged of the minibatches themselves: the group of each example, the task's values."""

    def __init__(self, task: Task, sampler: BatchSampler) -> None:
        self.task = task
        self.names = task.group_columns
        self.steps = sampler.epoch_steps
        self.groups: Tensor | None = None
        self.values: dict[str, Tensor] = {}

    def add(self, batch: Batch, at: int | Tensor) -> None:
        """Keep the groups and values of the minibatch of step ``at``: a number, or a tensor [1]."""
        if self.names:
            groups = self.task.groups(batch)
            assert groups is not None, "a task with group_columns defines groups"
            if self.groups is None:
                shape = (self.steps, *groups.shape)
                self.groups = torch.empty(shape, dtype=torch.uint8, device=groups.device)
            _put(self.groups[None], groups[None].to(torch.uint8), at)
        for name, value in self.task.batch_metrics(batch).items():
            if name not in self.values:
                self.values[name] = torch.empty(1, self.steps, 1, device=value.device)
            _put(self.values[name], value.reshape(1, 1), at)

    def means(self, costs: Tensor) -> dict[str, list[float] | list[None]]:
        """The mean of the costs [S, steps, n, ...] in each group, and of the values, for each trial."""
        trials = len(costs)
        columns: dict[str, list[float] | list[None]] = {
            name: trials * [float(value.mean(dtype=torch.float64))]
            for name, value in self.values.items()
        }
        if self.groups is not None:
            flat, groups = costs.flatten(1), self.groups[: costs.shape[1]].flatten()
            for i, name in enumerate(self.names):
                members = flat[:, groups == i]
                columns[name] = _mean(members) if members.numel() else trials * [None]
        return columns


def _put(whole: Tensor, part: Tensor, at: int | Tensor) -> None:
    if isinstance(at, Tensor):
        whole.index_copy_(1, at, part[:, None])
    else:
        whole[:, at] = part


def _mean(values: Tensor) -> list[float]:
    return values.flatten(1).mean(1, dtype=torch.float64).tolist()
