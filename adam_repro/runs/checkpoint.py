"""A checkpoint as bytes, and what in a state cannot be had back from them."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from typing import Any

import torch

from adam_repro.memory import out_of_memory


def pack(state: Any) -> io.BytesIO:
    """``state`` as torch.load reads it, from the beginning."""
    content = io.BytesIO()
    # The checksum of a zip file takes more than half of the time, and torch.load does not look at it.
    summed = torch.serialization.get_crc32_options()
    torch.serialization.set_crc32_options(False)
    try:
        torch.save(state, content)
    finally:
        torch.serialization.set_crc32_options(summed)
    content.seek(0)
    return content


def unreadable(state: Any, name: str) -> str | None:
    """The innermost part of ``state``, which is called ``name``, that cannot be read back.

    ``None`` if all can. torch.save takes nearly everything; torch.load, which must run no code of a
    file, only tensors, numbers, words and plain collections of them.
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
    """When checkpoints are written: after every epoch, but on a GPU not where that takes much of the time.

    There a stack of a gigabyte trains an epoch faster than it is written. Then its checkpoints are so
    far apart that they take ``SHARE`` of the time, and a kill loses twenty times what writing takes.
    """

    SHARE = 0.05
    FREE = 0.05  # seconds: what takes less is never put off

    def __init__(self, on_gpu: bool, clock: Callable[[], float] = time.perf_counter) -> None:
        self.on_gpu = on_gpu
        self.clock = clock
        self.last = clock()  # when the last checkpoints were whole
        self.cost = 0.0  # seconds that they took

    def due(self) -> bool:
        """Whether to write now; :meth:`done` is called when that is over."""
        self.begun = self.clock()
        wait = self.cost / self.SHARE if self.on_gpu and self.cost > self.FREE else 0.0
        return self.begun - self.last >= wait

    def done(self, written: bool) -> None:
        """The checkpoints are written, or were put off."""
        if written:
            self.last = self.clock()
            self.cost = self.last - self.begun
