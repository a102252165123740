"""What a sweep found: sweep.csv, and the best setting of every optimizer.

Searches for the settings of the paper's own curves are sweeps too: ``from_paper`` is the median of
|ours / paper - 1| over the epochs both have, empty where the paper has no curve.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from adam_repro.config.trial import Trial, flat
from adam_repro.figures import paper_curves
from adam_repro.files import write_text
from adam_repro.runs.folder import COMPLETE, TrialFolder

LAST = ("train_cost", "train_error", "test_cost", "test_error")
# Settings with a column of their own.
APART = ("task.name", "seed", "schedule", "averaging.name")


def table(
    trials: Sequence[Trial], results: Path, known: dict[str, dict[str, Any]] | None = None
) -> pd.DataFrame:
    """One row a trial: what varies, its status and its last epoch; the best training cost first.

    ``known``: the rows of complete trials by identity, which are not read again; new ones are added.
    """
    known = {} if known is None else known
    rows = [known.get(trial.identity) or _row(trial, results) for trial in trials]
    known |= {row["identity"]: row for row in rows if row["status"] in COMPLETE}
    frame = pd.DataFrame(rows)
    settings = pd.DataFrame([_settings(trial) for trial in trials])
    varied = [c for c in settings if settings[c].map(str).nunique() > 1]  # null is a value too
    frame = pd.concat([settings[varied], frame], axis=1)[_order(frame, varied)]
    return frame.sort_values(["task", "train_cost"], na_position="last", ignore_index=True)


def _settings(trial: Trial) -> dict[str, Any]:
    """What a sweep can vary beside the optimizer, with dotted keys."""
    found = flat({k: v for k, v in trial.settings.items() if k != "optimizer"})
    found["epochs_asked"] = found.pop("epochs")  # the column `epochs` tells how many were trained
    return {key: _cell(value) for key, value in found.items() if key not in APART}


def _order(frame: pd.DataFrame, varied: list[str]) -> list[str]:
    before = frame.columns.get_loc("schedule")
    return [*frame.columns[:before], *varied, *frame.columns[before:]]


def _row(trial: Trial, results: Path) -> dict[str, Any]:
    folder = TrialFolder(trial, results)
    metrics = pd.read_csv(folder.metrics) if folder.metrics.exists() else pd.DataFrame()
    last = metrics.iloc[-1] if len(metrics) else pd.Series(dtype=float)
    status = folder.status() or "failed"  # before its first row, which leaves no folder
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
        "seconds": pd.read_csv(folder.timing)["seconds"].sum() if folder.timing.exists() else None,
        "from_paper": _from_paper(trial, metrics),
        "identity": trial.identity,
    }


def _cell(value: Any) -> Any:
    """A setting as a table can group by it: a list is its text."""
    return str(value) if isinstance(value, list) else value


def _from_paper(trial: Trial, metrics: pd.DataFrame) -> float:
    line = paper_curves.find_reference(trial.settings)
    if line is None or metrics.empty:
        return float("nan")
    x, ours = paper_curves.comparable_points(line, metrics)
    ratio = ours / paper_curves.interpolate(line, x) - 1.0
    return float(np.nanmedian(np.abs(ratio))) if np.isfinite(ratio).any() else float("nan")


def write(frame: pd.DataFrame, path: Path) -> None:
    """Write sweep.csv whole; two processes may write the same one, as those of one search do."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, frame.to_csv(index=False), shared=True)


def best(frame: pd.DataFrame) -> str:
    """The best setting of each optimizer by mean final training cost over the seeds.

    A stepsize at the edge of its grid is flagged: the true optimum may lie beyond.
    """
    lines = [
        f"{'task':<18}{'optimizer':<16}{'best lr':>9}{'train cost':>12}{'test cost':>11}  seeds"
    ]
    for (task, optimizer), mine in frame.groupby(["task", "optimizer"], sort=True):
        lines.append(f"{task:<18}{optimizer.rsplit('.', 1)[-1]:<16}{_best_line(mine)}")
    counts = frame["status"].value_counts()
    lines.append(", ".join(f"{count} {status}" for status, count in counts.items()))
    return "\n".join(lines)


def _best_line(mine: pd.DataFrame) -> str:
    with_lr = "lr" in mine and mine["lr"].notna().any()
    settings = [*(["lr"] if with_lr else []), *_varied(mine)]
    if mine["train_cost"].isna().all():
        return f"{'–':>9}{'–':>12}{'–':>11}  none finished"
    if not settings:
        mean = mine[["train_cost", "test_cost"]].mean()
        return f"{'':>9}{mean['train_cost']:>12.5g}{mean['test_cost']:>11.5g}  {len(mine)}"
    # A setting that diverged for any seed has no mean.
    cells = mine.groupby(settings, dropna=False)[["train_cost", "test_cost"]]
    means = cells.agg(lambda column: column.mean(skipna=False))
    if means["train_cost"].isna().all():
        means = cells.mean()
    top = int(np.nanargmin(means["train_cost"].to_numpy(dtype=float)))
    key = means.index[top]  # by its place: a null setting is equal to no label
    found = dict(zip(settings, key if isinstance(key, tuple) else (key,), strict=True))
    lr = found.pop("lr", None)
    row = means.iloc[top]
    text = f"{'' if lr is None else format(lr, '.3g'):>9}"
    text += f"{row['train_cost']:>12.5g}{row['test_cost']:>11.5g}  {cells.size().iloc[top]}"
    for name, value in found.items():
        text += f", {name} {'null' if pd.isna(value) else value}"
    grid = sorted(mine["lr"].unique()) if with_lr else []
    if len(grid) > 1 and lr in (grid[0], grid[-1]):
        side = "below" if lr == grid[0] else "above"
        text += f"  (edge of the grid: try lr {side} {lr:g})"
    return text


def _varied(mine: pd.DataFrame) -> list[str]:
    """The hyperparameters, beside lr, that take more than one value."""
    fixed = {"task", "optimizer", "lr", "seed", "status", "epochs", *LAST, "seconds", "from_paper"}
    fixed.add("identity")
    return [c for c in mine.columns if c not in fixed and mine[c].nunique(dropna=False) > 1]
