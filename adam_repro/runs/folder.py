"""A trial's directory: metadata and status, rows, checkpoints. It is safe against a kill at any moment.

A row is appended and flushed before the checkpoint that contains its epoch is put in place. On
resumption the rows beyond the checkpoint are cut off and trained again, from the same state and the
same random streams, so that an interrupted trial ends with the same metrics.csv. A checkpoint also
holds the rows up to its epoch: those that a disk lost or changed since are put back. The metadata of a
complete trial hold a checksum of each CSV.
"""

from __future__ import annotations

import errno
import warnings
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from adam_repro import open_files
from adam_repro.config.trial import Trial
from adam_repro.errors import TrialFailedError, UserError
from adam_repro.file_locks import FileLock
from adam_repro.files import not_writable, set_aside, sync_file, write_bytes
from adam_repro.results import checksums
from adam_repro.runs import metrics, record, sources
from adam_repro.runs.checkpoint import Checkpoints, unreadable
from adam_repro.runs.metrics import CsvRows
from adam_repro.runs.provenance import continued, provenance
from adam_repro.runs.record import COMPLETE
from adam_repro.wording import counted

NEEDED = ("epoch", "train_cost")  # of the columns of metrics.csv
RESUMABLE = "resumable"  # in the provenance: a checkpoint of an optimizer by import path was tried
ROWS = "rows"  # in a checkpoint: the text of each CSV up to its epoch


