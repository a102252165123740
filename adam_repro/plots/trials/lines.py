"""Lines of a frame of trials: trials that differ in the seed alone are one line, lines form groups.

The frame is that of :func:`adam_repro.results.frame.load`, or a part of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from adam_repro.config.validate import Choice, check
from adam_repro.errors import UserError
from adam_repro.figures.spec import EVALUATED
from adam_repro.plots.style import PALETTE
from adam_repro.results.frame import COMPLETE, FIRST, is_setting
from adam_repro.statistics import t_band
from adam_repro.wording import suggestion

X = ("epoch", "step", "examples", "seconds")
BANDS = ("range", "t", "none")
COST = "train_cost"  # its last value decides which of several settings is the best


@dataclass(frozen=True)
class Line:
    """Trials that differ in the seed alone; their mean over the seeds.

    ``x``, ``mean``, ``low`` and ``high`` are [n]. ``mean`` is NaN from where a seed diverges; the ends
    of the band too, and for one seed. ``best``: its last training cost is the lowest of its group.
    ``at_end``: that cost, infinite where a seed diverged. ``siblings``: the lines of its group.
    """

    group: str
    setting: str  # what it differs in from the others of its group, as ``lr 0.001``
    settings: Mapping[str, Any]  # of one of its trials, by column
    x: np.ndarray
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    n: int
    diverged: int
    left_out: int  # seeds that are not complete, beside complete ones
    going: int  # seeds that are not complete, where none is
    at_end: float
    best: bool = True
    siblings: int = 1

    @property
    def label(self) -> str:
        """The text of the legend: the group and, of several settings, which one is drawn thick."""
        if self.siblings == 1:
            return self.group
        return f"{self.group} (best of {self.siblings}: {self.setting})"


def lines_of(
    frame: pd.DataFrame, x: str, y: str, group: Sequence[str] | None, band: str
) -> list[Line]:
    """The lines of the trials of one picture, in the order of their settings.

    ``group``: the columns that choose a line's colour; ``None``: every setting that varies if that
    makes no more groups than there are colours, else the optimizer.

    Raises:
        UserError: an unknown column, or one without a value.
    """
    check_columns(frame, x, y, group)
    trials = frame.drop_duplicates("identity").reset_index(drop=True)
    columns = [c for c in frame if is_setting(c) and c != "seed"]
    varied = _varied(trials, columns)
    if group is None:
        group = varied or ["optimizer"]
        if len(trials[group].drop_duplicates()) > len(PALETTE):
            group = ["optimizer"]
    rest = [column for column in varied if column not in group]
    trials = _sorted(trials, list(dict.fromkeys([*varied, *group])))
    of_line = trials.groupby(list({*columns, *group}), dropna=False, sort=False).ngroup()
    drawn = frame[[c for c in ("identity", "epoch", x, y, COST) if c in frame]]
    drawn = drawn.loc[:, ~drawn.columns.duplicated()]
    rows = {str(key): one for key, one in drawn.groupby("identity", sort=False)}
    found = []
    for _, members in trials.groupby(of_line, sort=False):
        first = members.iloc[0]
        found.append(_line(members, rows, (x, y, band), _text(first, group), _text(first, rest)))
    return _with_best(found)


def check_columns(frame: pd.DataFrame, x: str, y: str, group: Sequence[str] | None) -> None:
    """Check that a frame has what is to be drawn.

    Raises:
        UserError: naming what it lacks.
    """
    needed = ("identity", *FIRST)
    if lacking := [name for name in needed if name not in frame]:
        raise UserError(
            f"frame: lacks {', '.join(lacking)}; give the one of adam_repro.load, or rows of it"
        )
    if frame.empty:
        raise UserError("frame: has no rows")
    if x not in X or x not in frame:
        check("x", x, Choice(*(name for name in X if name in frame)))
    drawn = [c for c in frame.select_dtypes("number") if not is_setting(c) and c not in X]
    drawn = [c for c in drawn if frame[c].notna().any()]
    if y not in drawn:
        why = "no trial has a value of it" if y in frame else "there is no such column"
        why = "it is a setting" if y in frame and is_setting(y) else why
        raise UserError(f"y={y}: {why}; legal here: {', '.join(drawn)}{suggestion(y, drawn)}")
    legal = [c for c in frame if is_setting(c) or not pd.api.types.is_numeric_dtype(frame[c])]
    for column in group or ():
        if column not in legal:
            near = next((f" (did you mean {c}?)" for c in legal if c.endswith(f".{column}")), "")
            raise UserError(
                f"group={column}: there is no such setting; legal here: {', '.join(legal)}"
                f"{near or suggestion(column, legal)}"
            )


def _varied(trials: pd.DataFrame, columns: Sequence[str]) -> list[str]:
    """The columns that tell lines apart: task and optimizer, and what varies within one of each."""
    pair = ["task", "optimizer"]
    outer = [c for c in pair if trials[c].nunique() > 1]
    counts = trials.groupby(pair)[[c for c in columns if c not in pair]].nunique(dropna=False)
    return outer + [str(c) for c in counts if (counts[c] > 1).any()]


def _sorted(trials: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """The trials in the order of these settings: numbers by size, all else as words."""

    def key(values: pd.Series) -> pd.Series:
        return values if pd.api.types.is_numeric_dtype(values) else values.astype(str)

    if not columns:
        return trials
    return trials.sort_values(list(columns), key=key, kind="stable", ignore_index=True)


def _text(trial: pd.Series, columns: Sequence[str]) -> str:
    """Settings as a legend has them: ``adam, lr 0.001``; empty ones are left out beside others."""
    shown = [column for column in columns if _has(trial[column])] or list(columns)
    return ", ".join(_word(column, trial[column]) for column in shown)


def _has(value: Any) -> bool:
    """Whether a cell is not empty: null, or a setting that others have."""
    return value is not None and not (isinstance(value, float) and np.isnan(value))


def _word(column: str, value: Any) -> str:
    number = isinstance(value, float | np.floating)
    shown = "null" if not _has(value) else f"{value:g}" if number else str(value)
    parts = column.removesuffix(".name").split(".")
    return shown if column in ("task", "optimizer", "schedule") else f"{parts[-1]} {shown}"


def _line(
    members: pd.DataFrame,
    rows: Mapping[str, pd.DataFrame],
    how: tuple[str, str, str],
    group: str,
    setting: str,
) -> Line:
    """One line; ``members``: a row a trial. Where some are complete, the others are left out."""
    x, y, band = how
    complete = members["status"].isin(COMPLETE)
    used = members[complete] if complete.any() else members
    own = [rows[str(identity)] for identity in used["identity"]]
    epochs, values = _matrix(own, y)
    at = epochs if x == "epoch" else _mean_known(_matrix(own, x)[1])
    finite = np.isfinite(values).all(axis=0)
    mean = np.full(len(epochs), np.nan)
    mean[finite] = values[:, finite].mean(axis=0)
    diverged = int((used["status"] == "diverged").sum())
    costs = [float(one[COST].iloc[-1]) if COST in one else np.nan for one in own]
    return Line(
        group,
        setting,
        members.iloc[0].to_dict(),
        at + (x == "epoch" and y.endswith(EVALUATED)),
        mean,
        *_band(values, finite, band),
        n=len(used),
        diverged=diverged,
        left_out=len(members) - len(used),
        going=0 if complete.any() else len(used),
        at_end=float("inf") if diverged else float(np.mean(costs)),
    )


def _matrix(trials: Sequence[pd.DataFrame], column: str) -> tuple[np.ndarray, np.ndarray]:
    """Epochs [n] and values [trials, n], NaN where a trial has no such row."""
    own = [one["epoch"].to_numpy() for one in trials]
    epochs = np.unique(np.concatenate(own))
    values = np.full((len(trials), len(epochs)), np.nan)
    for row, one, at in zip(values, trials, own, strict=True):
        row[np.searchsorted(epochs, at)] = one[column].to_numpy(float)
    return epochs.astype(float), values


def _mean_known(values: np.ndarray) -> np.ndarray:
    """The mean over the trials that have a value: values [trials, n], NaN where none has."""
    known = np.isfinite(values)
    counts = known.sum(axis=0)
    sums = np.where(known, values, 0.0).sum(axis=0)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def _band(values: np.ndarray, finite: np.ndarray, band: str) -> tuple[np.ndarray, np.ndarray]:
    """The ends of the band, [n] each: the seeds' extremes, or the 95 % t interval of their mean."""
    low, high = (np.full(values.shape[1], np.nan) for _ in range(2))
    if len(values) > 1 and band == "range":
        low[finite], high[finite] = values[:, finite].min(axis=0), values[:, finite].max(axis=0)
    if len(values) > 1 and band == "t":
        low[finite], high[finite] = t_band(values[:, finite])
    return low, high


def _with_best(lines: Sequence[Line]) -> list[Line]:
    """The lines, of which one in each group and task is its best."""
    groups: dict[tuple[str, Any], list[Line]] = {}
    for line in lines:
        groups.setdefault((line.group, line.settings["task"]), []).append(line)
    best = {
        id(min(group, key=lambda line: (not np.isfinite(line.at_end), line.at_end)))
        for group in groups.values()
    }
    return [
        replace(
            line, best=id(line) in best, siblings=len(groups[line.group, line.settings["task"]])
        )
        for line in lines
    ]
