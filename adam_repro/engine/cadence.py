"""When a checkpoint is worth its time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

# Seconds of training on a GPU to one second of writing checkpoints.
PATIENCE = 10.0


class Cadence:
    """On a CPU every epoch's end is kept. A GPU can train epochs faster than a disk takes them.

    There the first is kept, to learn what it takes, and then one whenever the training since the
    last has taken ten times as long. Rows beyond the last checkpoint are trained again on resumption.
    """

    def __init__(
        self, device: torch.device, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self.always = device.type == "cpu"
        self.clock = clock
        self.cost = 0.0
        self.last = clock()

    def due(self) -> bool:
        """Whether the epoch that has just ended should be kept."""
        return self.always or self.clock() - self.last >= PATIENCE * self.cost

    @contextmanager
    def saving(self) -> Iterator[None]:
        """The block writes the checkpoints."""
        begun = self.clock()
        yield
        self.last = self.clock()
        self.cost = self.last - begun
