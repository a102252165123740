"""The numbers of the page that the tests do not need: curves, targets, ranges of stepsizes, profiles."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from adam_repro.comparison.model import REPEAT, TUNING_SEED, Comparison, Setting, TaskResult
from adam_repro.config.trial import flat

NEAR = 1.10  # of the lowest cost: within 10 %


@dataclass(frozen=True)
class Curve:
    """An optimizer on a task at its best setting: mean cost [n] over the seeds, NaN where one diverged.

    ``steps`` [n]: minibatches until the end of each epoch, NaN where they are not known.
    """

    epochs: np.ndarray  # from 1: passes until the end of the epoch
    steps: np.ndarray
    cost: np.ndarray
    n: int

    @property
    def final(self) -> float:
        """The last cost; infinite where a seed diverged."""
        return float(self.cost[-1]) if len(self.cost) and np.isfinite(self.cost[-1]) else math.inf


@dataclass(frozen=True)
class Target:
    """A cost that optimizers are to reach, and in words where it is from."""

    name: str
    cost: float


@dataclass(frozen=True)
class LrRange:
    """The stepsizes that end within 10 % of the best one, among those tried at equal other options."""

    best: float
    low: float
    high: float
    tried: int
    lost: int  # trials that diverged or failed

    @property
    def factor(self) -> float:
        return self.high / self.low


def best_rows(task: TaskResult, label: str) -> pd.DataFrame:
    """The rows that show an optimizer: its best setting with the seeds that did not tune it.

    Those of the tuning trial where there is no other seed.
    """
    rows = task.rows[task.rows["optimizer"] == label]
    repeats = rows[(rows["stage"] == REPEAT) & (rows["seed"] != TUNING_SEED)]
    if len(repeats) or label not in task.best:
        return repeats
    return rows[_is_setting(rows, task.best[label])]


def _is_setting(rows: pd.DataFrame, setting: Setting) -> pd.Series:
    lr = rows["lr"].astype(float)
    same_lr = lr.isna() if setting.lr is None else np.isclose(lr, setting.lr, rtol=1e-9, atol=0)
    grid = rows["grid"].fillna("").astype(str)
    return same_lr & (rows["schedule"] == setting.schedule) & (grid == setting.grid)


def curves(task: TaskResult) -> dict[str, Curve]:
    """The curve of every optimizer that has a best setting."""
    found = {}
    for label in task.best:
        rows = best_rows(task, label)
        if len(rows):
            costs = rows.pivot_table(
                index="seed", columns="epoch", values=task.metric, dropna=False
            ).astype(float)
            cost = costs.to_numpy()
            known = np.isfinite(cost).all(axis=0)
            mean = np.where(known, np.where(known, cost, 0.0).mean(axis=0), np.nan)
            epochs = costs.columns.to_numpy(float) + 1
            steps = rows.groupby("epoch")["step"].mean().reindex(costs.columns).to_numpy(float)
            found[label] = Curve(epochs, steps, mean, len(costs))
    return found


def targets(found: Mapping[str, Curve]) -> list[Target]:
    """Three costs that are defined by the final ones alone: of no optimizer's choosing."""
    finals = sorted(one.final for one in found.values() if math.isfinite(one.final))
    if not finals:
        return []
    middle = finals[(len(finals) - 1) // 2]
    hard = NEAR * finals[0] if finals[0] > 0 else finals[0]
    return [
        Target("within 10 % of the lowest at the end", min(hard, finals[-1])),
        Target("median at the end", middle),
        Target("highest at the end", finals[-1]),
    ]


def median_target(found: Mapping[str, Curve]) -> Target | None:
    """The target of the performance profile: half of the optimizers reach it."""
    return next((one for one in targets(found) if one.name.startswith("median")), None)


def reached(curve: Curve, target: Target) -> int | None:
    """The index of the first epoch whose cost is at or below the target; ``None`` if there is none."""
    with np.errstate(invalid="ignore"):
        hits = np.flatnonzero(curve.cost <= target.cost * (1 + 1e-12))
    return int(hits[0]) if len(hits) else None


def profile(comparison: Comparison) -> pd.DataFrame:
    """Steps to the median target over those of the fastest optimizer: a row a task, a column each.

    Infinite where an optimizer does not reach it, or cannot train the task. Of a task whose steps are
    not known, epochs.
    """
    rows = {}
    for task in comparison.tasks:
        found = curves(task)
        target = median_target(found)
        if target is None:
            continue
        timed = all(np.isfinite(one.steps).all() for one in found.values())
        needed = {}
        for one in comparison.entrants:
            at = reached(found[one.label], target) if one.label in found else None
            if at is None:
                needed[one.label] = math.inf
            else:
                curve = found[one.label]
                needed[one.label] = float((curve.steps if timed else curve.epochs)[at])
        fastest = min(needed.values())
        rows[task.task] = {label: value / fastest for label, value in needed.items()}
    return pd.DataFrame.from_dict(rows, orient="index")


def by_stepsize(task: TaskResult) -> pd.DataFrame:
    """The lowest final cost at each stepsize that was tried: columns optimizer, lr, cost."""
    rows = [
        {"optimizer": label, "lr": trial.setting.lr, "cost": trial.cost}
        for label, trials in task.tuning.items()
        for trial in trials
        if trial.setting.lr is not None
    ]
    if not rows:
        return pd.DataFrame(columns=["optimizer", "lr", "cost"])
    return pd.DataFrame(rows).groupby(["optimizer", "lr"], sort=False, as_index=False)["cost"].min()


def best_after(task: TaskResult) -> pd.DataFrame:
    """The lowest cost of the first k tuning trials: columns optimizer, k, cost."""
    rows = []
    for label, trials in task.tuning.items():
        lowest = math.inf
        for k, trial in enumerate(trials, start=1):
            lowest = min(lowest, trial.cost)
            rows.append({"optimizer": label, "k": k, "cost": lowest})
    return pd.DataFrame(rows, columns=["optimizer", "k", "cost"])


def lr_range(task: TaskResult, label: str) -> LrRange | None:
    """How wide the range of good stepsizes is; ``None`` for an optimizer without any."""
    best, trials = task.best.get(label), task.tuning.get(label, ())
    if best is None or best.lr is None:
        return None
    costs: dict[float | None, float] = {
        trial.setting.lr: trial.cost
        for trial in trials
        if (trial.setting.schedule, trial.setting.others) == (best.schedule, best.others)
    }
    if best.lr not in costs:
        return None
    grid = sorted(lr for lr in costs if lr is not None)
    lowest = costs[best.lr]
    limit = NEAR * lowest if lowest > 0 else lowest
    low = high = grid.index(best.lr)
    while low > 0 and costs[grid[low - 1]] <= limit:
        low -= 1
    while high < len(grid) - 1 and costs[grid[high + 1]] <= limit:
        high += 1
    lost = sum(trial.status != "finished" for trial in trials)
    return LrRange(best.lr, grid[low], grid[high], len(trials), lost)


def trial_frame(comparison: Comparison, task: TaskResult) -> pd.DataFrame:
    """The rows that are shown, in the form of :func:`adam_repro.results.frame.load`."""
    origin = {
        "trained": comparison.provenance.get("hardware"),
        "committed": ", ".join(map(str, comparison.provenance.get("committed") or {})) or None,
    }
    parts = []
    for one in comparison.entrants:
        rows = best_rows(task, one.label)
        if len(rows):
            settings = _cells(task.settings.get(one.label, {}))
            settings = {key: value for key, value in settings.items() if key not in rows}
            parts.append(
                rows.assign(
                    **settings,
                    task=task.task,
                    optimizer=one.label,
                    identity=one.label + " " + rows["identity"].astype(str),
                    hardware=rows["source"].map(origin),
                )
            )
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def _cells(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings with dotted names, in a form that can be compared."""
    return {
        key: str(value) if isinstance(value, list | tuple | Mapping) else value
        for key, value in flat(settings).items()
    }
