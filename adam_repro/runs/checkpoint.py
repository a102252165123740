"""Checkpoints: a state as bytes, whether it can be read back, and how often one is written."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from typing import Any

import torch

from adam_repro.memory import out_of_memory


def pack(state: Any) -> io.BytesIO:
    """The bytes of ``state``, for torch.load."""
    content = io.BytesIO()
    # The zip file's checksum takes more than half of the time, and torch.load does not check it.
    summed = torch.serialization.get_crc32_options()
    torch.serialization.set_crc32_options(False)
    try:
        torch.save(state, content)
    finally:
        torch.serialization.set_crc32_options(summed)
    content.seek(0)
    return content


def unreadable(state: Any, name: str) -> str | None:
    """The innermost part of ``state`` that cannot be read back; ``None`` if all can.

    ``name`` is what the state is called. torch.save writes nearly everything. torch.load, which must not
    run code from a file, reads only tensors, numbers, strings and plain collections of them.
    """
    if _comes_back(state):
        return None
    if type(state) in (dict, list, tuple):
        parts = state.items() if isinstance(state, dict) else enumerate(state)
        for key, part in parts:
            found = unreadable(part, f"{name}[{key!r}]")
            if found is not None:
                return found
    kind = type(state)
    return f"{name}, a {kind.__module__}.{kind.__qualname__}"


def _comes_back(state: Any) -> bool:
    try:
        torch.load(pack(state), map_location="cpu", weights_only=True)
    except Exception as error:  # pickle raises whatever an object of the user's raises
        if out_of_memory(error):
            raise
        return False
    return True


class CheckpointSchedule:
    """When checkpoints are written: on a CPU after every epoch, on a GPU at most ``SHARE`` of the time.

    A GPU can train an epoch of a 1 GB stack faster than the stack is written. A kill then loses up to
    twenty times the writing time.
    """

    SHARE = 0.05
    FREE = 0.05  # seconds: shorter writes are never postponed

    def __init__(self, on_gpu: bool, clock: Callable[[], float] = time.perf_counter) -> None:
        self.on_gpu = on_gpu
        self.clock = clock
        self.last = clock()  # when the last checkpoints were complete
        self.cost = 0.0  # seconds that they took

    def due(self) -> bool:
        """Whether to write now. Call :meth:`done` afterwards."""
        self.begun = self.clock()
        wait = self.cost / self.SHARE if self.on_gpu and self.cost > self.FREE else 0.0
        return self.begun - self.last >= wait

    def done(self, written: bool) -> None:
        """The checkpoints are written, or postponed."""
        if written:
            self.last = self.clock()
            self.cost = self.last - self.begun
