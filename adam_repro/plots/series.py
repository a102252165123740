"""The curves of a figure from its merged rows: mean over seeds, confidence band, divergence."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from adam_repro.figures.spec import EVALUATED, Figure, Panel
from adam_repro.wording import are, counted

BOOTSTRAP_RESAMPLES = 1000
DIVERGED_COST = 400.0  # where figure 4 draws a diverged run, or any higher cost
#: From here on, a cost that was read from the paper's drawing is a diverged run.
DIVERGED_IN_PAPER = DIVERGED_COST - 0.5


@dataclass(frozen=True)
class Curve:
    """One series of one reading: costs [seeds, epochs], NaN where a trial has no such row.

    ``x`` [epochs]: epochs from 0. ``seconds`` [seeds, epochs]: until the end of each epoch.
    ``diverged``: the number of seeds that did. ``incomplete``: a message on seeds that are left out
    because they lack rows.
    """

    label: str
    reading: str
    x: np.ndarray
    costs: np.ndarray
    seconds: np.ndarray
    seeds: tuple[int, ...]
    diverged: int = 0
    incomplete: str = ""
    lr: float = float("nan")

    @property
    def n(self) -> int:
        return len(self.seeds)

    @property
    def finite(self) -> np.ndarray:
        """The epochs in which every seed has a finite cost, [epochs] bool."""
        return np.isfinite(self.costs).all(axis=0)

    @property
    def mean(self) -> np.ndarray:
        """Mean cost over the seeds; NaN from the epoch in which one of them diverges."""
        return np.where(self.finite, _mean(self.costs), np.nan)

    def band(self) -> tuple[np.ndarray, np.ndarray] | None:
        return confidence_band(self.costs[:, self.finite])


@dataclass
class PanelCurves:
    """The curves of one reading of one panel, in the order of the legend, and what is missing."""

    curves: list[Curve]
    problems: list[str] = field(default_factory=list)

    def curve(self, label: str) -> Curve | None:
        return next((curve for curve in self.curves if curve.label == label), None)


def confidence_band(values: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Bootstrap 95 % interval of the mean over seeds: values [seeds, n], bounds [n] each.

    Percentile method, with the same resamples at every x. ``None`` for a single seed.
    """
    if values.shape[0] < 2 or values.shape[1] == 0:
        return None
    from scipy.stats import bootstrap

    low, high = bootstrap(
        (values,), np.mean, axis=0, vectorized=True, n_resamples=BOOTSTRAP_RESAMPLES,
        method="percentile", random_state=np.random.default_rng(0),
    ).confidence_interval  # fmt: skip
    return np.asarray(low), np.asarray(high)


def legend_order(figure: Figure, rows: pd.DataFrame) -> list[str]:
    """The figure's labels, then those that a user has added."""
    known = [series.label for series in figure.series]
    return known + sorted(set(rows["series"].unique()) - set(known))


def rows_of_reading(rows: pd.DataFrame, reading: str) -> pd.DataFrame:
    """The rows of a reading, and those that belong to both."""
    return rows[rows["reading"].isin((reading, ""))]


def panel_curves(figure: Figure, rows: pd.DataFrame, reading: str, panel: Panel) -> PanelCurves:
    """A curve for every series that has rows for this reading and panel."""
    rows_here = rows_of_reading(rows, reading)
    rows_here = rows_here[rows_here["selected"] & rows_here["panel"].isin((panel.name, ""))]
    found = PanelCurves([])
    for label in legend_order(figure, rows):
        of_series = rows_here[rows_here["series"] == label]
        if of_series.empty:
            found.problems.append(f"{label}: no data")
            continue
        if panel.quantity != "train_cost" and not of_series[panel.quantity].notna().any():
            found.problems.append(f"{label}: no {panel.quantity}")
            continue
        curve = _curve(label, reading, of_series, panel.quantity)
        found.curves.append(curve)
        if curve.incomplete:
            found.problems.append(f"{label}: {curve.incomplete}")
    return found


def _curve(label: str, reading: str, rows: pd.DataFrame, quantity: str) -> Curve:
    rows = rows.drop_duplicates(["seed", "epoch"], keep="last")
    costs = rows.pivot(index="seed", columns="epoch", values=quantity)
    seconds = rows.pivot(index="seed", columns="epoch", values="seconds")
    diverged = rows.groupby("seed")["status"].last() == "diverged"
    lengths = rows.groupby("seed")["epoch"].nunique()
    complete = (lengths == lengths.max()) | diverged
    incomplete = ""
    if not complete.all():
        count = int((~complete).sum())
        has = "has" if count == 1 else "have"
        incomplete = (
            f"{count} of {counted(len(complete), 'seed')} {has} lost rows and {are(count)} left out"
        )
        costs, seconds = costs[complete], seconds[complete]
    lr = rows["lr"].dropna().unique()
    return Curve(
        label,
        reading,
        costs.columns.to_numpy(float) + (quantity == EVALUATED),
        costs.to_numpy(float),
        seconds.to_numpy(float),
        tuple(int(seed) for seed in costs.index),
        int(diverged[complete].sum()),
        incomplete,
        float(lr[0]) if len(lr) == 1 else float("nan"),
    )


def cost_by_lr(
    rows: pd.DataFrame, panel: Panel, reading: str, label: str, ceiling: float = DIVERGED_COST
) -> pd.DataFrame:
    """Figure 4, one panel and series: columns lr, cost (mean over seeds), low, high, n, diverged.

    An lr is diverged if the cost of any seed is not finite or at least ``ceiling``, which is then its
    cost.
    """
    of_series = rows[(rows["panel"] == panel.name) & (rows["series"] == label)]
    of_series = rows_of_reading(of_series[of_series["lr"].notna()], reading)
    costs = with_capped_cost(of_series, panel.quantity, ceiling).groupby("lr")["cost"]
    found = costs.agg(["mean", "min", "max", "size"]).reset_index()
    found.columns = pd.Index(["lr", "cost", "low", "high", "n"])
    found["diverged"] = found["high"] >= ceiling
    found.loc[found["diverged"], "cost"] = ceiling
    return found


def with_capped_cost(
    rows: pd.DataFrame, quantity: str, ceiling: float = DIVERGED_COST
) -> pd.DataFrame:
    """The rows with a column ``cost``: the quantity, at most ``ceiling``, and that if diverged.

    Rows that did not diverge and lack the quantity are left out.
    """
    trained = rows["train_cost"].to_numpy(float)
    diverged = ~np.isfinite(trained) | (rows["status"] == "diverged").to_numpy()
    costs = rows[quantity].to_numpy(float)
    capped = np.where(diverged | np.isinf(costs), ceiling, np.minimum(costs, ceiling))
    return rows.assign(cost=capped)[~np.isnan(capped)]


def lr_sensitivity(
    rows: pd.DataFrame, panel: str, label: str, quantity: str = "train_cost"
) -> pd.DataFrame:
    """Final ``quantity`` by lr over the tuning grid: columns lr, cost (inf: diverged), best bool.

    If more than lr was searched: the lowest cost at each lr.
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


def is_best_at_edge(points: pd.DataFrame) -> bool:
    """Whether the best lr is the smallest or largest of the grid: a better one may lie beyond."""
    if len(points) < 2 or not points["best"].any():
        return False
    best = points.loc[points["best"], "lr"]
    return bool(best.isin((points["lr"].min(), points["lr"].max())).any())


def _mean(costs: np.ndarray) -> np.ndarray:
    filled = np.where(np.isfinite(costs), costs, 0.0)
    return filled.mean(axis=0) if len(costs) else np.full(costs.shape[1], np.nan)
