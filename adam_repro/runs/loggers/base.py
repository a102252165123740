"""What every logger has: a run for each trial, resumed without a gap or a double point.

While a trial is unfinished, ``logger.yaml`` in its folder says which run is its own. The rows that the run
lacks are taken from metrics.csv; those that a killed process had logged beyond its last checkpoint are
trained again, and not logged again.
"""

from __future__ import annotations

import csv
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from adam_repro.config.trial import Run, Trial, flat
from adam_repro.engine.protocol import Row, TrialStack
from adam_repro.files import write_text
from adam_repro.runs.callbacks import Callback
from adam_repro.runs.metrics import cell


@dataclass
class OpenRun:
    """A trial's run: what the library knows it by, and the epochs that it holds."""

    handle: Any
    key: str  # finds the run again, in another process
    epochs: set[int] = field(default_factory=set)


class TrialLogger(Callback, ABC):
    """A callback that logs; a subclass says how a run is begun, added to and ended.

    ``name``: as ``logger=`` has it.

    The first error of the library is told once. From then on nothing is logged.
    """

    name: str

    def __init__(self, run: Run) -> None:
        self.results = run.results_dir
        self.sweep = run.sweep
        self.runs: dict[str, OpenRun] = {}  # by identity
        self.failed = False

    @abstractmethod
    def begin(self, trial: Trial, sweep: str, key: str | None) -> OpenRun:
        """Begin a run for a trial, or go on with the one that ``key`` names."""

    @abstractmethod
    def log(self, run: OpenRun, epoch: int, values: Mapping[str, float]) -> None:
        """Add the values of an epoch."""

    @abstractmethod
    def end(self, run: OpenRun, status: str, curve: Path | None) -> None:
        """End a run: ``finished``, ``diverged`` or ``failed``; ``curve``: a drawing, if there is one."""

    def on_stack_start(self, stack: TrialStack, epochs: int) -> None:
        for trial in stack.trials:
            if trial.identity not in self.runs:  # a stack that ran out of memory goes on as two
                self._guarded(self._start, trial, stack.epoch)

    def on_epoch_end(self, rows: dict[str, Row]) -> None:
        for identity, row in rows.items():
            if identity in self.runs:
                self._guarded(self._add, self.runs[identity], row)

    def on_trial_end(self, trial: Trial, status: str) -> None:
        if trial.identity in self.runs:
            self._guarded(self._stop, trial, status)

    def _guarded(self, action: Callable[..., None], *arguments: Any) -> None:
        if self.failed:
            return
        try:
            action(*arguments)
        except Exception as error:  # whatever a library, its database or its server raises
            self.failed = True
            warnings.warn(
                f"logger={self.name}: failed ({type(error).__name__}: {error}); nothing is logged from "
                "here on, and training goes on",
                RuntimeWarning,
                stacklevel=2,
            )

    def _start(self, trial: Trial, epoch: int) -> None:
        folder = trial.folder(self.results)
        before = self._kept(folder)
        sweep = str(before.get("sweep", self.sweep))
        run = self.begin(trial, sweep, before.get("key"))
        kept = {"logger": self.name, "key": run.key, "sweep": sweep}
        write_text(folder / "logger.yaml", yaml.safe_dump(kept))
        self.runs[trial.identity] = run
        for row in _rows(folder / "metrics.csv")[:epoch]:
            self._add(run, row)

    def _kept(self, folder: Path) -> dict[str, Any]:
        """What logger.yaml says of this logger; nothing where there is none."""
        try:
            found = yaml.safe_load((folder / "logger.yaml").read_text(encoding="utf-8"))
        except (OSError, ValueError, yaml.YAMLError):
            return {}
        mine = isinstance(found, dict) and found.get("logger") == self.name
        return found if mine else {}

    def _add(self, run: OpenRun, row: Mapping[str, Any]) -> None:
        epoch = int(row["epoch"])
        if epoch in run.epochs:
            return
        run.epochs.add(epoch)
        # As metrics.csv has them, from which a trial that goes on is logged anew.
        texts = {name: cell(value) for name, value in row.items() if name != "epoch"}
        self.log(run, epoch, {name: float(text) for name, text in texts.items() if text})

    def _stop(self, trial: Trial, status: str) -> None:
        from adam_repro.plots.trial import draw

        run = self.runs.pop(trial.identity)
        folder = trial.folder(self.results)
        drawable = (folder / "trial.yaml").exists() and run.epochs
        self.end(run, status, draw(folder) if drawable else None)
        if status != "failed" or not drawable:  # a trial that failed may go on
            (folder / "logger.yaml").unlink(missing_ok=True)


def title(trial: Trial) -> str:
    """A run's name, for people."""
    optimizer = str(trial.optimizer.get("target") or trial.optimizer["name"]).rsplit(".", 1)[-1]
    lr = trial.optimizer.get("lr")
    words = [trial.task["name"], optimizer, "" if lr is None else f"lr{lr:g}", f"seed{trial.seed}"]
    return "_".join([*filter(None, words), trial.identity])


def settings(trial: Trial) -> dict[str, Any]:
    """A trial's settings with dotted keys."""
    return flat(trial.settings)


def _rows(path: Path) -> list[dict[str, float | None]]:
    """The rows of a trial's metrics.csv."""
    with path.open(encoding="utf-8", newline="") as file:
        return [
            {name: float(cell) if cell else None for name, cell in row.items()}
            for row in csv.DictReader(file)
        ]
