"""Cost by epoch, in the paper's layout: ours solid with a band over seeds, the paper's dotted."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing
from matplotlib.ticker import MaxNLocator, MultipleLocator

from adam_repro.figures import paper_curves
from adam_repro.figures.spec import Panel
from adam_repro.plots import style
from adam_repro.plots.context import Context, counted
from adam_repro.plots.series import Curve, Lines

AXES, GAP = 2.75, 0.78  # inches: height of a pair of axes; what title and labels take


def draw(context: Context, reading: str) -> tuple[Drawing, list[str]]:
    """The drawing of one reading, and what is missing in it."""
    figure = context.figure
    columns = min(len(figure.panels), figure.columns)
    rows = -(-len(figure.panels) // columns)
    width = style.WIDTH if columns == 1 else 8.6
    drawn = [context.lines(reading, panel) for panel in figure.panels]
    told = _told(context, drawn)
    told += [item for panel, found in zip(figure.panels, drawn, strict=True)
             for item in _beyond(context, panel, found) + _died(panel, found)]  # fmt: skip
    foot = context.footer(_seeds(drawn), reading, told)
    shown = _shown(context, drawn)
    compared = not context.generated and any(panel.curves for panel in figure.panels)
    lettered = 0.1 + 0.125 * len(foot)
    undivided = compared and any(one.reference == paper_curves.UNDIVIDED for one in figure.series)
    entries = len(shown) + 2 * compared + undivided
    under = lettered + style.legend_height(width, entries) + 0.12
    height = under + rows * (AXES + GAP)
    drawing = style.canvas(height, width)
    for i, (panel, found) in enumerate(zip(figure.panels, drawn, strict=True)):
        row, column = divmod(i, columns)
        bottom = under + (rows - 1 - row) * (AXES + GAP) + 0.46
        left = 0.66 + column * width / columns
        box = (left / width, bottom / height, (width / columns - 0.86) / width, AXES / height)
        axes = drawing.add_axes(box)
        _panel(context, axes, panel, found)
        if panel.xzoom and panel.yzoom and reading == "dense_grid" and context.complete:
            _zoom(context, axes, panel.xzoom, panel.yzoom, found)
    style.legend(drawing, shown, compared, lettered, undivided)
    style.notes(drawing, foot)
    return drawing, told


def _panel(context: Context, axes: Axes, panel: Panel, found: Lines) -> None:
    looks = context.looks
    for i, curve in enumerate(found.curves):
        x = across(panel, curve, found)
        if x is not None:
            _curve(axes, x, curve, looks[curve.label], i * 0.12 / len(found.curves))
    for i, one in enumerate(context.figure.series):
        if panel.curves and not context.generated:
            look = looks[one.label]
            if one.reference:
                line = paper_curves.curve(paper_curves.Reference(panel.curves, one.reference))
                dashes = "-." if one.reference == paper_curves.UNDIVIDED else ":"
                style.theirs(axes, *line, look, i * 0.02, dashes)
    _frame(context, axes, panel, found)
    style.finish(axes, panel.title, panel.xlabel, panel.ylabel)
    if not found.curves:
        axes.text(0.5, 0.5, "no data", transform=axes.transAxes, ha="center", color=style.FAINT)


def _zoom(
    context: Context, axes: Axes, xlim: tuple[float, float], ylim: tuple[float, float], found: Lines
) -> None:
    """A part of ours in the upper right corner, larger."""
    inset = axes.inset_axes((0.5, 0.71, 0.48, 0.27))
    for curve in found.curves:
        x, look = curve.x, context.looks[curve.label]
        shown = (x >= xlim[0]) & (x <= xlim[1]) & curve.whole
        style.ours(inset, x[shown], curve.mean[shown], look)
        bounds = curve.band()
        if bounds is not None:
            within = shown[curve.whole]
            sides = [side[within] for side in bounds]
            inset.fill_between(x[shown], *sides, color=look.color, alpha=0.2, linewidth=0)
    inset.set_xlim(xlim)
    inset.set_ylim(ylim)
    inset.yaxis.set_major_locator(MaxNLocator(3))
    inset.tick_params(labelsize=6)
    axes.indicate_inset_zoom(inset, edgecolor=style.FAINT, linewidth=0.7)


def _shown(context: Context, drawn: list[Lines]) -> dict[str, style.Look]:
    """The legend: what is drawn of ours or of the paper's."""
    found = {}
    for label, look in context.looks.items():
        one = context.figure.series_of(label)
        theirs = one is not None and one.reference is not None and not context.generated
        if theirs or any(lines.one(label) is not None for lines in drawn):
            found[label] = look
    return found


