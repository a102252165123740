"""The lines of a figure: mean over seeds, bootstrapped band, what diverged, what is missing."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from adam_repro.figures.spec import EVALUATED, Figure, Panel

RESAMPLES = 1000
DIVERGED = 400.0  # figure 4 draws a diverged run, or any cost above it, as exactly this
LOST = DIVERGED - 0.5  # from here on a point that was read from the drawing is such a run


@dataclass(frozen=True)
class Curve:
    """One series of one reading: costs [seeds, epochs], NaN where a trial has no such row.

    ``x``: epochs from 0. ``seconds`` [seeds, epochs] until the end of each. ``diverged``: seeds that
    ended so. ``cut``: seeds left out because rows are missing, in words for a person.
    """

    label: str
    reading: str
    x: np.ndarray
    costs: np.ndarray
    seconds: np.ndarray
    seeds: tuple[int, ...]
    diverged: int = 0
    cut: str = ""
    lr: float = float("nan")

    @property
    def n(self) -> int:
        return len(self.seeds)

    @property
    def whole(self) -> np.ndarray:
        """Which epochs every seed has a finite cost for, [epochs] bool."""
        return np.isfinite(self.costs).all(axis=0)

    @property
    def mean(self) -> np.ndarray:
        """Mean cost over the seeds, NaN from where one of them has diverged."""
        return np.where(self.whole, _mean(self.costs), np.nan)

    def band(self) -> tuple[np.ndarray, np.ndarray] | None:
        return band(self.costs[:, self.whole])


@dataclass
class Lines:
    """The curves of one reading of one panel, in the order of the legend, and what is missing."""

    curves: list[Curve]
    problems: list[str] = field(default_factory=list)

    def one(self, label: str) -> Curve | None:
        return next((curve for curve in self.curves if curve.label == label), None)


def band(values: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Bootstrapped 95 % interval of the mean over seeds: values [seeds, n], bounds [n] each.

    Percentile bootstrap, the same resamples at every x; ``None`` for a single seed.
    """
    if values.shape[0] < 2 or values.shape[1] == 0:
        return None
    from scipy.stats import bootstrap

    low, high = bootstrap(
        (values,), np.mean, axis=0, vectorized=True, n_resamples=RESAMPLES,
        method="percentile", random_state=np.random.default_rng(0),
    ).confidence_interval  # fmt: skip
    return np.asarray(low), np.asarray(high)


def order(figure: Figure, rows: pd.DataFrame) -> list[str]:
    """The labels in the legend's order: the figure's, then those a user has added."""
    known = [series.label for series in figure.series]
    return known + sorted(set(rows["series"].unique()) - set(known))


def of_reading(rows: pd.DataFrame, reading: str) -> pd.DataFrame:
    """The rows of a reading, and those that belong to both."""
    return rows[rows["reading"].isin((reading, ""))]


def lines(figure: Figure, rows: pd.DataFrame, reading: str, panel: Panel) -> Lines:
    """Every series of a reading that has rows for a panel."""
    mine = of_reading(rows, reading)
    mine = mine[mine["selected"] & mine["panel"].isin((panel.name, ""))]
    found = Lines([])
    for label in order(figure, rows):
        of_series = mine[mine["series"] == label]
        if of_series.empty:
            found.problems.append(f"{label}: no data")
            continue
        if panel.quantity == EVALUATED and not of_series[EVALUATED].notna().any():
            found.problems.append(f"{label}: no {EVALUATED}")
            continue
        curve = _curve(label, reading, of_series, panel.quantity)
        found.curves.append(curve)
        if curve.cut:
            found.problems.append(f"{label}: {curve.cut}")
    return found


