"""A figure by time: cost against wall time, and the epochs until each series reaches a target cost."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing

from adam_repro.figures import paper_curves
from adam_repro.figures.spec import Panel
from adam_repro.plots import style
from adam_repro.plots.context import Context
from adam_repro.plots.layout import Layout, legend_handles
from adam_repro.plots.series import PanelCurves

WIDTH, HEIGHT = 8.6, 3.4


@dataclass(frozen=True)
class TimeToTarget:
    """When the mean cost of a series is first at or below ``target``; NaN if it never is.

    ``epochs``: ours. ``seconds``: ours, of training. ``paper``: epochs of the paper's curve.
    """

    label: str
    target: float
    epochs: float
    seconds: float
    paper: float


def times_to_target(context: Context, reading: str) -> list[TimeToTarget]:
    """Every series by every target of the figure. Epochs are counted from 1."""
    panel = context.longest_panel
    if panel is None or panel.separate:
        return []
    found = []
    for curve in context.curves(reading, panel).curves:
        one = context.figure.series_of(curve.label)
        paper = None
        if one and one.reference and panel.curves and not context.generated:
            paper = paper_curves.curve(paper_curves.Reference(panel.curves, one.reference))
        for target in context.figure.targets:
            i = _first_at_or_below(curve.mean, target)
            seconds = curve.seconds.mean(axis=0)[i] if i is not None else np.nan
            j = _first_at_or_below(paper[1], target) if paper else None
            # x counts the passes before a mean over a pass, which is known at the end of that pass.
            shift = 1 - panel.first_x
            paper_epochs = paper[0][j] + shift if paper and j is not None else np.nan
            epochs = curve.x[i] + shift if i is not None else np.nan
            found.append(
                TimeToTarget(
                    curve.label, target, float(epochs), float(seconds), float(paper_epochs)
                )
            )
    return found


def _first_at_or_below(cost: np.ndarray, target: float) -> int | None:
    with np.errstate(invalid="ignore"):
        hits = np.flatnonzero(cost <= target)
    return int(hits[0]) if len(hits) else None


@style.own_settings()
def draw(context: Context, reading: str) -> tuple[Drawing, list[str]] | None:
    """Wall time on the left, time to target on the right; ``None`` for a figure of several tasks."""
    panel = context.longest_panel
    if panel is None or panel.separate or not context.figure.targets:
        return None
    found = context.curves(reading, panel)
    if not found.curves:
        return None
    note = "seconds: a trial's share of the stack it was trained in"
    footer = context.footer(note, reading, found.problems)
    shown = {curve.label: context.styles[curve.label] for curve in found.curves}
    layout = Layout(WIDTH, HEIGHT, legend_handles(shown), footer, title=context.title(reading))
    left, right = layout.grid(2, 2, HEIGHT, 2.6)
    _plot_wall_time(context, left, panel, found)
    _plot_targets(context, right, panel, found, times_to_target(context, reading))
    return layout.finish(), found.problems


def _plot_wall_time(context: Context, axes: Axes, panel: Panel, found: PanelCurves) -> None:
    has_times = False
    for i, curve in enumerate(found.curves):
        known = curve.finite & np.isfinite(curve.seconds).all(axis=0)
        if known.any():
            has_times = True
            x = curve.seconds.mean(axis=0)[known]
            style.plot_ours(axes, x, curve.mean[known], context.styles[curve.label], i * 0.02)
    if not has_times:
        axes.text(0.5, 0.5, "no wall times", transform=axes.transAxes, ha="center")
    axes.set_xscale("log")
    axes.set_yscale(panel.yscale)
    if not context.generated:
        low, high = panel.ylim
        axes.set_ylim(min(low, axes.get_ylim()[0]), high)
    style.label_axes(axes, "by wall time", "seconds of training", panel.ylabel)


def _plot_targets(
    context: Context, axes: Axes, panel: Panel, found: PanelCurves, times: list[TimeToTarget]
) -> None:
    """Epochs until each target, one group of marks per target; on top if it is never reached."""
    targets = list(context.figure.targets)
    labels = [curve.label for curve in found.curves]
    finite = [t for one in times for t in (one.epochs, one.paper) if np.isfinite(t)]
    never = 1.6 * max(finite, default=1.0)
    for one in times:
        x = targets.index(one.target) + 0.7 * (labels.index(one.label) + 0.5) / len(labels) - 0.35
        color, marker = context.styles[one.label]
        reached = np.isfinite(one.epochs)
        axes.plot(x, one.epochs if reached else never, marker if reached else "x", color=color)
        if np.isfinite(one.paper):
            axes.plot(x, one.paper, marker, color=color, markerfacecolor="white", zorder=1.8)
            if reached:
                axes.plot([x, x], [one.epochs, one.paper], ":", color=color, lw=1)
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
    open_marks = "" if context.generated else "; hollow: the paper"
    label = f"{panel.ylabel}{open_marks}"
    style.label_axes(axes, "passes until a cost is reached", label, "passes")
