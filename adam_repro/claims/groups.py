"""Measure in which group of examples the gap between two series lies."""

from __future__ import annotations

import numpy as np

from adam_repro.claims.measures import TUNING_SEED, common_seeds
from adam_repro.claims.model import Evidence, Finding, NotMeasuredError, Unit
from adam_repro.plots.context import Context


def gap_larger(evidence: Evidence, context: Context, reading: str) -> list[Finding]:
    """The gap of each pair in the first of ``panels`` minus that in the second is above 0, in nats.

    The gap of a pair is the cost of its second series minus that of its first, the mean over the epochs
    of the window. Panels draw the cost of a group each.
    """
    found = []
    for first, second in evidence.compared:
        gaps = [_gap(evidence, context, reading, name, first, second) for name in evidence.panels]
        what = f"{second} - {first}: {' minus '.join(evidence.panels)}"
        found.append(Finding(what, gaps[0] - gaps[1], 0.0, np.inf, Unit.DIFFERENCE))
    return found


def _gap(
    evidence: Evidence, context: Context, reading: str, panel: str, first: str, second: str
) -> np.ndarray:
    """Mean over epochs of the second series' cost minus the first's, for each seed [n]."""
    lines = context.curves(reading, next(p for p in context.figure.panels if p.name == panel))
    pair = [lines.curve(label) for label in (first, second)]
    if pair[0] is None or pair[1] is None:
        raise NotMeasuredError(f"no data of {first} or {second} in {panel}")
    none = f"{first} and {second} have no seed in common"
    left_out = {TUNING_SEED} if reading == "dense_grid" else set()
    a, b = common_seeds([pair[0], pair[1]], none, left_out)
    x = np.intersect1d(a.x[a.finite], b.x[b.finite])
    start, end = evidence.windows[0]
    x = x[(x >= (start or 0.0)) & (x <= (np.inf if end is None else end))]
    if not len(x):
        raise NotMeasuredError(f"{first} and {second} have none of the epochs {start:g} on")
    costs = [c.costs[:, np.searchsorted(c.x, x)] for c in (a, b)]
    return np.asarray((costs[1] - costs[0]).mean(axis=1))
