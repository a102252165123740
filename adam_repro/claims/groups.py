"""Measure in which group of examples the gap between two series lies."""

from __future__ import annotations

import numpy as np

from adam_repro.claims.measures import common_seeds
from adam_repro.claims.model import Claim, Finding, NotMeasuredError, Unit
from adam_repro.plots.context import Context
from adam_repro.statistics import bonferroni_level, t_interval


def gap_larger(claim: Claim, context: Context, reading: str) -> list[Finding]:
    """The gap of each pair in the first of ``panels`` minus that in the second, for each seed, in nats.

    The gap of a pair is the cost of its second series minus that of its first, the mean over the epochs
    ``over``. Panels draw the cost of a group each. Supported if the difference is above 0.
    """
    level = bonferroni_level(len(claim.compared))
    findings = []
    for first, second in claim.compared:
        gaps = [_gap(claim, context, reading, name, first, second) for name in claim.panels]
        result = t_interval(gaps[0] - gaps[1], level)
        what = f"{second} - {first}: {' minus '.join(claim.panels)}"
        sign = int(result.low > 0) - int(result.high < 0)
        findings.append(Finding(what, result, sign, Unit.DIFFERENCE))
    return findings


def _gap(
    claim: Claim, context: Context, reading: str, panel: str, first: str, second: str
) -> np.ndarray:
    """Mean over epochs of the second series' cost minus the first's, for each seed [n]."""
    found = context.curves(reading, next(p for p in context.figure.panels if p.name == panel))
    pair = [found.curve(label) for label in (first, second)]
    if pair[0] is None or pair[1] is None:
        raise NotMeasuredError(f"no data of {first} or {second} in {panel}")
    a, b = common_seeds([pair[0], pair[1]], f"{first} and {second} have no seed in common")
    x = np.intersect1d(a.x[a.finite], b.x[b.finite])
    low, high = claim.over[0] or 0.0, claim.over[1] if claim.over[1] is not None else np.inf
    x = x[(x >= low) & (x <= high)]
    if not len(x):
        raise NotMeasuredError(f"{first} and {second} have none of the epochs {low:g} on")
    costs = [c.costs[:, np.searchsorted(c.x, x)] for c in (a, b)]
    return np.asarray((costs[1] - costs[0]).mean(axis=1))
