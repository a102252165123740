"""A trial's folder: its settings and status, its rows, its checkpoint; safe against a kill at any moment.

A row is appended and flushed before the checkpoint that contains its epoch is put in place. On
resumption the rows beyond the checkpoint are cut off and trained again, from the same state and the
same random streams, so that an interrupted trial ends with the same metrics.csv.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
import yaml
from filelock import FileLock, Timeout

from adam_repro.config.trial import Trial
from adam_repro.engine import packing, source, tables
from adam_repro.engine.provenance import provenance
from adam_repro.errors import UserError
from adam_repro.online.registry import COLUMNS as ONLINE_COLUMNS

COLUMNS = (
    "epoch",
    "step",
    "examples",
    "train_cost",
    "train_error",
    "eval_train_cost",
    "test_cost",
    "test_error",
    "stepsize",
    "grad_norm",
)
AVERAGE_COLUMNS = ("average_eval_train_cost", "average_test_cost", "average_test_error")
TIMING_COLUMNS = ("epoch", "seconds")
COMPLETE = ("finished", "diverged")


class TrialFolder:
    """The files of one trial below a results folder."""

    def __init__(self, trial: Trial, results: Path) -> None:
        self.trial = trial
        self.path = trial.folder(results)
        averaged = trial.averaging["name"] != "none"
        own = ONLINE_COLUMNS.get(trial.task["model"], ())
        self.columns = COLUMNS + (AVERAGE_COLUMNS if averaged else ()) + own
        self._resumable: bool | None = None  # not known before the first checkpoint
        self._lock = FileLock(self.path / ".lock", timeout=0)

    @property
    def metrics(self) -> Path:
        return self.path / "metrics.csv"

    @property
    def timing(self) -> Path:
        return self.path / "timing.csv"

    @property
    def _tables(self) -> tuple[tuple[Path, tuple[str, ...]], ...]:
        return (self.metrics, self.columns), (self.timing, TIMING_COLUMNS)

    @property
    def checkpoint(self) -> Path:
        return self.path / "state.pt"

    @property
    def record(self) -> Path:
        return self.path / "trial.yaml"

    def status(self) -> str | None:
        """running, finished, diverged or failed; ``None`` where there is no readable trial.yaml.

        Raises:
            UserError: the trial is complete, but rows of it are lost.
        """
        record = self._recorded()
        if record is None:
            return None
        status = str(record["status"])
        if status in COMPLETE:
            self._check_rows(status)
        return status

    def provenance(self) -> dict[str, Any]:
        """What trial.yaml says of versions and hardware; nothing where it is not readable."""
        found = (self._recorded() or {}).get("provenance")
        return dict(found) if isinstance(found, dict) else {}

    def _recorded(self) -> dict[str, Any] | None:
        """trial.yaml; ``None`` where it is not readable, or lacks what every one has."""
        try:
            record = dict(yaml.safe_load(self.record.read_text()))
        except (OSError, ValueError, TypeError, yaml.YAMLError):
            return None
        return record if {"status", "config"} <= record.keys() else None

    def _check_rows(self, status: str) -> None:
        wanted = self.trial.epochs if status == "finished" else 1
        for path, columns in self._tables:
            rows = tables.whole_rows(path, columns)
            if len(rows) < wanted or not tables.ends_with(path, rows[-1]):
                raise UserError(
                    f"{path}: the trial is {status}, but {len(rows)} whole rows are there of "
                    f"{self.trial.epochs} epochs; restore the file, or delete {self.path} to train "
                    "the trial again"
                )

    def acquire(self) -> bool:
        """Take the trial for this process; false when another one is training it.

        The lock is the operating system's: it goes with the process, however that ends.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock.acquire()
        except Timeout:
            return False
        except OSError as error:
            raise UserError(
                f"results_dir: cannot write to {self.path}: {error.strerror or error}; "
                "choose a folder you can write to"
            ) from None
        return True

    def release(self) -> None:
        """Let the trial go; a folder in which nothing was started leaves no trace."""
        if not self.record.exists():
            Path(self._lock.lock_file).unlink(missing_ok=True)
            with suppress(OSError):  # a folder that holds anything stays
                for folder in (self.path, *self.path.parents[:3]):
                    folder.rmdir()
        self._lock.release()

    def start(self, device: torch.device, threads: int, epoch: int) -> None:
        """Record what is about to be trained from ``epoch`` on, and on what."""
        own = source.version(self.trial.optimizer, self.provenance() if epoch else {})
        self._provenance = provenance(device, threads) | own
        self.mark("running")

    def mark(self, status: str) -> None:
        """Replace trial.yaml, with the new status."""
        record = {
            "identity": self.trial.identity,
            "status": status,
            "config": self.trial.settings,
            "provenance": self._provenance,
        }
        text = yaml.safe_dump(record, sort_keys=False, allow_unicode=True)
        replace(self.record, text.encode())

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
        """Replace the checkpoint atomically; none is written that could not be read back."""
        if self._resumable is None:
            self._resumable = self._can_be_read(state)
        if self._resumable and self.trial.optimizer["name"] == "torch":
            self._resumable = self._is_whole(state)
        if self._resumable:
            content = packing.pack({"identity": self.trial.identity, **state})
            replace(self.checkpoint, content.getbuffer())

    def _can_be_read(self, state: Mapping[str, Any]) -> bool:
        """Whether the state of a foreign optimizer, which may hold anything, comes back; told if not."""
        if self.trial.optimizer["name"] != "torch":
            return True
        found = packing.unreadable(state["optimizer"]["torch"], "state_dict()")
        if found is not None:
            self._warn(f"its state cannot be read back from a checkpoint ({found})")
        return found is None

    def _is_whole(self, state: Mapping[str, Any]) -> bool:
        """Whether nothing moves that a foreign optimizer keeps elsewhere, which may begin at any time."""
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
        for path, columns in self._tables:
            rows = tables.whole_rows(path, columns)[:epochs]
            if len(rows) < epochs:
                raise UserError(
                    f"{path}: {len(rows)} whole rows are there, and the checkpoint beside it is of "
                    f"epoch {epochs}; delete {self.path} to train this trial from the beginning"
                )
            replace(path, tables.header(columns) + b"".join(rows))

    def append(self, row: Mapping[str, float | int | None], seconds: float) -> None:
        """Add an epoch's row; what was not measured is left empty."""
        _append(self.metrics, [row.get(column) for column in self.columns])
        _append(self.timing, [row["epoch"], round(seconds, 6)])

    def withdraw(self) -> None:
        """Leave nothing of a trial that failed before its first row; :meth:`release` does the rest."""
        for path in (self.record, self.metrics, self.timing):
            path.unlink(missing_ok=True)

    def finish(self, status: str, keep_checkpoint: bool, captured: bool) -> None:
        """Mark the trial complete; its checkpoint is no longer needed.

        ``captured``: whether its last steps were replayed from a CUDA graph.
        """
        self._provenance["captured"] = captured
        self.mark(status)
        if not keep_checkpoint:
            self.checkpoint.unlink(missing_ok=True)


def replace(path: Path, content: bytes | memoryview, suffix: str = ".partial") -> None:
    """Put ``content`` at ``path`` whole or not at all.

    ``suffix``: of the file it is written to first; a name of its own where another process may write
    the same at the same time.
    """
    temporary = path.with_name(path.name + suffix)
    temporary.write_bytes(content)
    os.replace(temporary, path)


def _append(path: Path, values: list[float | int | None]) -> None:
    with path.open("a", newline="") as file:
        file.write(",".join(_text(value) for value in values) + "\n")


def _text(value: float | int | None) -> str:
    if value is None:
        return ""
    return str(value) if isinstance(value, int) else f"{value:.9g}"
