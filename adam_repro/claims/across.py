"""Compare a series with one of another figure, trained on the same seeds."""

from __future__ import annotations

import numpy as np

from adam_repro.claims.measures import common_seeds, curves_of, log_ratio, within
from adam_repro.claims.model import Evidence, Finding
from adam_repro.plots.context import Context


def lower_than_in(
    evidence: Evidence, context: Context, reading: str, other: Context
) -> list[Finding]:
    """The cost ratio of every pair is below 1 + margin; the second of a pair is a series of ``other``.

    Both figures have the same initialisations and minibatches for a seed, as far as their tasks do.
    """
    found = []
    for window in evidence.windows:
        for first, second in evidence.compared:
            (a,) = curves_of(evidence, context, reading, first)
            (b,) = curves_of(evidence, other, reading, second)
            a, b = common_seeds([a, b], f"{first} and {second} have no seed in common")
            what = f"{first} / {second} ({other.figure.name}){within(window)}"
            high = float(np.log1p(evidence.margin))
            found.append(Finding(what, log_ratio(a, b, window), -np.inf, high))
    return found
