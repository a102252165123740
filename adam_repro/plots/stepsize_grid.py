"""The grid behind each series: final training cost against lr. Marks edge optima and divergence."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing

from adam_repro.figures.spec import Panel
from adam_repro.plots import series, style
from adam_repro.plots.context import Context
from adam_repro.plots.layout import Layout, legend_handles

HEIGHT = 3.4

Points = dict[str, pd.DataFrame]  # by series


@style.own_settings()
def draw(context: Context) -> tuple[Drawing, list[str]] | None:
    """One pair of axes for each task; ``None`` if nothing was searched."""
    by_task = [panel for panel in context.figure.panels if panel.separate]
    panels = by_task or [panel for panel in [context.longest_panel] if panel]
    points = {panel.name: _points(context, panel) for panel in panels}
    searched = {
        label: context.styles[label]
        for label in context.labels
        if any(len(of_panel[label]) > 1 for of_panel in points.values())
    }
    if not searched:
        return None
    columns = 1 if len(panels) == 1 else 2
    rows = -(-len(panels) // columns)
    messages = _missing(context, points)
    note = "star: best, drawn in the figure (open: at the edge of its grid); |: fitted; x: diverged"
    footer = [*context.footer("grid with one seed", "dense_grid", messages), note]
    width = style.WIDTH if columns == 1 else 8.6
    title = context.title("dense_grid")
    layout = Layout(width, rows * HEIGHT, legend_handles(searched), footer, title=title)
    for axes, panel in zip(layout.grid(len(panels), columns, HEIGHT, 2.6), panels, strict=True):
        _plot_panel(context, axes, panel, points[panel.name])
    return layout.finish(), messages


def _points(context: Context, panel: Panel) -> Points:
    trials = panel.name if panel.separate else ""
    quantity = context.figure.cost_column(trials)
    return {
        label: series.lr_sensitivity(context.rows, trials, label, quantity)
        for label in context.labels
    }


def _missing(context: Context, points: dict[str, Points]) -> list[str]:
    return [
        f"{label}: no grid" + (f" ({panel})" if len(points) > 1 else "")
        for panel, of_panel in points.items()
        for label, cells in of_panel.items()
        if _is_searched(context, label) and not len(cells)
    ]


def _is_searched(context: Context, label: str) -> bool:
    one = context.figure.series_of(label)
    return one is not None and one.lr is not None


def _plot_panel(context: Context, axes: Axes, panel: Panel, points: Points) -> None:
    costs = [cost for cells in points.values() for cost in cells["cost"] if np.isfinite(cost)]
    axes.set_xscale("log")
    if costs and min(costs) > 0 and max(costs) > 3 * min(costs):
        axes.set_yscale("log")
    for label, cells in points.items():
        if len(cells) > 1:
            _plot_series(axes, cells, context.styles[label])
            _mark_printed_lr(context, axes, panel, label, context.styles[label].color)
    axes.margins(y=0.12)
    style.label_axes(axes, panel.title, "lr (α)", f"{panel.ylabel} in the last epoch")
    if not any(len(cells) > 1 for cells in points.values()):
        axes.set(xticks=[], yticks=[])
        axes.minorticks_off()
        axes.text(0.5, 0.5, "no grid", transform=axes.transAxes, ha="center", color=style.FAINT)


def _plot_series(axes: Axes, cells: pd.DataFrame, series_style: style.SeriesStyle) -> None:
    """Cost by lr, diverged trials as crosses on top, and a star at the best."""
    color, at_edge = series_style.color, series.is_best_at_edge(cells)
    finite = np.isfinite(cells["cost"].to_numpy())
    x, y = cells["lr"].to_numpy(), cells["cost"].to_numpy()
    axes.plot(x[finite], y[finite], "-", color=color, marker=series_style.marker, markersize=3.4)
    axes.plot(
        x[~finite], np.full((~finite).sum(), 1.0), "x", color=color, markersize=6,
        markeredgewidth=1.6, transform=axes.get_xaxis_transform(), clip_on=False,
    )  # fmt: skip
    best = cells["best"].to_numpy() & finite
    axes.plot(
        x[best], y[best], "*", color=color, markersize=13, zorder=4,
        markeredgecolor=color if at_edge else "white",
        markerfacecolor="white" if at_edge else color,
    )  # fmt: skip


def _mark_printed_lr(context: Context, axes: Axes, panel: Panel, label: str, color: str) -> None:
    """Mark the lr of the fitted settings at the foot of the axes."""
    rows = context.rows
    printed = rows[(rows["reading"] == "as_printed") & (rows["series"] == label)]
    printed = printed[printed["panel"].isin((panel.name, ""))]
    for lr in printed["lr"].dropna().unique():
        axes.plot(
            lr, 0.02, "|", color=color, markersize=12, markeredgewidth=2,
            transform=axes.get_xaxis_transform(), clip_on=False,
        )  # fmt: skip
