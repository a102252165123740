"""The steps of an epoch, counted by the host or by the device.

``Eager`` counts on the host and hands every step its minibatch. ``Resident`` lays an epoch out in
tensors beforehand; its step then reads and writes nothing but tensors at fixed places, so that a GPU
can repeat it without the host (:mod:`adam_repro.engine.capture`). Both make the same draws and give
the same curve, ``Resident`` to rounding.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from itertools import cycle, repeat
from typing import Any, Protocol

import torch

from adam_repro import random_streams
from adam_repro.engine import device as devices
from adam_repro.engine.averages import Average
from adam_repro.engine.feed import Feed
from adam_repro.engine.lanes import Lane
from adam_repro.engine.meter import Meter
from adam_repro.engine.protocol import OnStep
from adam_repro.tasks import Task

# Streams of a GPU that the lanes of a step share.
STREAMS = 8


@dataclass
class Work:
    """What the steps of a stack are made of; ``seed`` is the one its trials share."""

    task: Task
    feed: Feed
    lanes: list[Lane]
    averages: list[Average]
    seed: int

    def __post_init__(self) -> None:
        self.device = self.feed.rows.targets.device
        self.weight = torch.full((self.feed.size,), 1.0 / self.feed.size, device=self.device)

    def meters(self) -> list[Meter]:
        """An empty meter for every lane."""
        return [Meter(lane, self.feed) for lane in self.lanes]


class Runner(Protocol):
    """Trains one epoch after another."""

    @property
    def captured(self) -> bool:
        """Whether the steps are replayed from a CUDA graph."""

    def epoch(self, number: int, on_step: OnStep) -> list[Meter]:
        """Train epoch ``number`` (from 0), ``on_step`` after every step; a full meter for every lane."""


class Eager:
    """Every step called from the host."""

    captured = False

    def __init__(self, work: Work) -> None:
        self.work = work

    def epoch(self, number: int, on_step: OnStep) -> list[Meter]:
        work, feed = self.work, self.work.feed
        draws = random_streams.generator(work.seed, "noise", number, work.device)
        meters = work.meters()
        first = number * feed.epoch_steps
        for at in range(feed.epoch_steps):
            step = first + at
            batch = feed.batch(step)
            noise = work.task.noise(batch, draws)
            cycle = step // feed.cycle_steps
            for lane, average, meter in zip(work.lanes, work.averages, meters, strict=True):
                meter.add(lane.step(batch, noise, work.weight, step + 1, cycle), at)
                average.update(step + 1)
            del batch  # the next one then takes its memory, which the core's cache still holds
            on_step()
        return meters


class Resident:
    """A step that is a function of tensors on the device alone; dense rows and our own rules only.

    ``t``: steps done, 0-dim float64. ``at``: place in the epoch, [1]. ``order``: the rows of each
    minibatch of the epoch, [steps, size]. ``draws``: one generator, begun anew for every epoch.
    """

    captured = False

    def __init__(self, work: Work) -> None:
        self.work = work
        feed, device = work.feed, work.device
        self.t = torch.zeros((), dtype=torch.float64, device=device)
        self.at = torch.zeros(1, dtype=torch.int64, device=device)
        self.order = torch.zeros(feed.epoch_steps, feed.size, dtype=torch.int64, device=device)
        self.draws = torch.Generator(device)
        self.meters = work.meters()
        self.aside = Aside(device, min(STREAMS, len(work.lanes)))

    def epoch(self, number: int, on_step: OnStep) -> list[Meter]:
        self._begin(number)
        for _ in range(self.work.feed.epoch_steps):
            self.advance()
            on_step()
        return self.meters

    def _begin(self, number: int) -> None:
        feed = self.work.feed
        first = number * feed.epoch_steps
        self.t.fill_(float(first))
        self.at.zero_()
        self.order.copy_(feed.order_of(first, feed.epoch_steps))
        self.draws.manual_seed(random_streams.number(self.work.seed, "noise", number))

    def advance(self) -> None:
        """Do one step, somehow."""
        self.step()

    def step(self) -> None:
        """One step of every lane, from the tensors of this object."""
        work = self.work
        batch = work.feed.rows.take(self.order.index_select(0, self.at).flatten())
        noise = work.task.noise(batch, self.draws)
        walk = torch.div(self.t, work.feed.cycle_steps, rounding_mode="floor")
        self.t.add_(1.0)
        lanes = zip(work.lanes, work.averages, self.meters, strict=True)
        with self.aside as streams:
            for stream, (lane, average, meter) in zip(streams, lanes, strict=False):
                with stream:
                    meter.add(lane.step(batch, noise, work.weight, self.t, walk), self.at)
                    average.update(self.t)
        self.at.add_(1)


class Aside:
    """Streams of a GPU on which the lanes of a step go side by side; on a CPU there are none.

    A trial alone does not fill a GPU: what one leaves idle another takes.
    """

    def __init__(self, device: torch.device, count: int) -> None:
        self.device = device
        several = device.type == "cuda" and count > 1
        self.streams = [devices.stream(device, 1 + i) for i in range(count)] if several else []

    def __enter__(self) -> Iterator[AbstractContextManager[Any]]:
        """One context after another, without end: what is called within it goes to its stream."""
        if not self.streams:
            return repeat(nullcontext())
        here = torch.cuda.current_stream(self.device)
        for stream in self.streams:
            stream.wait_stream(here)
        return cycle(torch.cuda.stream(stream) for stream in self.streams)

    def __exit__(self, *error: object) -> None:
        for stream in self.streams:
            torch.cuda.current_stream(self.device).wait_stream(stream)
