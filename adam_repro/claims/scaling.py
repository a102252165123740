"""Measure how the steps to a cost grow with the size of a problem, and beside a closed form."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from adam_repro.claims.model import Evidence, Finding, NotMeasuredError, Unit
from adam_repro.plots import scaling
from adam_repro.plots.context import Context
from adam_repro.statistics import Interval, log_log_slope, slope_p


@dataclass(frozen=True, eq=False)
class SlopeFinding(Finding):
    """The claim says that log ``values`` against log ``sizes`` has a slope in (low, high)."""

    sizes: tuple[float, ...] = ()

    @cached_property
    def interval(self) -> Interval:
        return log_log_slope(self.sizes, self.values)

    def p_above(self, bound: float) -> float:
        return slope_p(self.sizes, self.values, bound)

    def p_below(self, bound: float) -> float:
        return slope_p(self.sizes, 1 / self.values, -bound)


def exponent(evidence: Evidence, context: Context, reading: str) -> list[Finding]:
    """The slope of log steps against log size, each size at its best lr, is within ``bounds``.

    Nothing is random but the grid of stepsizes: the test is over the sizes.
    """
    (panel,) = context.figure.panels
    best = scaling.best_by_size(scaling.steps_by_lr(context, panel, reading), evidence.series)
    sizes = {float(value) for values in context.figure.search.values() for value in values}
    if missing := sorted(sizes - set(best["size"])):
        listed = ", ".join(f"{size:g}" for size in missing)
        raise NotMeasuredError(f"{evidence.series} does not reach the cost at {listed}")
    return [
        SlopeFinding(
            f"slope of {evidence.series}",
            best["steps"].to_numpy(float),
            *evidence.bounds,
            Unit.DIFFERENCE,
            "size",
            sizes=tuple(best["size"]),
        )
    ]


def closed_form(evidence: Evidence, context: Context, reading: str) -> list[Finding]:
    """Gradient descent on the linear bigram model of frequencies 1/k is its closed form.

    The relative error after t steps of ``lr`` is sum_i pi_i (1 - lr pi_i)^(2t). No row of the CSV may
    differ by more than ``margin``, relatively.
    """
    rows = context.rows
    rows = rows[(rows["series"] == evidence.series) & rows["reading"].isin((reading, ""))]
    rows = rows[rows["status"] == "finished"].drop_duplicates(["identity", "epoch"])
    if rows.empty:
        raise NotMeasuredError(f"no data of {evidence.series}")
    words = rows["grid"].str.rpartition("=")[2].astype(int)
    expected = [relative_error(*row) for row in zip(words, rows["lr"], rows["step"], strict=True)]
    off = np.abs(rows["test_cost"].to_numpy(float) / np.array(expected) - 1)
    what = (
        f"largest relative difference {off.max():.1g}, over {len(rows)} rows of all sizes and "
        "stepsizes"
    )
    sign = 1 if off.max() <= evidence.margin else -1
    return [Finding(what, off, unit=Unit.IN_WORDS, sample="row", sign=sign)]


def relative_error(words: int, lr: float, steps: float) -> float:
    """(L(W) - L*) / (L(0) - L*) after these steps of gradient descent from W = 0, in float64."""
    frequency = 1 / np.arange(1, words + 1)
    frequency /= frequency.sum()
    return float((frequency * np.abs(1 - lr * frequency) ** (2 * steps)).sum())
