"""Measurements of the paper's own drawings, whatever our trials give."""

from __future__ import annotations

import numpy as np

from adam_repro.claims.model import Evidence, Finding, Unit
from adam_repro.figures import paper_curves

LOGGED = 1e-5  # the last decimal of figure 2b's costs
TOP, BOTTOM = "fig2_b_top", "fig2_b_bottom"  # by epoch, by wall time


def bias_correction_gain(evidence: Evidence) -> list[Finding]:
    """In how many panels of figure 4 the best loss without bias correction is lower."""
    panels = paper_curves.points("fig4_all")["panel"].unique()
    gains = [
        _best(panel, "no_bias_correction") - _best(panel, "bias_correction") for panel in panels
    ]
    lower = [gain for gain in gains if gain < 0]
    least = min(lower, default=0.0)
    what = (
        f"{len(lower)} of {len(panels)} panels are lower without correction, "
        f"the most by {-least:.2f} nats"
    )
    return [_exactly(what, least, -1 if lower else 1)]


def _best(panel: str, line: str) -> float:
    return float(paper_curves.loss_by_lr(panel, line)[1].min())


def wall_time_axis(evidence: Evidence) -> list[Finding]:
    """Units of wall time an epoch in figure 2b. If they are constant, the time was not measured."""
    found = []
    for name in ("SFO", "Adam"):
        top, _ = paper_curves.curve(paper_curves.Reference(TOP, name))
        bottom, _ = paper_curves.curve(paper_curves.Reference(BOTTOM, name))
        n = min(len(top), len(bottom))
        each = bottom[1:n] / top[1:n]
        constant = float(np.ptp(each)) < 1e-3
        what = f"{name}: units of wall time an epoch"
        sign = -1 if constant else 1
        found.append(Finding(what, each.mean(keepdims=True), unit=Unit.EXACT, sign=sign))
    return found


def logged_digits(evidence: Evidence) -> list[Finding]:
    """How many points of figure 2b are costs with five decimals, as all of them were logged.

    The digits of the drawing are good to 1e-5 of a cost. See `paper_curves.drawn_divided`.
    """
    shares = {}
    for name in ("SFO", "Adam", paper_curves.UNDIVIDED):
        _, cost = paper_curves.curve(paper_curves.Reference(TOP, name))
        units = cost / LOGGED
        whole = int((np.abs(units - np.round(units)) <= 1e-5 * units).sum())
        shares[f"{name}: {whole} of {len(units)} points are multiples of 1e-5"] = whole / len(units)
    sign = 1 if list(shares.values())[1] == 1.0 else -1  # Adam as drawn decides
    return [_exactly(what, share, sign) for what, share in shares.items()]


def _exactly(what: str, value: float, sign: int) -> Finding:
    """A finding of one value that was read off, with nothing random in it."""
    return Finding(what, np.array([value]), unit=Unit.IN_WORDS, sign=sign)
