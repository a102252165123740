"""Measure how good a default stepsize is, and how many stepsizes of a grid are of use."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from adam_repro.claims.measures import TUNING_SEED, curves_of, panel_of
from adam_repro.claims.model import Evidence, Finding, NotMeasuredError, Unit
from adam_repro.plots import series
from adam_repro.plots.context import Context
from adam_repro.statistics import Interval, t_interval

USABLE = 2.0  # times the best last cost: a stepsize that ends higher is of no use


@dataclass(frozen=True, eq=False)
class OneTrialFinding(Finding):
    """The claim says that one further trial is in (low, high) of ``values``, of independent trials.

    The distance of one trial from n others has the variance s^2 (1 + 1/n), not s^2 / n. It is assumed
    to scatter as they do. `Finding`'s tests take s^2 / n, so they are given values that are spread
    about the same mean by sqrt(n + 1) more.
    """

    @cached_property
    def _spread(self) -> np.ndarray:
        mean = self.values.mean()
        return mean + (self.values - mean) * np.sqrt(self.n + 1)

    @cached_property
    def interval(self) -> Interval:
        return t_interval(self._spread)

    def p_above(self, bound: float) -> float:
        return Finding(self.what, self._spread).p_above(bound)

    def p_below(self, bound: float) -> float:
        return Finding(self.what, self._spread).p_below(bound)


def default_stepsize(evidence: Evidence, context: Context, reading: str) -> list[Finding]:
    """The stepsize ``default`` ends at no more than 1 + margin times the cost of the best of the grid.

    Its trial is a point of the grid, of the tuning seed alone; the best one has other seeds too. If
    the grid has other settings besides, the best of them counts.
    """
    (best,) = curves_of(evidence, context, reading, evidence.series)
    panel, last = panel_of(evidence, context), float(best.x[best.finite][-1])
    rows = series.rows_of_reading(context.rows, reading)
    rows = rows[(rows["series"] == evidence.series) & (rows["status"] == "finished")]
    rows = rows[(rows["seed"] == TUNING_SEED) & (rows["epoch"] == last - panel.first_x)]
    costs = rows.loc[np.isclose(rows["lr"], evidence.default), panel.quantity].dropna()
    if costs.empty:
        raise NotMeasuredError(f"no finished trial of {evidence.series} at {evidence.default:g}")
    values = np.log(costs.min() / best.costs[:, best.x == last][:, 0])
    what = (
        f"{evidence.series}: last cost at {evidence.default:g} / at the best stepsize ({best.lr:g})"
    )
    return [OneTrialFinding(what, values, high=float(np.log1p(evidence.margin)))]


def more_usable(evidence: Evidence, context: Context, reading: str) -> list[Finding]:
    """More stepsizes of a grid are of use for the first of a pair than for the second, in each panel.

    A stepsize is of use if it does not diverge and its last cost is at most ``USABLE`` times that of the
    best. The grids are of one seed: they are counted, and nothing is tested.
    """
    found = []
    for panel in context.figure.panels:
        for first, second in evidence.compared:
            counts = [_usable(panel.name, name, context, reading) for name in (first, second)]
            shares = [count / n for count, n in counts]
            words = [f"{count} of {n}" for count, n in counts]
            what = f"{panel.title}: {words[0]} stepsizes of {first}, {words[1]} of {second}"
            sign = 1 if shares[0] > shares[1] else -1
            found.append(Finding(what, np.array(shares), unit=Unit.IN_WORDS, sign=sign))
    return found


def _usable(panel: str, label: str, context: Context, reading: str) -> tuple[int, int]:
    """How many stepsizes are of use, and how many there are; with the best of the other settings."""
    rows = series.rows_of_reading(context.rows, reading)
    rows = rows[rows["panel"].isin((panel, "")) & (rows["series"] == label)]
    rows = rows[rows["seed"] == TUNING_SEED]
    if rows.empty:
        raise NotMeasuredError(f"no data of {label}")
    ends = rows.sort_values("epoch").drop_duplicates("identity", keep="last")
    costs = ends["train_cost"].where(ends["status"] == "finished", np.inf).fillna(np.inf)
    best_by_lr = costs.groupby(ends["lr"]).min()
    return int((best_by_lr <= USABLE * best_by_lr.min()).sum()), len(best_by_lr)
