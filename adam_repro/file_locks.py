"""Locks between processes, as files: the operating system's, or leases where a file system has none.

An operating system's lock (``flock``) goes with its process, however that ends. Some network file systems
refuse it. There the holder keeps a file beside the lock, the lease, and touches it every `HEARTBEAT`
seconds. A lease that nobody has touched for `EXPIRY` seconds may be taken: its process was killed, or its
machine is gone.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import secrets
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

#: What ``flock`` fails with where a file system has no locks.
NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP)
HEARTBEAT = 10.0  # seconds
EXPIRY = 120.0  # seconds: other machines of an NFS may see a touch only after a minute
POLL = 0.5  # seconds between attempts


class FileLock:
    """One lock, held by at most one process at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: int | None = None
        self._lease: _Lease | None = None

    def acquire(self) -> bool:
        """Take the lock; false if another process has it.

        Raises:
            OSError: the file cannot be opened.
        """
        file = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(file)
            if error.errno in (errno.EAGAIN, errno.EACCES):
                return False
            if error.errno not in NO_LOCKS:
                raise
            lease = _Lease(self.lease_path)
            self._lease = lease if lease.take() else None
            return self._lease is not None
        self._file = file
        return True

    def release(self) -> None:
        """Give the lock back, if it is held."""
        if self._file is not None:
            os.close(self._file)  # and with it the lock
            self._file = None
        if self._lease is not None:
            self._lease.give_back()
            self._lease = None

    @property
    def lease_path(self) -> Path:
        return self.path.with_name(self.path.name + ".lease")

    def holder(self) -> str:
        """Who has it, and what to do if that process is gone; empty where the system frees the lock."""
        record, age = _read(self.lease_path)
        if record is None:
            return ""
        return (
            f"process {record.get('pid')} on {record.get('host')} has it, as {self.lease_path} says, "
            f"and gave a sign of life {age:.0f} s ago; it is free after {EXPIRY:.0f} s without one. "
            "If you know that the process is gone, delete that file"
        )


class _Lease:
    """The file of a lease: host, process, and a token that no other lease has."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.token = secrets.token_hex(8)
        self.ended = threading.Event()

    def take(self) -> bool:
        if not self._create() and not (self._remove_expired() and self._create()):
            return False
        threading.Thread(target=self._beat, daemon=True).start()
        return True

    def give_back(self) -> None:
        self.ended.set()
        if self._is_ours(self.path):
            self.path.unlink(missing_ok=True)

    def _create(self) -> bool:
        record = {"host": socket.gethostname(), "pid": os.getpid(), "token": self.token}
        draft = self.path.with_name(f"{self.path.name}.{self.token}")
        draft.write_text(json.dumps(record), encoding="utf-8")
        try:
            os.link(draft, self.path)  # whole, or not at all
        except FileExistsError:
            return False
        except OSError:  # a file system without hard links
            return self._create_in_place(record)
        finally:
            draft.unlink(missing_ok=True)
        return True

    def _create_in_place(self, record: dict[str, object]) -> bool:
        try:
            with self.path.open("x", encoding="utf-8") as file:
                file.write(json.dumps(record))
        except FileExistsError:
            return False
        return True

    def _remove_expired(self) -> bool:
        """Remove a lease whose process has ended; true if this process removed it."""
        record, age = _read(self.path)
        if record is None or not (age > EXPIRY or _has_ended(record)):
            return False
        aside = self.path.with_name(f"{self.path.name}.{self.token}")
        try:
            self.path.rename(aside)  # of several processes, one succeeds
        except FileNotFoundError:
            return False
        moved, _ = _read(aside)
        same = moved is not None and moved.get("token") == record.get("token")
        if not same:  # another process was faster, and this is its new lease
            with suppress(OSError):
                os.link(aside, self.path)
        aside.unlink(missing_ok=True)
        return same

    def _beat(self) -> None:
        while not self.ended.wait(HEARTBEAT):
            with suppress(OSError):
                if self._is_ours(self.path):
                    os.utime(self.path)

    def _is_ours(self, path: Path) -> bool:
        record, _ = _read(path)
        return record is not None and record.get("token") == self.token


def _read(path: Path) -> tuple[dict[str, object] | None, float]:
    """What a lease says, and how many seconds ago it was touched; None where there is none.

    The age is by the clock of the file system, which need not be this machine's.
    """
    try:
        text, touched = path.read_text(encoding="utf-8"), path.stat().st_mtime
        probe = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
        probe.touch()
        now = probe.stat().st_mtime
        probe.unlink()
    except OSError:
        return None, 0.0
    try:
        record = json.loads(text)
    except ValueError:  # cut, or about to be written: its age decides
        record = {}
    return record if isinstance(record, dict) else {}, now - touched


def _has_ended(record: dict[str, object]) -> bool:
    """Whether the process of a lease ran on this machine, and is no more."""
    pid = record.get("pid")
    if record.get("host") != socket.gethostname() or not isinstance(pid, int):
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False


@contextmanager
def lock(path: Path, waiting: str) -> Iterator[None]:
    """Hold the lock file ``path``; say ``waiting`` on stderr while another process holds it."""
    held = FileLock(path)
    told = False
    while not held.acquire():
        if not told:
            holder = held.holder()
            print(f"{waiting} ({holder})" if holder else waiting, file=sys.stderr, flush=True)
            told = True
        time.sleep(POLL)
    try:
        yield
    finally:
        held.release()


@contextmanager
def results_lock(folder: Path) -> Iterator[None]:
    """Write to a folder of figures while no other process does."""
    with lock(
        folder.parent / f".{folder.name}.lock", f"another process writes to {folder}; waiting"
    ):
        yield
