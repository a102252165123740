"""Measure whether what figure 4 shows is more apparent early in training or late."""

from __future__ import annotations

import numpy as np
import pandas as pd

from adam_repro.claims.measures import best_by_seed, leads, paired_difference, panels_of
from adam_repro.claims.model import Evidence, Finding, NotMeasuredError, Unit
from adam_repro.figures.spec import Panel
from adam_repro.plots.context import Context


def gain_falls(evidence: Evidence, context: Context, reading: str) -> list[Finding]:
    """Best loss without bias correction minus best with it, in nats, is larger after the first mark.

    In each pair of ``panels`` that differ in the mark alone.
    """

    def gain(panel: Panel) -> pd.Series:
        best = [best_by_seed(context, panel, reading, one.label) for one in context.figure.series]
        return paired_difference(best, f"no data ({panel.title})")

    panels = list(panels_of(evidence, context))
    settings = dict.fromkeys(tuple(panel.where.items()) for panel in panels)
    found = []
    for where in settings:
        same = sorted((p for p in panels if tuple(p.where.items()) == where), key=lambda p: p.mark)
        if len(same) < 2:
            raise NotMeasuredError(f"{same[0].title}: no panel of another mark")
        what = f"{same[0].title} minus {same[-1].title}: best without - best with"
        found.append(_difference(what, gain(same[0]), gain(same[-1])))
    return found


def lead_grows(evidence: Evidence, context: Context, reading: str) -> list[Finding]:
    """Bias correction with beta2 >= ``beta2`` leads other settings by more after the last mark.

    In nats, each seed at its best; below 0 it is behind. See `measures.leads`.
    """
    marks = sorted({panel.mark for panel in context.figure.panels})
    first, last = (leads(evidence, context, reading, mark) for mark in (marks[0], marks[-1]))
    return [
        _difference(f"lead over the best {group}, last mark minus first", last[group], first[group])
        for group in last
    ]


def _difference(what: str, larger: pd.Series, smaller: pd.Series) -> Finding:
    values = paired_difference([smaller, larger], f"{what}: no seed in common").to_numpy()
    return Finding(what, values, 0.0, np.inf, Unit.DIFFERENCE)