def across(panel: Panel, curve: Curve, found: Lines) -> np.ndarray | None:
    """The x of a curve: epochs, or seconds since x = 0 in epochs of the unit series."""
    if panel.x != "normalised":
        return curve.x
    unit = found.one(str(panel.unit))
    if unit is None or not np.isfinite(unit.seconds).all() or not np.isfinite(curve.seconds).all():
        return None
    each = float((unit.seconds[:, -1] / len(unit.x)).mean())
    elapsed = curve.seconds.mean(axis=0)
    start = 0.0 if panel.first_x else elapsed[0]
    return (elapsed - start) / each if each > 0 else None


def _curve(axes: Axes, x: np.ndarray, curve: Curve, look: style.Look, offset: float) -> None:
    alive, mean = curve.whole, curve.mean
    style.ours(axes, x[alive], mean[alive], look, offset)
    bounds = curve.band()
    if bounds is not None:
        axes.fill_between(x[alive], *bounds, color=look.color, alpha=0.2, linewidth=0)
    if curve.diverged and alive.any():
        last = int(np.flatnonzero(alive)[-1])
        axes.plot(x[last], mean[last], "x", color=look.color, markersize=9, markeredgewidth=2)


def _frame(context: Context, axes: Axes, panel: Panel, found: Lines) -> None:
    """The paper's axes, made longer only where ours would end below them."""
    axes.set_yscale(panel.yscale)
    if context.generated or context.scale == "unknown":
        axes.margins(x=0.03)
        axes.xaxis.set_major_locator(MaxNLocator(integer=panel.x == "epoch", steps=[1, 2, 5, 10]))
        return
    right = panel.xlim[1]
    if panel.curves is None and panel.x == "epoch" and found.curves:  # nothing of the paper beyond
        right = min(right, max(panel.xlim[0] + 1, *(float(c.x[-1]) for c in found.curves)))
    axes.set_xlim(panel.xlim[0], right)
    low, high = panel.ylim
    ends = _ends(panel, found)
    if ends and min(ends.values()) < low:
        low = _below(min(ends.values()), panel)
    axes.set_ylim(low, high)
    if right < panel.xlim[1] / 2:
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    elif panel.xstep:
        axes.xaxis.set_major_locator(MultipleLocator(panel.xstep))
    if panel.ystep and panel.yscale == "linear":
        axes.yaxis.set_major_locator(MultipleLocator(panel.ystep))


def _ends(panel: Panel, found: Lines) -> dict[str, float]:
    """The last cost of every curve inside the panel's x range."""
    ends = {}
    for curve in found.curves:
        inside = curve.whole & (curve.x <= (panel.xlim[1] if panel.x == "epoch" else np.inf))
        if inside.any():
            ends[curve.label] = float(curve.mean[inside][-1])
    return ends


def _beyond(context: Context, panel: Panel, found: Lines) -> list[str]:
    """Curves that end above the paper's axes, so that nothing is hidden by them."""
    if context.generated:
        return []
    over = [f"{k} ends at {y:.3g}" for k, y in _ends(panel, found).items() if y > panel.ylim[1]]
    times = [
        f"{curve.label}: no wall times"
        for curve in found.curves
        if across(panel, curve, found) is None
    ]
    return ([f"above the axes ({panel.name}): {', '.join(over)}"] if over else []) + times


def _died(panel: Panel, found: Lines) -> list[str]:
    where = f" ({panel.name})" if panel.task else ""
    return [
        f"{curve.label}{where}: {curve.diverged} of {curve.n} seeds diverged (x)"
        for curve in found.curves
        if curve.diverged
    ]


def _below(value: float, panel: Panel) -> float:
    """The next line of the grid at or below a cost."""
    if panel.yscale == "log":
        return float(10.0 ** math.floor(math.log10(max(value, 1e-300))))
    step = panel.ystep or 0.1
    return step * math.floor(value / step)


def _seeds(drawn: list[Lines]) -> str:
    counts = [curve.n for found in drawn for curve in found.curves]
    return counted(counts, ", band: bootstrapped 95 % of the mean")


def _told(context: Context, drawn: list[Lines]) -> list[str]:
    told: list[str] = []
    for panel, found in zip(context.figure.panels, drawn, strict=True):
        own = f" ({panel.name})" if panel.task else ""
        wanted = context.epochs(panel)
        short = [
            f"{curve.label}{own}: {len(curve.x)} of {wanted} epochs"
            for curve in found.curves
            if wanted and len(curve.x) < wanted and not curve.diverged
        ]
        for item in [f"{problem}{own}" for problem in found.problems] + short:
            if item not in told:
                told.append(item)
    return told
