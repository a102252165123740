"""The closing table of a sweep: sweep.csv, and the best setting of every optimizer.

``from_paper`` serves searches for the settings of the paper's curves. It is the median of
|ours / paper - 1| over common epochs; empty for a trial that is not finished or without such a curve.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from adam_repro.config.trial import Trial, flat
from adam_repro.errors import TrialFailedError
from adam_repro.figures import paper_curves
from adam_repro.files import write_text
from adam_repro.results.fairness import notes, shown
from adam_repro.runs.folder import COMPLETE, TrialFolder

COSTS = ("train_cost", "test_cost")
LAST = ("train_cost", "train_error", "test_cost", "test_error")  # of the last epoch
# Of the table of best settings: the last columns, and those of numbers.
ENDS = ("train cost", "test cost", "seeds", "note")
RIGHT = ("best lr", *ENDS[:3])
# Settings that every table has a column for.
ALWAYS = ("task.name", "seed", "schedule", "averaging.name")


def sweep_table(
    trials: Sequence[Trial], results: Path, known: dict[str, dict[str, Any]] | None = None
) -> pd.DataFrame:
    """One row per trial: what varies, its status, its last epoch; finished trials first, by training cost.

    ``known``: rows of complete trials by identity, a cache that this function fills.
    """
    known = {} if known is None else known
    rows = [known.get(trial.identity) or _row(trial, results) for trial in trials]
    known |= {row["identity"]: row for row in rows if row["status"] in COMPLETE}
    frame = pd.DataFrame(rows)
    settings = pd.DataFrame([_settings(trial) for trial in trials])
    varied = [c for c in settings if settings[c].map(str).nunique() > 1]  # null is a value too
    frame = pd.concat([settings[varied], frame], axis=1)[_order(frame, varied)]
    by = frame.assign(unfinished=frame["status"] != "finished")
    by = by.sort_values(["task", "unfinished", "train_cost"], na_position="last", ignore_index=True)
    return by.drop(columns="unfinished")


def _settings(trial: Trial) -> dict[str, Any]:
    """The settings outside the optimizer that a sweep can vary, with dotted keys."""
    found = flat({k: v for k, v in trial.settings.items() if k != "optimizer"})
    found["epochs_asked"] = found.pop("epochs")  # the column `epochs` counts those trained
    return {key: _cell(value) for key, value in found.items() if key not in ALWAYS}


def _order(frame: pd.DataFrame, varied: list[str]) -> list[str]:
    before = frame.columns.get_loc("schedule")
    return [*frame.columns[:before], *varied, *frame.columns[before:]]


def _row(trial: Trial, results: Path) -> dict[str, Any]:
    folder = TrialFolder(trial, results)
    status = _status(folder)
    metrics = pd.DataFrame() if status == "damaged" else _read(folder.metrics)
    timing = pd.DataFrame() if status == "damaged" else _read(folder.timing)
    last = metrics.iloc[-1] if len(metrics) else pd.Series(dtype=float)
    own = {k: v for k, v in trial.optimizer.items() if k not in ("name", "target") and v != {}}
    hyperparameters = {key: _cell(value) for key, value in flat(own).items()}
    return {
        "task": trial.task["name"],
        "optimizer": trial.optimizer.get("target") or trial.optimizer["name"],
        **hyperparameters,
        "schedule": trial.schedule,
        "averaging": trial.averaging["name"],
        "seed": trial.seed,
        "status": status,
        "epochs": len(metrics),
        **{name: last.get(name) if status != "diverged" else None for name in LAST},
        "seconds": timing["seconds"].sum() if "seconds" in timing else None,
        "from_paper": _from_paper(trial, metrics) if status == "finished" else float("nan"),
        "identity": trial.identity,
    }


def _status(folder: TrialFolder) -> str:
    """The status of a trial, or ``damaged`` where the files of a complete one are."""
    try:
        return folder.status() or "failed"  # a failure before the first row leaves no folder
    except TrialFailedError:
        return "damaged"


def _read(path: Path) -> pd.DataFrame:
    """The rows of a trial's CSV; none where it is not there, or a trial that is not complete has cut it."""
    try:
        return pd.read_csv(path)
    except (OSError, ValueError):  # of which pandas' errors are
        return pd.DataFrame()


def _cell(value: Any) -> Any:
    """A setting in a form that can be grouped by: a list becomes text."""
    return str(value) if isinstance(value, list) else value


def _from_paper(trial: Trial, metrics: pd.DataFrame) -> float:
    line = paper_curves.find_reference(trial.settings)
    if line is None or metrics.empty:
        return float("nan")
    x, ours = paper_curves.comparable_points(line, metrics)
    ratio = ours / paper_curves.interpolate(line, x) - 1.0
    return float(np.nanmedian(np.abs(ratio))) if np.isfinite(ratio).any() else float("nan")


