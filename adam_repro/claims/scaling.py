"""Measure how the steps to a cost grow with the size of a problem, and beside a closed form."""

from __future__ import annotations

import numpy as np
import pandas as pd

from adam_repro.claims.model import Claim, Finding, NotMeasuredError, Unit
from adam_repro.figures.spec import Panel
from adam_repro.plots import scaling
from adam_repro.plots.context import Context
from adam_repro.statistics import Interval, log_log_slope


def exponent(claim: Claim, context: Context, reading: str) -> list[Finding]:
    """The slope of log steps against log size, each size at its best lr; supported if within ``bounds``.

    The t interval is over the sizes.
    """
    findings = []
    for panel in _panels(claim, context):
        best = scaling.best_by_size(scaling.steps_by_lr(context, panel, reading), claim.series)
        sizes = {float(value) for values in context.figure.search.values() for value in values}
        if missing := sorted(sizes - set(best["size"])):
            listed = ", ".join(f"{size:g}" for size in missing)
            raise NotMeasuredError(f"{claim.series} does not reach the cost at {listed}")
        slope = log_log_slope(best["size"], best["steps"])
        low, high = claim.bounds
        inside, outside = (
            low <= slope.low and slope.high <= high,
            slope.high < low or high < slope.low,
        )
        sign = int(inside) - int(outside)
        what = f"slope of {claim.series}"
        findings.append(Finding(what, slope, sign, Unit.DIFFERENCE, "size"))
    return findings


def closed_form(claim: Claim, context: Context, reading: str) -> list[Finding]:
    """Gradient descent on the linear bigram model of frequencies 1/k, beside its closed form.

    The relative error after t steps of ``lr`` is sum_i pi_i (1 - lr pi_i)^(2t). Supported if no row of
    the CSV differs by more than ``margin``, relatively.
    """
    rows = pd.concat(
        [context.rows[(context.rows["panel"] == panel.name)] for panel in _panels(claim, context)]
    )
    rows = rows[(rows["series"] == claim.series) & rows["reading"].isin((reading, ""))]
    rows = rows[rows["status"] == "finished"].drop_duplicates(["identity", "epoch"])
    if rows.empty:
        raise NotMeasuredError(f"no data of {claim.series}")
    words = rows["grid"].str.rpartition("=")[2].astype(int)
    expected = [relative_error(*row) for row in zip(words, rows["lr"], rows["step"], strict=True)]
    worst = float(np.abs(rows["test_cost"].to_numpy(float) / np.array(expected) - 1).max())
    result = Interval(worst, worst, worst, float("nan"), len(rows))
    what = (
        f"largest relative difference {worst:.1g}, over {len(rows)} rows of all sizes and stepsizes"
    )
    return [Finding(what, result, 1 if worst <= claim.margin else -1, Unit.IN_WORDS, "")]


def relative_error(words: int, lr: float, steps: float) -> float:
    """(L(W) - L*) / (L(0) - L*) after these steps of gradient descent from W = 0, in float64."""
    frequency = 1 / np.arange(1, words + 1)
    frequency /= frequency.sum()
    return float((frequency * np.abs(1 - lr * frequency) ** (2 * steps)).sum())


def _panels(claim: Claim, context: Context) -> list[Panel]:
    panels = context.figure.panels
    return [panel for panel in panels if claim.panels == "all" or panel.name in claim.panels]
