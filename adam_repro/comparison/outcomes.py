"""What became of trials: trained below a results folder, committed with the package, failed, or missing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from adam_repro.comparison.model import ROW_COLUMNS
from adam_repro.config.trial import Trial
from adam_repro.figures.plan import PlannedTrial
from adam_repro.results.reuse import ReusableRows
from adam_repro.results.trial_results import COMPLETE, TrialResults

FAILED = "failed"
MEASURED = (
    "epoch", "step", "train_cost", "eval_train_cost", "test_cost", "test_error", "grad_norm", "seconds",
)  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """One trial: its rows with the columns `MEASURED`, its status, and where it is from.

    ``committed``: the identity of the committed trial whose rows these are; empty: it is trained.
    ``why``: of a failed one.
    """

    rows: pd.DataFrame
    status: str
    committed: str = ""
    why: str = ""

    def cost(self, metric: str) -> float:
        """The last value of a column; infinite if the trial diverged or failed, or has none."""
        if self.status != "finished" or metric not in self.rows or self.rows.empty:
            return math.inf
        value = float(self.rows[metric].iloc[-1])
        return math.inf if math.isnan(value) else value


@dataclass
class Outcomes:
    """The outcomes that were found so far; a trial that is not here is missing.

    ``failures``: why trials failed, by identity. They are not trained again by this process.
    """

    results: Path
    reusable: ReusableRows | None
    failures: dict[str, str] = field(default_factory=dict)
    _found: dict[tuple[str, bool], Outcome] = field(default_factory=dict)

    def find(self, trial: Trial, every_epoch: bool = False) -> Outcome | None:
        """The outcome of a trial; ``None`` while it is missing.

        Committed rows come first: were they replaced once the trial is trained here too, a comparison
        that is stopped could tune otherwise than one that is not.
        ``every_epoch``: a committed trial of which only the last epoch is known is missing.
        """
        key = trial.identity, every_epoch
        if key not in self._found:
            found = self._committed(trial, every_epoch) or self._trained(trial)
            if found is None and trial.identity in self.failures:
                found = Outcome(
                    _measured(pd.DataFrame()), FAILED, why=self.failures[trial.identity]
                )
            if found is None:
                return None
            self._found[key] = found
        return self._found[key]

    def _trained(self, trial: Trial) -> Outcome | None:
        planned, reader = entry(trial), TrialResults(self.results)
        status = reader.status(planned)
        rows = reader.metrics(planned) if status in COMPLETE else None
        return None if rows is None else Outcome(_measured(rows), status)

    def _committed(self, trial: Trial, every_epoch: bool) -> Outcome | None:
        if self.reusable is None or trial.optimizer["name"] == "torch":
            return None
        found = self.reusable.find(trial, every_epoch)
        if found is None:
            return None
        return Outcome(_measured(found.rows), found.status, found.identity)


def entry(trial: Trial) -> PlannedTrial:
    """A trial as the reader of trial folders takes it."""
    return PlannedTrial("", "", "", "", {}, trial, False, "train_cost", False, ())


def _measured(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.reindex(columns=list(MEASURED)).astype(float).reset_index(drop=True)


def labelled(outcome: Outcome, trial: Trial, **columns: object) -> pd.DataFrame:
    """The rows of an outcome as `ROW_COLUMNS` has them; ``columns``: those that the caller knows."""
    rows = outcome.rows.assign(
        seed=trial.seed,
        schedule=trial.schedule,
        status=outcome.status,
        identity=trial.identity,
        source="committed" if outcome.committed else "trained",
        **columns,
    )
    return rows.astype({"epoch": int}).reindex(columns=list(ROW_COLUMNS))


def with_steps(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of one task, with the steps of committed epochs where a trained trial tells them."""
    known = rows[rows["step"].notna()]
    if known.empty:
        return rows
    steps = float((known["step"] / (known["epoch"] + 1)).iloc[0])
    return rows.assign(
        step=np.where(rows["step"].isna(), steps * (rows["epoch"] + 1), rows["step"])
    )


def join(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """The rows of several trials; none of none."""
    filled = [part for part in parts if len(part)]
    if not filled:
        return pd.DataFrame({name: pd.Series(dtype=object) for name in ROW_COLUMNS})
    return with_steps(pd.concat(filled, ignore_index=True))
