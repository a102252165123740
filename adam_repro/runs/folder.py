"""A trial's directory: metadata and status, rows, checkpoint. It is safe against a kill at any moment.

A row is appended and flushed before the checkpoint that contains its epoch is put in place. On
resumption the rows beyond the checkpoint are cut off and trained again, from the same state and the
same random streams, so that an interrupted trial ends with the same metrics.csv.
"""

from __future__ import annotations

import errno
import warnings
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
import yaml

from adam_repro import open_files
from adam_repro.config.trial import Trial
from adam_repro.errors import TrialFailedError, UserError
from adam_repro.file_locks import FileLock
from adam_repro.files import write_bytes, write_text
from adam_repro.optim import foreign
from adam_repro.runs import metrics
from adam_repro.runs.checkpoint import pack, unreadable
from adam_repro.runs.metrics import CsvRows
from adam_repro.runs.provenance import continued, provenance

NEEDED = ("epoch", "train_cost")  # of the columns of metrics.csv
COMPLETE = ("finished", "diverged")


class TrialFolder:
    """The files of one trial below a results folder."""

    def __init__(self, trial: Trial, results: Path) -> None:
        self.trial = trial
        self.path = trial.folder(results)
        self.columns = metrics.columns(trial)
        self.timing_columns: tuple[str, ...] = metrics.TIMING_COLUMNS
        self._resumable: bool | None = None  # not known before the first checkpoint
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
        return self.path / "state.pt"

    @property
    def metadata_path(self) -> Path:
        return self.path / "trial.yaml"

    def status(self) -> str | None:
        """running, finished, diverged or failed; ``None`` where there is no readable trial.yaml.

        Raises:
            UserError: the trial is complete, but rows of it are lost.
        """
        metadata = self._metadata()
        if metadata is None:
            return None
        status = str(metadata["status"])
        if status in COMPLETE:
            self._check_rows(status)
        return status

    def provenance(self) -> dict[str, Any]:
        """What trial.yaml says of versions and hardware; nothing where it is not readable."""
        found = (self._metadata() or {}).get("provenance")
        return dict(found) if isinstance(found, dict) else {}

    def _metadata(self) -> dict[str, Any] | None:
        """trial.yaml; ``None`` where it is not readable, or lacks what every one has."""
        try:
            metadata = dict(yaml.safe_load(self.metadata_path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError, yaml.YAMLError):
            return None
        return metadata if {"status", "config"} <= metadata.keys() else None

    def _check_rows(self, status: str) -> None:
        wanted = self.trial.epochs if status == "finished" else 1
        for table in self._rows():
            if len(table.rows) < wanted or not table.nothing_follows():
                flaw = f" ({table.flaw})" if table.flaw else ""
                raise TrialFailedError(
                    f"{table.path}: the trial is {status}, but {len(table.rows)} whole rows are there of "
                    f"{self.trial.epochs} epochs{flaw}; restore the file, or delete {self.path} to train "
                    "the trial again"
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
            raise UserError(
                f"results_dir: cannot write to {self.path}: {error.strerror or error}; "
                "choose a folder you can write to"
            ) from None

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
        """Write the metadata: what is trained from ``epoch`` on, and on which hardware."""
        before = self.provenance() if epoch else {}
        own = foreign.source_hash(self.trial.optimizer, before)
        self._provenance = continued(before, provenance(device, threads) | own, epoch)
        self.set_status("running")

    def set_status(self, status: str) -> None:
        """Replace trial.yaml, with the new status."""
        record = {
            "identity": self.trial.identity,
            "status": status,
            "config": self.trial.settings,
            "provenance": self._provenance,
        }
        text = yaml.safe_dump(record, sort_keys=False, allow_unicode=True)
        write_text(self.metadata_path, text)

    def epoch(self) -> int:
        """Epochs that the checkpoint contains; 0 where there is none. Its tensors are not read."""
        state = self.load(torch.device("cpu"), mmap=True)
        return 0 if state is None else state["epoch"]

    def load(self, device: torch.device, mmap: bool = False) -> dict[str, Any] | None:
        """The state of the last completed epoch, or ``None`` to begin at the beginning.

        ``mmap``: leave the tensors in the file until they are looked at.
        """
        try:
            state = torch.load(self.checkpoint, map_location=device, weights_only=True, mmap=mmap)
            if state["identity"] != self.trial.identity:
                return None
            state["epoch"] = int(state["epoch"])
        except FileNotFoundError:
            return None
        except Exception as error:  # torch.load raises many kinds for a damaged file
            raise self.unreadable(error) from None
        return dict(state)

    def unreadable(self, error: Exception) -> UserError:
        return UserError(
            f"{self.checkpoint}: not a readable checkpoint ({type(error).__name__}); "
            "delete it to train this trial from the beginning"
        )

    def save(self, state: Mapping[str, Any]) -> None:
        """Replace the checkpoint atomically, unless it could not be read back."""
        if self._resumable is None:
            self._resumable = self._can_be_read(state)
        if self._resumable and self.trial.optimizer["name"] == "torch":
            self._resumable = self._is_whole(state)
        if self._resumable:
            content = pack({"identity": self.trial.identity, **state})
            write_bytes(self.checkpoint, content.getbuffer())

    def _can_be_read(self, state: Mapping[str, Any]) -> bool:
        """Whether the state of a foreign optimizer can be read back; a warning if not."""
        if self.trial.optimizer["name"] != "torch":
            return True
        found = unreadable(state["optimizer"]["torch"], "state_dict()")
        if found is not None:
            self._warn(f"its state cannot be read back from a checkpoint ({found})")
        return found is None

    def _is_whole(self, state: Mapping[str, Any]) -> bool:
        """Whether a foreign optimizer's state_dict() holds all of its state so far; a warning if not."""
        outside = state["optimizer"]["outside"]
        if outside:
            self.checkpoint.unlink(missing_ok=True)
            self._warn(
                f"{outside} changes and is not in its state_dict() (use self.state, or param_groups)"
            )
        return not outside

    def _warn(self, reason: str) -> None:
        warnings.warn(
            f"optimizer.target={self.trial.optimizer['target']}: {reason}, so no checkpoint is written: "
            "a trial that is interrupted loses its epochs, and begins again",
            RuntimeWarning,
            stacklevel=4,
        )

    def rewind(self, epochs: int) -> None:
        """Keep the rows of the first ``epochs`` epochs of each CSV, and no others."""
        for table in self._rows():
            if len(table.rows) < epochs:
                raise UserError(
                    f"{table.path}: {len(table.rows)} whole rows are there, and the checkpoint beside it "
                    f"is of epoch {epochs}; delete {self.path} to train this trial from the beginning"
                )
        measured, timed = self._rows()
        self.columns = measured.keep(epochs, self.columns)
        self.timing_columns = timed.keep(epochs, self.timing_columns)

    def append(self, row: Mapping[str, float | int | None], seconds: float) -> None:
        """Append an epoch's row to each CSV."""
        metrics.append(self.metrics, self.columns, row)
        times = {"epoch": row["epoch"], "seconds": round(seconds, 6)}
        metrics.append(self.timing, self.timing_columns, times)

    def discard(self) -> None:
        """Remove the files of a trial that failed before its first row."""
        for path in (self.metadata_path, self.metrics, self.timing):
            path.unlink(missing_ok=True)

    def finish(self, status: str, keep_checkpoint: bool, cuda_graph: bool) -> None:
        """Mark the trial complete; its checkpoint is no longer needed.

        ``cuda_graph``: whether its last steps were replayed from one.
        """
        self._provenance["captured"] = cuda_graph
        self.set_status(status)
        if not keep_checkpoint:
            self.checkpoint.unlink(missing_ok=True)