class TrialFolder:
    """The files of one trial below a results folder."""

    def __init__(self, trial: Trial, results: Path) -> None:
        self.trial = trial
        self.path = trial.folder(results)
        self.columns = metrics.columns(trial)
        self.timing_columns: tuple[str, ...] = metrics.TIMING_COLUMNS
        self._foreign = trial.optimizer["name"] == "torch"
        self._resumable = True  # until its checkpoint cannot be read back, or leads elsewhere
        self._checked = not self._foreign  # whether that has been tried
        self._device = torch.device("cpu")
        self.checkpoints = Checkpoints(self.path, trial.identity, trial.epochs)
        self._record: record.Record | None = None  # as it was read last
        self._written: dict[str, list[str]] = {}  # the text of each CSV, by its name
        self._saved: dict[str, str] = {}  # the same, as the checkpoint has it
        self._lock = FileLock(self.path / ".lock")
        self._made: list[Path] = []  # folders that were not there, the innermost first

    @property
    def metrics(self) -> Path:
        return self.path / "metrics.csv"

    @property
    def timing(self) -> Path:
        return self.path / "timing.csv"

    def _rows(self) -> tuple[CsvRows, CsvRows]:
        return CsvRows(self.metrics, NEEDED), CsvRows(self.timing, metrics.TIMING_COLUMNS)

    @property
    def checkpoint(self) -> Path:
        return self.checkpoints.newest

    @property
    def metadata_path(self) -> Path:
        return self.path / "trial.yaml"

    def status(self) -> str | None:
        """running, finished, diverged or failed; ``None`` where there is no readable trial.yaml.

        Raises:
            UserError: the trial is complete, but rows of it are lost or changed.
        """
        metadata = self._metadata()
        if metadata is None:
            return None
        status = str(metadata["status"])
        if status in COMPLETE:
            self._check_rows(status, metadata.get(checksums.CHECKSUMS))
        return status

    def is_complete(self) -> bool:
        """Whether trial.yaml says so; that the rows are whole is for :meth:`status` to check."""
        return (self._metadata() or {}).get("status") in COMPLETE

    def provenance(self) -> dict[str, Any]:
        """What trial.yaml says of versions and hardware; nothing where it is not readable."""
        found = (self._metadata() or {}).get("provenance")
        return dict(found) if isinstance(found, dict) else {}

    def threads(self) -> int | None:
        """The CPU threads that the trial was last trained with, as far as trial.yaml says."""
        found = self.provenance().get("threads")
        return found if isinstance(found, int) and found > 0 else None

    def _metadata(self) -> dict[str, Any] | None:
        """trial.yaml; ``None`` where it is not readable, or lacks what every one has."""
        self._record = record.read(self.metadata_path, self.trial.identity)
        return self._record.content if self._record else None

    def mend(self) -> None:
        """Write the metadata anew where :meth:`status` found their provenance damaged, and tell it."""
        if self._record is None or self._record.whole or not self.acquire():
            return
        self._metadata()  # as they are now, with the lock
        if self._record is not None and not self._record.whole:
            self._tell(record.mend(self.metadata_path, self._record))
        self.release()

    def _check_rows(self, status: str, sums: Any) -> None:
        wanted = self.trial.epochs if status == "finished" else 1
        for table in self._rows():
            if len(table.rows) < wanted or not table.nothing_follows():
                flaw = f" ({table.flaw})" if table.flaw else ""
                raise TrialFailedError(
                    f"{table.path}: the trial is {status}, but has whole rows for {len(table.rows)} of "
                    f"{counted(self.trial.epochs, 'epoch')}{flaw}; restore the file, or delete "
                    f"{self.path} to train the trial again"
                )
        for path in checksums.changed_csvs(self.path, sums):
            raise TrialFailedError(
                f"{path}: the trial is {status}, but the file was changed since (its checksum in "
                f"trial.yaml is another); restore the file, or delete {self.path} to train the trial "
                "again"
            )

    def acquire(self) -> bool:
        """Take the trial for this process; false when another one is training it."""
        self._made = [path for path in (self.path, *self.path.parents) if not path.exists()]
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            return self._lock.acquire()
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE):
                raise UserError(open_files.TOO_MANY) from None
            raise not_writable(self.path, error.strerror or str(error)) from None

    def holder(self) -> str:
        """Which process trains it, where the lock says so; else nothing."""
        return self._lock.holder()

    def release(self) -> None:
        """Release the lock; remove the folders that it made if no training was started in them."""
        if not self.metadata_path.exists():
            self._lock.path.unlink(missing_ok=True)
            self._lock.release()
            with suppress(OSError):  # a folder that is not empty stays
                for folder in self._made or [self.path]:
                    folder.rmdir()
        self._lock.release()

    def start(self, device: torch.device, threads: int, epoch: int) -> None:
        """Write the metadata: what is trained from ``epoch`` on, and on which hardware.

        Rows without readable metadata may be those of a complete trial: they are told, and set aside.
        """
        if self._metadata() is None:
            self._keep_old_rows(epoch)
        before = self.provenance() if epoch else {}
        now = provenance(device, threads) | sources.provenance_entries(self.trial, before)
        self._device = device
        if self._foreign and epoch:
            self._checked = now[RESUMABLE] = True
        elif self._foreign:  # one that was not tried is not gone on from
            self.checkpoints.remove()
        self._provenance = continued(before, now, epoch)
        self.set_status("running")

    def _keep_old_rows(self, epoch: int) -> None:
        paths = [path for path in (self.metrics, self.timing) if _has_rows(path)]
        if not paths:
            return
        state = "not readable" if self.metadata_path.exists() else "not there"
        said = f"{self.metadata_path}: {state}, beside rows of the trial"
        if epoch:  # the checkpoint says which rows are good
            self._tell(f"{said}; it goes on from its checkpoint, of epoch {epoch}")
            return
        paths += [self.metadata_path] if self.metadata_path.exists() else []
        kept = ", ".join(set_aside(path).name for path in paths)
        self._tell(
            f"{said}, which may be complete; they are kept ({kept}), and it is trained again"
        )

    def set_status(self, status: str) -> None:
        """Replace trial.yaml, with the new status."""
        content = {"identity": self.trial.identity, "status": status, "config": self.trial.settings}
        if status in COMPLETE:
            content[checksums.CHECKSUMS] = {
                name: checksums.of_columns("".join(lines).encode())
                for name, lines in self._written.items()
            }
        record.write(self.metadata_path, {**content, "provenance": self._provenance})

    def epoch(self) -> int:
        """Epochs that the checkpoint contains; 0 where there is none. Its tensors are not read."""
        state = self.load(torch.device("cpu"), mmap=True)
        return 0 if state is None else int(state["epoch"])

    def load(self, device: torch.device, mmap: bool = False) -> dict[str, Any] | None:
        """The state of the last completed epoch, or ``None`` to begin at the beginning.

        So does an optimizer by import path whose checkpoint was not tried, or led elsewhere.
        ``mmap``: leave the tensors in the file until they are looked at.

        Raises:
            UserError: there are checkpoints, and none is whole.
        """
        if self._foreign and not self.provenance().get(RESUMABLE):
            return None
        state = self.checkpoints.load(device, mmap)
        rows = None if state is None else state.pop(ROWS, None)
        self._saved = {}
        if isinstance(rows, dict) and rows.keys() == {self.metrics.name, self.timing.name}:
            self._saved = {name: str(text) for name, text in rows.items()}
        return state

    def save(self, state: Mapping[str, Any]) -> None:
        """Write a checkpoint atomically and keep the one before, unless it could not be read back."""
        if self._resumable and not self._checked:
            self._resumable = self._can_be_read(state["optimizer"])
        if self._resumable:
            rows = {name: "".join(lines) for name, lines in self._written.items()}
            self.checkpoints.save({**state, ROWS: rows})

    def _can_be_read(self, state: Mapping[str, Any]) -> bool:
        """Whether the state of a foreign optimizer can be read back; a warning if not."""
        flaw = state["torch"] if isinstance(state["torch"], str) else None
        if flaw is None:
            found = unreadable(state["torch"], "state_dict()")
            flaw = found and f"its state cannot be read back from a checkpoint ({found})"
        if flaw is not None:
            self._warn(flaw)
        return flaw is None

    def to_be_checked(self) -> dict[str, Any] | None:
        """The first checkpoint of a foreign optimizer, as it is read back, once; else ``None``."""
        if self._checked or not self._resumable:
            return None
        self._checked = True
        return self.checkpoints.load(self._device)

    def note_check(self, flaw: str) -> None:
        """Note whether that checkpoint leads to the same steps; ``flaw`` says why not, or is empty."""
        if flaw:
            self._resumable = False
            self.checkpoints.remove()
            self._warn(flaw)
        else:
            self._provenance[RESUMABLE] = True
            self.set_status("running")

    def _warn(self, reason: str) -> None:
        warnings.warn(
            f"optimizer.target={self.trial.optimizer['target']}: {reason}, so no checkpoint is kept: "
            "a trial that is interrupted loses its epochs, and begins again",
            RuntimeWarning,
            stacklevel=4,
        )

    def rewind(self, epochs: int) -> None:
        """Keep the rows of the first ``epochs`` epochs of each CSV, and no others.

        Those that are not as the checkpoint has them are put back, and told.
        """
        for table in self._rows() if epochs and self._saved else ():
            path = table.path
            saved = self._saved[path.name].encode()
            then, now = (checksums.of_columns(text, epochs) for text in (saved, _content(path)))
            if checksums.differ(now, then) or len(table.rows) < epochs:
                write_bytes(path, saved)
                self._tell(
                    f"{path}: rows were lost or changed; put back from the checkpoint beside it"
                )
        for table in self._rows():
            if len(table.rows) < epochs:
                raise UserError(
                    f"{table.path}: there are whole rows for {counted(len(table.rows), 'epoch')}, and the "
                    f"checkpoint beside it is of epoch {epochs}; delete {self.path} to train this "
                    "trial from the beginning"
                )
        measured, timed = self._rows()
        self.columns = measured.keep(epochs, self.columns)
        self.timing_columns = timed.keep(epochs, self.timing_columns)
        self._written = {
            path.name: [path.read_text(encoding="utf-8")] for path in (self.metrics, self.timing)
        }

    def append(self, row: Mapping[str, float | int | None], seconds: float) -> None:
        """Append an epoch's row to each CSV; a column of `OWN_COLUMNS` is added with its first row."""
        missing = [name for name in metrics.OWN_COLUMNS if name in row and name not in self.columns]
        if missing:
            table = CsvRows(self.metrics, NEEDED)
            self.columns = table.keep(len(table.rows), (*self.columns, *missing))
            self._written[self.metrics.name] = [self.metrics.read_text(encoding="utf-8")]
        times = {"epoch": row["epoch"], "seconds": round(seconds, 6)}
        for path, line in (
            (self.metrics, metrics.line(self.columns, row)),
            (self.timing, metrics.line(self.timing_columns, times)),
        ):
            metrics.append(path, line)
            self._written[path.name].append(line)

    def discard(self) -> None:
        """Remove the files of a trial that failed before its first row."""
        for path in (self.metadata_path, self.metrics, self.timing):
            path.unlink(missing_ok=True)

    def finish(self, status: str, keep_checkpoint: bool, cuda_graph: bool) -> None:
        """Mark the trial complete; its checkpoint is no longer needed.

        ``cuda_graph``: whether its last steps were replayed from one.
        """
        self._provenance["captured"] = cuda_graph
        for path in (self.metrics, self.timing):  # a power cut must not take them now
            sync_file(path)
        self.set_status(status)
        if not keep_checkpoint:
            self.checkpoints.remove()
        self.checkpoints.previous.unlink(missing_ok=True)

    def _tell(self, text: str) -> None:
        warnings.warn(text, RuntimeWarning, stacklevel=3)


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""


def _has_rows(path: Path) -> bool:
    """Whether a CSV holds more than its head."""
    return b"\n" in _content(path).rstrip()