def write_csv(frame: pd.DataFrame, path: Path) -> None:
    """Write sweep.csv atomically; two processes of one search may write the same file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, frame.to_csv(index=False), shared=True)


def best_settings(frame: pd.DataFrame, there: int = 0, grid: bool = True) -> str:
    """The best setting of each optimizer by mean final training cost over the seeds, as a text table.

    Only finished trials count: the last cost of one that failed or is still running is no result. A
    best lr at the edge of its grid is marked: the optimum may lie beyond. Notes say where optimizers
    are not compared alike. ``there``: so many trials were complete before. ``grid``: the values are a
    grid's, and not what a search has drawn, whose lowest and highest are no edge.
    """
    costs = frame[list(COSTS)].astype(float).where(frame["status"] == "finished")
    finished = frame.assign(**{name: costs[name] for name in COSTS})
    names = _names(finished["optimizer"].unique())
    lines = [
        {"task": task, "optimizer": names[optimizer], **_best_setting(mine, grid)}
        for (task, optimizer), mine in finished.groupby(["task", "optimizer"], sort=True)
    ]
    counts = frame["status"].value_counts()
    total = ", ".join(f"{count} {status}" for status, count in counts.items())
    return "\n".join([*_aligned(lines), total + _told_there(there, len(frame)), *notes(frame)])


def _names(optimizers: Iterable[str]) -> dict[str, str]:
    """The names of ours, and the last parts of import paths, unless two are the same."""
    short = {one: one.rpartition(".")[2] for one in optimizers}
    many = Counter(short.values())
    return {one: name if many[name] == 1 else one for one, name in short.items()}


def _told_there(there: int, trials: int) -> str:
    if not there:
        return ""
    if there == trials:
        return ": nothing was trained, it was all there already"
    return f"; {there} of them {'was' if there == 1 else 'were'} there already"


def _aligned(lines: Sequence[Mapping[str, str]]) -> list[str]:
    """The lines of a table of text. What only some lines have comes in the order of the first that does."""
    names = [*dict.fromkeys(name for line in lines for name in line if name not in ENDS), *ENDS]
    rows = [{name: name for name in names if name != "note"}, *lines]
    widths = {name: max(len(row.get(name, "")) for row in rows) for name in names}
    cells = [
        [
            row.get(name, "").rjust(widths[name])
            if name in RIGHT
            else row.get(name, "").ljust(widths[name])
            for name in names
        ]
        for row in rows
    ]
    return ["  ".join(row).rstrip() for row in cells]


def _best_setting(mine: pd.DataFrame, grid: bool) -> dict[str, str]:
    """The best setting of one optimizer by column; ``mine`` has costs for finished trials only."""
    if mine["train_cost"].isna().all():
        return {"note": "none finished"}
    settings = [name for name in ("lr", "schedule") if name in mine and mine[name].notna().any()]
    settings += [name for name in _varied(mine) if name not in settings]
    # Without a setting that varies, all trials are one group.
    cells = mine.groupby(settings or ["task"], dropna=False)[list(COSTS)]
    means = cells.mean()
    complete = cells.count()["train_cost"] == cells.size()
    if complete.any():  # a setting with a seed that did not finish has no mean
        means[~complete.to_numpy()] = np.nan
    top = int(np.nanargmin(means["train_cost"].to_numpy(dtype=float)))
    key = means.index[top]  # by position: a null setting is equal to no label
    found = dict(zip(settings, key if isinstance(key, tuple) else (key,), strict=False))
    row = means.iloc[top]
    edge = grid and "lr" in found and complete.iloc[top]
    return {
        **{"best lr" if name == "lr" else name: shown(value) for name, value in found.items()},
        "train cost": f"{row['train_cost']:.5g}",
        "test cost": f"{row['test_cost']:.5g}",
        "seeds": str(cells.count()["train_cost"].iloc[top]),
        "note": _edge(mine, found["lr"]) if edge else "",
    }


def _edge(mine: pd.DataFrame, lr: float) -> str:
    """Advice where ``lr`` is the smallest or largest of several that were tried."""
    grid = sorted(mine["lr"].dropna().unique())
    if len(grid) == 1 or lr not in (grid[0], grid[-1]):
        return ""
    return f"edge of the grid: try lr {'below' if lr == grid[0] else 'above'} {lr:g}"


def _varied(mine: pd.DataFrame) -> list[str]:
    """The hyperparameters other than lr that take more than one value."""
    fixed = {"task", "optimizer", "lr", "seed", "status", "epochs", *LAST, "seconds", "from_paper"}
    fixed.add("identity")
    return [c for c in mine.columns if c not in fixed and mine[c].nunique(dropna=False) > 1]
