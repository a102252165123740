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
from adam_repro.plots.context import Context, seed_count
from adam_repro.plots.layout import Layout, legend_handles
from adam_repro.plots.series import Curve, PanelCurves
from adam_repro.wording import counted

AXES, GAP = 2.75, 0.78  # inches: height of a pair of axes; of its title and labels


@style.own_settings()
def draw(context: Context, reading: str) -> tuple[Drawing, list[str]]:
    """The drawing of one reading, and what is missing in it."""
    figure = context.figure
    every = [context.curves(reading, panel) for panel in figure.panels]
    messages = _missing(context, every)
    panels, found = _with_data(context, every)
    columns = min(len(panels), figure.columns)
    rows = -(-len(panels) // columns)
    for panel, curves in zip(panels, found, strict=True):
        messages += _above_axes(context, panel, curves) + _diverged(panel, curves)
    with_paper = not context.generated and any(panel.curves for panel in panels)
    undivided = any(one.reference == paper_curves.UNDIVIDED for one in figure.series)
    handles = legend_handles(_plotted(context, found), with_paper, with_paper and undivided)
    footer = context.footer(_seeds(found), reading, messages)
    width = style.WIDTH if columns == 1 else 8.6
    title = context.title(reading)
    layout = Layout(width, rows * (AXES + GAP), handles, footer, title=title)
    grid = layout.grid(len(panels), columns, AXES + GAP, AXES)
    for axes, panel, curves in zip(grid, panels, found, strict=True):
        _plot_panel(context, axes, panel, curves)
        if reading == "dense_grid" and context.is_paper_scale:
            _add_inset(context, axes, panel, curves)
    return layout.finish(), messages


def _with_data(context: Context, found: list[PanelCurves]) -> tuple[list[Panel], list[PanelCurves]]:
    """The panels that show a curve of ours or of the paper's; all of them if none does."""
    pairs = list(zip(context.figure.panels, found, strict=True))
    shown = [
        (panel, curves)
        for panel, curves in pairs
        if curves.curves or (panel.curves and not context.generated)
    ]
    panels, kept = zip(*(shown or pairs), strict=True)
    return list(panels), list(kept)


def _plot_panel(context: Context, axes: Axes, panel: Panel, found: PanelCurves) -> None:
    for i, curve in enumerate(found.curves):
        x = x_values(panel, curve, found)
        if x is not None:
            offset = i * 0.12 / len(found.curves)
            _plot_curve(axes, x, curve, context.styles[curve.label], offset)
    for i, one in enumerate(context.figure.series):
        if panel.curves and one.reference and not context.generated:
            line = paper_curves.curve(paper_curves.Reference(panel.curves, one.reference))
            dashes = "-." if one.reference == paper_curves.UNDIVIDED else ":"
            style.plot_paper(axes, *line, context.styles[one.label], i * 0.02, dashes)
    _set_limits(context, axes, panel, found)
    style.label_axes(axes, panel.title, panel.xlabel, panel.ylabel)
    if not found.curves:
        axes.text(0.5, 0.5, "no data", transform=axes.transAxes, ha="center", color=style.FAINT)


def _add_inset(context: Context, axes: Axes, panel: Panel, found: PanelCurves) -> None:
    """Enlarge a part of our curves, if the panel has a zoom, where figure 1 has no curve."""
    xlim, ylim = panel.xzoom, panel.yzoom
    if xlim is None or ylim is None:
        return
    inset = axes.inset_axes((0.44, 0.27, 0.54, 0.2))
    for curve in found.curves:
        x, series_style = curve.x, context.styles[curve.label]
        inside = (x >= xlim[0]) & (x <= xlim[1]) & curve.finite
        style.plot_ours(inset, x[inside], curve.mean[inside], series_style)
        band = curve.band()
        if band is not None:
            low, high = (bound[inside[curve.finite]] for bound in band)
            style.fill_band(inset, x[inside], (low, high), series_style)
    inset.set_xlim(xlim)
    inset.set_ylim(ylim)
    inset.yaxis.set_major_locator(MaxNLocator(3))
    inset.tick_params(labelsize=6)
    axes.indicate_inset_zoom(inset, edgecolor=style.FAINT, linewidth=0.7)


def _plotted(context: Context, found: list[PanelCurves]) -> dict[str, style.SeriesStyle]:
    """The series that have a curve of ours or of the paper's."""
    plotted = {}
    for label, series_style in context.styles.items():
        one = context.figure.series_of(label)
        in_paper = one is not None and one.reference is not None and not context.generated
        if in_paper or any(curves.curve(label) is not None for curves in found):
            plotted[label] = series_style
    return plotted


def x_values(panel: Panel, curve: Curve, found: PanelCurves) -> np.ndarray | None:
    """The x of a curve: epochs, or wall time in epochs of the series ``panel.unit``.

    ``None`` if wall times are needed and missing.
    """
    if panel.x != "normalised":
        return curve.x
    unit = found.curve(str(panel.unit))
    if unit is None or not np.isfinite(unit.seconds).all() or not np.isfinite(curve.seconds).all():
        return None
    epoch_seconds = float((unit.seconds[:, -1] / len(unit.x)).mean())
    elapsed = curve.seconds.mean(axis=0)
    start = 0.0 if panel.first_x else elapsed[0]
    return (elapsed - start) / epoch_seconds if epoch_seconds > 0 else None


def _plot_curve(
    axes: Axes, x: np.ndarray, curve: Curve, series_style: style.SeriesStyle, offset: float
) -> None:
    finite, mean = curve.finite, curve.mean
    style.plot_ours(axes, x[finite], mean[finite], series_style, offset)
    style.fill_band(axes, x[finite], curve.band(), series_style)
    if curve.diverged and finite.any():
        last = int(np.flatnonzero(finite)[-1])
        axes.plot(
            x[last], mean[last], "x", color=series_style.color, markersize=9, markeredgewidth=2
        )


def _set_limits(context: Context, axes: Axes, panel: Panel, found: PanelCurves) -> None:
    """The limits of the paper's axes, extended downwards if a curve of ours ends below them."""
    axes.set_yscale(panel.yscale)
    if context.generated or context.scale == "unknown":
        axes.margins(x=0.03)
        axes.xaxis.set_major_locator(MaxNLocator(integer=panel.x == "epoch", steps=[1, 2, 5, 10]))
        return
    right = panel.xlim[1]
    if panel.curves is None and panel.x == "epoch" and found.curves:  # the paper has no line
        right = min(right, max(panel.xlim[0] + 1, *(float(c.x[-1]) for c in found.curves)))
    axes.set_xlim(panel.xlim[0], right)
    low, high = panel.ylim
    last = _last_costs(panel, found)
    if last and min(last.values()) < low:
        low = _grid_line_below(min(last.values()), panel)
    axes.set_ylim(low, high)
    if right < panel.xlim[1] / 2:
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    elif panel.xstep:
        axes.xaxis.set_major_locator(MultipleLocator(panel.xstep))
    if panel.ystep and panel.yscale == "linear":
        axes.yaxis.set_major_locator(MultipleLocator(panel.ystep))


def _last_costs(panel: Panel, found: PanelCurves) -> dict[str, float]:
    """The last cost of every curve inside the panel's x range."""
    last = {}
    for curve in found.curves:
        inside = curve.finite & (curve.x <= (panel.xlim[1] if panel.x == "epoch" else np.inf))
        if inside.any():
            last[curve.label] = float(curve.mean[inside][-1])
    return last


def _above_axes(context: Context, panel: Panel, found: PanelCurves) -> list[str]:
    """Messages: curves that end above the paper's axes, and curves without the times they need."""
    if context.generated:
        return []
    last = _last_costs(panel, found).items()
    above = [f"{label} ends at {y:.3g}" for label, y in last if y > panel.ylim[1]]
    untimed = [
        f"{curve.label}: no wall times"
        for curve in found.curves
        if x_values(panel, curve, found) is None
    ]
    return ([f"above the axes ({panel.name}): {', '.join(above)}"] if above else []) + untimed


def _diverged(panel: Panel, found: PanelCurves) -> list[str]:
    where = f" ({panel.name})" if panel.separate else ""
    return [
        f"{curve.label}{where}: {curve.diverged} of {counted(curve.n, 'seed')} diverged (x)"
        for curve in found.curves
        if curve.diverged
    ]


def _grid_line_below(value: float, panel: Panel) -> float:
    """The highest grid line at or below a cost."""
    if panel.yscale == "log":
        return float(10.0 ** math.floor(math.log10(max(value, 1e-300))))
    step = panel.ystep or 0.1
    return step * math.floor(value / step)


def _seeds(found: list[PanelCurves]) -> str:
    counts = [curve.n for curves in found for curve in curves.curves]
    return seed_count(counts, ", band: bootstrapped 95 % of the mean")


def _missing(context: Context, found: list[PanelCurves]) -> list[str]:
    """Messages: series without data, and curves with fewer epochs than planned, each once."""
    messages: list[str] = []
    for panel, curves in zip(context.figure.panels, found, strict=True):
        where = f" ({panel.name})" if panel.separate else ""
        planned = context.planned_epochs(panel)
        messages += [f"{problem}{where}" for problem in curves.problems]
        messages += [
            f"{curve.label}{where}: {len(curve.x)} of {counted(planned, 'epoch')}"
            for curve in curves.curves
            if planned and len(curve.x) < planned and not curve.diverged
        ]
    return list(dict.fromkeys(messages))