def _curve(label: str, reading: str, rows: pd.DataFrame, quantity: str) -> Curve:
    rows = rows.drop_duplicates(["seed", "epoch"], keep="last")
    costs = rows.pivot(index="seed", columns="epoch", values=quantity)
    seconds = rows.pivot(index="seed", columns="epoch", values="seconds")
    died = rows.groupby("seed")["status"].last() == "diverged"
    lengths = rows.groupby("seed")["epoch"].nunique()
    complete = (lengths == lengths.max()) | died
    cut = ""
    if not complete.all():
        cut = f"{(~complete).sum()} of {len(complete)} seeds have lost rows and are left out"
        costs, seconds = costs[complete], seconds[complete]
    lr = rows["lr"].dropna().unique()
    return Curve(
        label,
        reading,
        costs.columns.to_numpy(float) + (quantity == EVALUATED),
        costs.to_numpy(float),
        seconds.to_numpy(float),
        tuple(int(seed) for seed in costs.index),
        int(died[complete].sum()),
        cut,
        float(lr[0]) if len(lr) == 1 else float("nan"),
    )


def cells(
    rows: pd.DataFrame, panel: Panel, reading: str, label: str, ceiling: float = DIVERGED
) -> pd.DataFrame:
    """Figure 4: cost by lr in one panel: columns lr, cost (mean, or the ceiling), low, high, n.

    A lr counts as diverged when any seed's cost is not finite or above the ceiling.
    """
    mine = rows[(rows["panel"] == panel.name) & (rows["series"] == label)]
    mine = of_reading(mine[mine["lr"].notna()], reading)
    costs = capped(mine, panel.quantity, ceiling).groupby("lr")["cost"]
    found = costs.agg(["mean", "min", "max", "size"]).reset_index()
    found.columns = pd.Index(["lr", "cost", "low", "high", "n"])
    found["diverged"] = found["high"] >= ceiling
    found.loc[found["diverged"], "cost"] = ceiling
    return found


def capped(rows: pd.DataFrame, quantity: str, ceiling: float = DIVERGED) -> pd.DataFrame:
    """The rows with ``cost``, the quantity with divergence as the paper draws it: 400.

    Without those of trials that are alive and in which the quantity was not measured.
    """
    trained = rows["train_cost"].to_numpy(float)
    dead = ~np.isfinite(trained) | (rows["status"] == "diverged").to_numpy()
    costs = rows[quantity].to_numpy(float)
    drawn = np.where(dead | np.isinf(costs), ceiling, np.minimum(costs, ceiling))
    return rows.assign(cost=drawn)[~np.isnan(drawn)]


def sensitivity(
    rows: pd.DataFrame, panel: str, label: str, quantity: str = "train_cost"
) -> pd.DataFrame:
    """Final ``quantity`` by lr over the dense grid: columns lr, cost (inf: diverged), best bool.

    Where more than lr was searched, the best of the others at each lr.
    """
    grid = rows[(rows["reading"] == "dense_grid") & (rows["series"] == label)]
    grid = grid[grid["panel"].isin((panel, "")) & grid["lr"].notna()]
    last = grid.sort_values("epoch").groupby(["lr", "grid", "seed"], as_index=False).last()
    last = last[last["seed"] == last["seed"].min()]
    cost = last[quantity].where(last["status"] != "diverged", np.inf).fillna(np.inf)
    return (
        last.assign(cost=cost, best=last["selected"])
        .groupby("lr", as_index=False)
        .agg(cost=("cost", "min"), best=("best", "any"))
        .sort_values("lr")
    )


def at_edge(points: pd.DataFrame) -> bool:
    """Whether the chosen lr is the smallest or the largest of a grid, so that a better one may lie beyond."""
    if len(points) < 2 or not points["best"].any():
        return False
    chosen = points.loc[points["best"], "lr"]
    return bool(chosen.isin((points["lr"].min(), points["lr"].max())).any())


def _mean(costs: np.ndarray) -> np.ndarray:
    filled = np.where(np.isfinite(costs), costs, 0.0)
    return filled.mean(axis=0) if len(costs) else np.full(costs.shape[1], np.nan)
