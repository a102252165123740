"""Measure in which panel the gap between two series is wider: of a batch size, or of a tenth of the words."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np

from adam_repro.claims.measures import curves_of
from adam_repro.claims.model import Evidence, Finding, NotMeasuredError, Unit
from adam_repro.plots.context import Context


def gap_wider(evidence: Evidence, context: Context, reading: str) -> list[Finding]:
    """The gap in each of ``panels`` is wider than in the one named before it, in nats.

    The gap of a pair is the cost of its second series minus that of its first, the mean over the epochs of
    a window. It is a difference and no ratio, because costs in nats add up over the words of a text.
    """
    found = []
    for window in evidence.windows:
        for first, second in evidence.compared:
            for panels in pairwise(evidence.panels):
                before, after = (
                    _gap(
                        replace(evidence, panel=name, windows=(window,)),
                        context,
                        reading,
                        first,
                        second,
                    )
                    for name in panels
                )
                seeds = sorted(before.keys() & after.keys())
                if not seeds:
                    raise NotMeasuredError(f"{' and '.join(panels)} have no seed in common")
                values = np.array([after[seed] - before[seed] for seed in seeds])
                narrow, wide = (_title(context, name) for name in panels)
                what = f"{second} - {first}: {wide} minus {narrow}"
                found.append(Finding(what, values, low=0.0, unit=Unit.DIFFERENCE))
    return found


def _gap(
    evidence: Evidence, context: Context, reading: str, first: str, second: str
) -> dict[int, float]:
    """Mean over the window of the second series' cost minus the first's, by seed."""
    a, b = curves_of(evidence, context, reading, first, second)
    x = np.intersect1d(a.x[a.finite], b.x[b.finite])
    start, end = evidence.windows[0]
    x = x[(x >= (start or 0.0)) & (x <= (np.inf if end is None else end))]
    if not len(x):
        raise NotMeasuredError(f"{first} and {second} have no epoch in common")
    costs = [curve.costs[:, np.searchsorted(curve.x, x)] for curve in (a, b)]
    return dict(zip(a.seeds, (costs[1] - costs[0]).mean(axis=1).tolist(), strict=True))


def _title(context: Context, name: str) -> str:
    return next(panel.title for panel in context.figure.panels if panel.name == name)
