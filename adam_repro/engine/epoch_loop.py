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
from adam_repro.engine.trial_groups import Measured, Noise, TrialGroup
from adam_repro.optim.averaging import IterateAverage
from adam_repro.tasks import Batch, Task, own_columns

# Streams of a GPU that the groups of a step share.
STREAMS = 8


@dataclass
class SeedTrials:
    """The trials of a stack that have one seed: they share its minibatches and its random draws."""

    seed: int
    sampler: BatchSampler
    groups: list[TrialGroup]
    averages: list[IterateAverage]

    def metrics(self) -> list[EpochMetrics]:
        """Empty metrics for every group."""
        return [EpochMetrics(group, self.sampler) for group in self.groups]

    def noise_seed(self, epoch: int) -> int:
        """The seed of an epoch's masks and latents."""
        return random_streams.stream_seed(self.seed, "noise", epoch)


@dataclass
class LoopParts:
    """What the steps of a stack work on. The minibatches of all ``seeds`` have the same shape."""

    task: Task
    seeds: list[SeedTrials]

    def __post_init__(self) -> None:
        self.sampler = self.seeds[0].sampler  # for what all of them have in common
        self.device = self.sampler.rows.targets.device
        self.weight = torch.full((self.sampler.size,), 1.0 / self.sampler.size, device=self.device)

    @property
    def groups(self) -> list[TrialGroup]:
        """The groups of all seeds."""
        return [group for one in self.seeds for group in one.groups]

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
        parts = self.parts
        own = [_HostEpoch(parts.task, trials, number, parts.device) for trials in parts.seeds]
        parts.start_epoch()
        for at in range(parts.sampler.epoch_steps):
            for one in own:
                one.step(at, parts.weight)
            on_step()
        return [metrics for one in own for metrics in one.finished()]


class _HostEpoch:
    """An epoch of the trials of one seed."""

    def __init__(self, task: Task, trials: SeedTrials, number: int, device: torch.device) -> None:
        self.task, self.trials = task, trials
        self.first = number * trials.sampler.epoch_steps
        self.draws = torch.Generator(device).manual_seed(trials.noise_seed(number))
        self.metrics = trials.metrics()
        self.shared = BatchMetrics(task, trials.sampler)

    def step(self, at: int, weight: Tensor) -> None:
        trials, step = self.trials, self.first + at
        batch = trials.sampler.batch(step)
        self.shared.add(batch, at)
        noise = self.task.noise(batch, self.draws)
        cycle = step // trials.sampler.cycle_steps
        for group, average, metrics in zip(
            trials.groups, trials.averages, self.metrics, strict=True
        ):
            metrics.add(group.step(batch, noise, weight, step + 1, cycle), at)
            average.update(step + 1)

    def finished(self) -> list[EpochMetrics]:
        return [one.with_shared(self.shared) for one in self.metrics]


class DeviceLoop:
    """A step that depends on tensors of the device alone. For dense rows and our own rules.

    ``t``: steps done, 0-dim float64. ``at``: place in the epoch, [1].
    """

    captured = False

    def __init__(self, parts: LoopParts) -> None:
        self.parts = parts
        device = parts.device
        self.t = torch.zeros((), dtype=torch.float64, device=device)
        self.at = torch.zeros(1, dtype=torch.int64, device=device)
        self.seeds = [_DeviceEpoch(parts.task, trials, device) for trials in parts.seeds]
        self.side_streams = SideStreams(device, min(STREAMS, len(parts.groups)))

    def epoch(self, number: int, on_step: OnStep) -> list[EpochMetrics]:
        self.t.fill_(float(number * self.parts.sampler.epoch_steps))
        self.at.zero_()
        for one in self.seeds:
            one.begin(number)
        self.parts.start_epoch()
        for _ in range(self.parts.sampler.epoch_steps):
            self.advance()
            on_step()
        return [metrics for one in self.seeds for metrics in one.finished()]

    def advance(self) -> None:
        """Do one step; a subclass may replay it."""
        self.step()

    def step(self) -> None:
        """One step of every group, from the tensors of this object."""
        walk = torch.div(self.t, self.parts.sampler.cycle_steps, rounding_mode="floor")
        self.t.add_(1.0)
        shared = [one.minibatch(self.at) for one in self.seeds]
        with self.side_streams as streams:
            for one, (batch, noise) in zip(self.seeds, shared, strict=True):
                groups = zip(one.trials.groups, one.trials.averages, one.metrics, strict=True)
                for group, average, metrics in groups:
                    with next(streams):
                        measured = group.step(batch, noise, self.parts.weight, self.t, walk)
                        metrics.add(measured, self.at)
                        average.update(self.t)
        self.at.add_(1)


class _DeviceEpoch:
    """The minibatches and metrics of the trials of one seed, in tensors that stay in their places.

    ``order``: the rows of each minibatch of the epoch, [steps, size]. ``draws``: a generator, begun anew
    for every epoch.
    """

    def __init__(self, task: Task, trials: SeedTrials, device: torch.device) -> None:
        self.task, self.trials = task, trials
        steps, size = trials.sampler.epoch_steps, trials.sampler.size
        self.order = torch.zeros(steps, size, dtype=torch.int64, device=device)
        self.draws = torch.Generator(device)
        self.metrics = trials.metrics()
        self.shared = BatchMetrics(task, trials.sampler)

    def begin(self, number: int) -> None:
        sampler = self.trials.sampler
        self.order.copy_(sampler.order_of(number * sampler.epoch_steps, sampler.epoch_steps))
        self.draws.manual_seed(self.trials.noise_seed(number))

    def minibatch(self, at: Tensor) -> tuple[Batch, Noise]:
        """The minibatch at place ``at`` [1] of the epoch, and its draws."""
        batch = self.trials.sampler.rows.take(self.order.index_select(0, at).flatten())
        self.shared.add(batch, at)
        return batch, self.task.noise(batch, self.draws)

    def finished(self) -> list[EpochMetrics]:
        return [one.with_shared(self.shared) for one in self.metrics]


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
            groups = own_columns.groups(self.task, batch)
            if self.groups is None:
                shape = (self.steps, *groups.shape)
                self.groups = torch.empty(shape, dtype=torch.uint8, device=groups.device)
            _put(self.groups[None], groups[None].to(torch.uint8), at)
        for name, value in own_columns.batch_metrics(self.task, batch).items():
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
            own_columns.check_places(self.task, groups)
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
