"""Checkpoints: a state as bytes with a checksum, the two files of a trial, how often one is written.

A checkpoint is a file of torch.save, a zip archive. Its archive comment is the sha256 of all bytes before
it; torch.load passes over a comment. A checkpoint from before there were checksums has none, and is read
as it is.
"""

from __future__ import annotations

import hashlib
import io
import time
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from adam_repro.errors import UserError
from adam_repro.files import atomic_write
from adam_repro.memory import out_of_memory

PREFIX = b"sha256:"
COMMENT = len(PREFIX) + 64  # bytes
END_RECORD = b"PK\x05\x06"  # begins the last 22 bytes of a zip archive without a comment
END_SIZE = 22


class DamagedError(Exception):
    """A checkpoint is not as it was written; the message says how."""


def pack(state: Any) -> io.BytesIO:
    """The bytes of ``state``, for torch.load, without a checksum."""
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


def seal(content: io.BytesIO) -> None:
    """Add the checksum to the bytes of :func:`pack`, as the comment of their zip archive."""
    with content.getbuffer() as view:
        if bytes(view[-END_SIZE:][:4]) != END_RECORD:
            raise AssertionError("torch.save has written something other than a plain zip archive")
        view[-2:] = COMMENT.to_bytes(2, "little")  # the length of the comment
        digest = hashlib.sha256(view).hexdigest()
    content.seek(0, io.SEEK_END)
    content.write(PREFIX + digest.encode())


def verify(path: Path) -> bool:
    """Compare a checkpoint with its checksum; whether it has one.

    Raises:
        DamagedError: its bytes have another one, or its end is lost.
    """
    digest = hashlib.sha256()
    with path.open("rb") as file:
        size = file.seek(0, io.SEEK_END)
        file.seek(max(0, size - COMMENT))
        tail = file.read()
        if not tail.startswith(PREFIX):
            return _without_checksum(tail)
        file.seek(0)
        left = size - COMMENT
        while left > 0:
            block = file.read(min(left, 1 << 20))
            digest.update(block)
            left -= len(block)
    if tail[len(PREFIX) :] != digest.hexdigest().encode():
        raise DamagedError("its checksum does not agree with its content")
    return True


def _without_checksum(tail: bytes) -> bool:
    end = tail[-END_SIZE:]
    if not end.startswith(END_RECORD) or end[-2:] != b"\0\0":  # the length of the comment
        raise DamagedError("its end is lost")
    return False


class Checkpoints:
    """The last two checkpoints of a trial in its folder: ``state.pt``, and the one before it."""

    def __init__(self, folder: Path, identity: str, epochs: int) -> None:
        self.newest = folder / "state.pt"
        self.previous = folder / "state.previous.pt"
        self.identity = identity
        self.epochs = epochs
        self._verified: set[Path] = set()
        self._told: set[Path] = set()

    def load(self, device: torch.device, mmap: bool = False) -> dict[str, Any] | None:
        """The newest state that is whole, or ``None`` where there is no checkpoint.

        A damaged one is told, once, and the one before it is taken. ``mmap``: leave the tensors in the
        file until they are looked at.

        Raises:
            UserError: every checkpoint there is is damaged.
        """
        damaged: dict[Path, DamagedError] = {}
        for path in (self.newest, self.previous):
            try:
                state = self._read(path, device, mmap)
            except FileNotFoundError:
                continue
            except DamagedError as error:
                damaged[path] = error
                continue
            for bad, reason in damaged.items():
                self._tell(bad, reason, state["epoch"] if state else 0)
            return state
        if damaged:
            raise self.unreadable(str(next(iter(damaged.values()))), *damaged)
        return None

    def _read(self, path: Path, device: torch.device, mmap: bool) -> dict[str, Any] | None:
        try:
            summed = path in self._verified or verify(path)
            state = dict(torch.load(path, map_location=device, weights_only=True, mmap=mmap))
            identity, epoch = state["identity"], int(state["epoch"])
        except (FileNotFoundError, DamagedError):
            raise
        except Exception as error:  # torch.load raises many kinds for a damaged file
            if out_of_memory(error):
                raise
            raise DamagedError(type(error).__name__) from None
        if identity != self.identity:
            return None
        if not 0 <= epoch <= self.epochs:
            raise DamagedError(f"epoch {epoch} of {self.epochs}")
        if summed:
            self._verified.add(path)  # one who holds the trial's lock need not read it twice
        return state | {"epoch": epoch}

    def _tell(self, path: Path, error: DamagedError, epoch: int) -> None:
        if path in self._told:
            return
        self._told.add(path)
        warnings.warn(
            f"{path}: this checkpoint is damaged ({error}); the trial goes on from the one before it, "
            f"of epoch {epoch}",
            RuntimeWarning,
            stacklevel=2,
        )

    def unreadable(self, reason: str, *paths: Path) -> UserError:
        """What is said where no checkpoint can be gone on from."""
        named = " and ".join(map(str, paths or (self.newest,)))
        return UserError(
            f"{named}: not a readable checkpoint ({reason}); delete "
            f"{'them' if len(paths) > 1 else 'it'} to train this trial from the beginning"
        )

    def save(self, state: Mapping[str, Any]) -> None:
        """Put a new checkpoint in place atomically; the newest before it becomes the one before."""
        content = pack({"identity": self.identity, **state})
        seal(content)
        damaged = self.newest in self._told  # it must not replace the good one before it
        backup = None if damaged else self.previous
        self._verified.clear()
        with atomic_write(self.newest, sync=True, backup=backup) as file:
            file.write(content.getbuffer())
        self._told.discard(self.newest)

    def remove(self) -> None:
        """Delete both."""
        for path in (self.newest, self.previous):
            path.unlink(missing_ok=True)


class CheckpointSchedule:
    """When checkpoints are written: after every epoch, but at most ``SHARE`` of the time.

    What a disk takes to confirm a file is often longer than a short epoch, and a GPU can train an epoch
    of a 1 GB stack faster than the stack is written. A kill then loses up to twenty times the writing
    time.
    """

    SHARE = 0.05

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self.clock = clock
        self.last = clock()  # when the last checkpoints were complete
        self.cost = 0.0  # seconds that they took

    def due(self) -> bool:
        """Whether to write now. Call :meth:`done` afterwards."""
        self.begun = self.clock()
        return self.begun - self.last >= self.cost / self.SHARE

    def done(self, written: bool) -> None:
        """The checkpoints are written, or postponed."""
        if written:
            self.last = self.clock()
            self.cost = self.last - self.begun
