"""Locks between processes: the operating system's, and leases where a file system has none."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from adam_repro import file_locks
from adam_repro.file_locks import FileLock
from adam_repro.files import PACKAGE

HOLD = (
    "import sys, time; from pathlib import Path; from adam_repro.file_locks import FileLock\n"
    "one = FileLock(Path(sys.argv[1])); assert one.acquire(); print('held', flush=True); time.sleep(60)"
)


@pytest.fixture(params=[errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP], ids=errno.errorcode.get)
def without_flock(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system whose flock fails, as Lustre's or NFS's may."""

    def flock(file: int, operation: int) -> None:
        raise OSError(request.param, os.strerror(request.param))

    monkeypatch.setattr(fcntl, "flock", flock)


def age(path: Path, seconds: float) -> None:
    then = time.time() - seconds
    os.utime(path, (then, then))


def from_elsewhere(path: Path) -> None:
    """The lease in ``path`` as if another machine had taken it."""
    record = json.loads(path.read_text(encoding="utf-8"))
    record |= {"host": "node17", "token": "another"}
    path.write_text(json.dumps(record), encoding="utf-8")


def test_one_at_a_time(tmp_path: Path) -> None:
    first, second = FileLock(tmp_path / ".lock"), FileLock(tmp_path / ".lock")
    assert first.acquire()
    assert not second.acquire()
    first.release()
    assert second.acquire()
    second.release()


def test_a_lock_goes_with_its_process(tmp_path: Path) -> None:
    path = tmp_path / ".lock"
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE.parent)}
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE, env=environment
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        assert not FileLock(path).acquire()
        holder.kill()
        holder.wait()
    last = FileLock(path)
    assert last.acquire()
    last.release()


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError):
        FileLock(tmp_path / "file" / ".lock").acquire()


@pytest.mark.usefixtures("without_flock")
class TestLeases:
    def test_one_at_a_time_and_nothing_is_left(self, tmp_path: Path) -> None:
        first, second = FileLock(tmp_path / ".lock"), FileLock(tmp_path / ".lock")
        assert first.acquire()
        assert not second.acquire()
        first.release()
        assert second.acquire()
        second.release()
        assert [path.name for path in tmp_path.iterdir()] == [".lock"]

    def test_the_holder_is_named_and_how_to_free_it(self, tmp_path: Path) -> None:
        first, second = FileLock(tmp_path / ".lock"), FileLock(tmp_path / ".lock")
        assert first.acquire()
        from_elsewhere(first.lease_path)
        age(first.lease_path, 50)
        assert not second.acquire()
        told = second.holder()
        assert f"process {os.getpid()} on node17" in told
        assert str(tmp_path / ".lock.lease") in told
        assert "50 s ago" in told or "51 s ago" in told
        assert "delete that file" in told

    def test_one_that_nobody_touches_is_taken_over(self, tmp_path: Path) -> None:
        first, second = FileLock(tmp_path / ".lock"), FileLock(tmp_path / ".lock")
        assert first.acquire()
        from_elsewhere(first.lease_path)
        age(first.lease_path, file_locks.EXPIRY - 20)
        assert not second.acquire()
        age(first.lease_path, file_locks.EXPIRY + 1)
        assert second.acquire()
        first.release()  # which was away, and must not free what is another's now
        assert not FileLock(tmp_path / ".lock").acquire()
        second.release()

    def test_a_dead_process_of_this_machine_is_not_waited_for(self, tmp_path: Path) -> None:
        first, second = FileLock(tmp_path / ".lock"), FileLock(tmp_path / ".lock")
        assert first.acquire()
        with subprocess.Popen([sys.executable, "-c", ""]) as gone:
            gone.wait()
        record = json.loads(first.lease_path.read_text(encoding="utf-8"))
        first.lease_path.write_text(json.dumps(record | {"pid": gone.pid}), encoding="utf-8")
        assert second.acquire()
        second.release()

    def test_a_cut_lease_is_freed_by_its_age(self, tmp_path: Path) -> None:
        one = FileLock(tmp_path / ".lock")
        one.lease_path.write_text('{"host": "no', encoding="utf-8")
        assert not one.acquire()
        age(one.lease_path, file_locks.EXPIRY + 1)
        assert one.acquire()
        one.release()

    def test_the_holder_touches_it(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(file_locks, "HEARTBEAT", 0.01)
        one = FileLock(tmp_path / ".lock")
        assert one.acquire()
        age(one.lease_path, file_locks.EXPIRY + 1)
        end = time.monotonic() + 20
        while time.monotonic() < end and time.time() - one.lease_path.stat().st_mtime > 60:
            time.sleep(0.01)
        assert not FileLock(tmp_path / ".lock").acquire()
        one.release()

    def test_who_waits_is_told_for_whom(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first = FileLock(tmp_path / ".lock")
        assert first.acquire()
        monkeypatch.setattr(time, "sleep", lambda _: first.release())
        with file_locks.lock(tmp_path / ".lock", "another process is at it; waiting"):
            pass
        err = capsys.readouterr().err
        assert err.startswith("another process is at it; waiting (process ")
        assert err.count("\n") == 1
