"""The same figure by time: cost against wall time, and how soon each series reaches a cost."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing

from adam_repro.figures import paper_curves
from adam_repro.figures.spec import Panel
from adam_repro.plots import style
from adam_repro.plots.context import Context
from adam_repro.plots.series import Lines

WIDTH, HEIGHT = 8.6, 3.4


@dataclass(frozen=True)
class Reached:
    """When a series first has a mean cost at or below a target; NaN where it never has."""

    label: str
    target: float
    epochs: float
    seconds: float
    paper: float


def reached(context: Context, reading: str) -> list[Reached]:
    """Every series by every target of the figure; epochs are passes, the first one is 1."""
    panel = context.longest
    if panel is None or panel.task:
        return []
    found = []
    for curve in context.lines(reading, panel).curves:
        one = context.figure.series_of(curve.label)
        theirs = None
        line = one.reference if one else None
        if line and panel.curves and not context.generated:
            theirs = paper_curves.curve(paper_curves.Reference(panel.curves, line))
        for target in context.figure.targets:
            i = _first(curve.mean, target)
            seconds = curve.seconds.mean(axis=0)[i] if i is not None else np.nan
            j = _first(theirs[1], target) if theirs else None
            # A mean over a pass is known at its end; what is evaluated after x passes, at x.
            over = 1 - panel.first_x
            paper_x = theirs[0][j] + over if theirs and j is not None else np.nan
            epochs = curve.x[i] + over if i is not None else np.nan
            found.append(
                Reached(curve.label, target, float(epochs), float(seconds), float(paper_x))
            )
    return found


def _first(cost: np.ndarray, target: float) -> int | None:
    with np.errstate(invalid="ignore"):
        hits = np.flatnonzero(cost <= target)
    return int(hits[0]) if len(hits) else None


def draw(context: Context, reading: str) -> tuple[Drawing, list[str]] | None:
    """Wall time on the left, time to target on the right; ``None`` for a figure of several tasks."""
    panel = context.longest
    if panel is None or panel.task or not context.figure.targets:
        return None
    found = context.lines(reading, panel)
    if not found.curves:
        return None
    times = reached(context, reading)
    share = "seconds: a trial's share of the stack it was trained in"
    foot = [*context.footer(share, reading, found.problems)]
    shown = {curve.label: context.looks[curve.label] for curve in found.curves}
    lettered = 0.1 + 0.125 * len(foot)
    under = lettered + style.legend_height(WIDTH, len(shown)) + 0.12
    height = under + HEIGHT
    drawing = style.canvas(height, WIDTH)
    bottom = (0.46 + under) / height
    left = drawing.add_axes((0.62 / WIDTH, bottom, 3.5 / WIDTH, 2.6 / height))
    right = drawing.add_axes((4.95 / WIDTH, bottom, 3.45 / WIDTH, 2.6 / height))
    _wall(context, left, panel, found)
    _targets(context, right, found, times)
    style.legend(drawing, shown, False, lettered)
    style.notes(drawing, foot)
    return drawing, found.problems


def _wall(context: Context, axes: Axes, panel: Panel, found: Lines) -> None:
    timed = False
    for i, curve in enumerate(found.curves):
        ok = curve.whole & np.isfinite(curve.seconds).all(axis=0)
        if ok.any():
            timed = True
            x = curve.seconds.mean(axis=0)[ok]
            style.ours(axes, x, curve.mean[ok], context.looks[curve.label], i * 0.02)
    if not timed:
        axes.text(0.5, 0.5, "no wall times", transform=axes.transAxes, ha="center")
    axes.set_xscale("log")
    axes.set_yscale(panel.yscale)
    if not context.generated:
        low, high = panel.ylim
        axes.set_ylim(min(low, axes.get_ylim()[0]), high)
    style.finish(axes, "by wall time", "seconds of training", panel.ylabel)


def _targets(context: Context, axes: Axes, found: Lines, times: list[Reached]) -> None:
    """Passes until each target, a group of marks for each; a series that never gets there on top."""
    targets = list(context.figure.targets)
    labels = [curve.label for curve in found.curves]
    finite = [t for one in times for t in (one.epochs, one.paper) if np.isfinite(t)]
    never = 1.6 * max(finite, default=1.0)
    for one in times:
        at = targets.index(one.target) + 0.7 * (labels.index(one.label) + 0.5) / len(labels) - 0.35
        look = context.looks[one.label]
        known = np.isfinite(one.epochs)
        axes.plot(
            at, one.epochs if known else never, look.marker if known else "x", color=look.color
        )
        if np.isfinite(one.paper):
            axes.plot(
                at, one.paper, look.marker, color=look.color, markerfacecolor="white", zorder=1.8
            )
            if known:
                axes.plot([at, at], [one.epochs, one.paper], ":", color=look.color, lw=1)
    axes.set_yscale("log")
    if any(not np.isfinite(one.epochs) for one in times):
        axes.axhline(never, color=style.FAINT, lw=0.6, ls="--", zorder=0.5)
        axes.set_ylim(top=never * 1.6)
        axes.annotate(
            "not reached", (0.01, never), xytext=(0, 5), fontsize=6.5, color=style.FAINT,
            xycoords=axes.get_yaxis_transform(), textcoords="offset points",
        )  # fmt: skip
    axes.set_xticks(range(len(targets)), [f"{target:g}" for target in targets])
    axes.set_xlim(-0.5, len(targets) - 0.5)
    label = "training cost" if context.generated else "training cost (open: the paper)"
    style.finish(axes, "passes until a cost is reached", label, "passes")
