"""The grid behind each series: final training cost against lr, edge optima and divergence marked."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing

from adam_repro.figures.spec import Panel
from adam_repro.plots import series, style
from adam_repro.plots.context import Context

HEIGHT = 3.4

Points = dict[str, pd.DataFrame]


def draw(context: Context) -> tuple[Drawing, list[str]] | None:
    """One pair of axes for each task; ``None`` where nothing was searched."""
    own = [panel for panel in context.figure.panels if panel.task]
    panels = own or [panel for panel in [context.longest] if panel]
    points = {p.name: {x: _points(context, p, x) for x in context.labels} for p in panels}
    if not any(len(cells) > 1 for found in points.values() for cells in found.values()):
        return None
    columns = 1 if len(panels) == 1 else 2
    rows = -(-len(panels) // columns)
    told = _told(context, points)
    note = "star: best, drawn in the figure (open: at the edge of its grid); |: as printed; x: diverged"
    foot = [*context.footer("grid with one seed", "dense_grid", told), note]
    looks = {
        label: context.looks[label]
        for label in context.labels
        if any(len(found[label]) > 1 for found in points.values())
    }
    width = style.WIDTH if columns == 1 else 8.6
    lettered = 0.1 + 0.125 * len(foot)
    under = lettered + style.legend_height(width, len(looks)) + 0.12
    height = under + rows * HEIGHT
    drawing = style.canvas(height, width)
    for i, panel in enumerate(panels):
        row, column = divmod(i, columns)
        left = 0.66 + column * width / columns
        bottom = under + 0.46 + (rows - 1 - row) * HEIGHT
        box = (left / width, bottom / height, (width / columns - 0.86) / width, 2.6 / height)
        _panel(context, drawing.add_axes(box), panel, points[panel.name])
    style.legend(drawing, looks, False, lettered)
    style.notes(drawing, foot)
    return drawing, told


def _points(context: Context, panel: Panel, label: str) -> pd.DataFrame:
    trials = panel.name if panel.task else ""
    return series.sensitivity(context.rows, trials, label, context.figure.cost_column(trials))


def _told(context: Context, points: dict[str, Points]) -> list[str]:
    return [
        f"{label}: no grid" + (f" ({panel})" if len(points) > 1 else "")
        for panel, found in points.items()
        for label, cells in found.items()
        if _searched(context, label) and not len(cells)
    ]


def _searched(context: Context, label: str) -> bool:
    one = context.figure.series_of(label)
    return one is not None and one.lr is not None


def _panel(context: Context, axes: Axes, panel: Panel, points: Points) -> None:
    finite = [c for cells in points.values() for c in cells["cost"] if np.isfinite(c)]
    axes.set_xscale("log")
    if finite and min(finite) > 0 and max(finite) > 3 * min(finite):
        axes.set_yscale("log")
    for label, cells in points.items():
        if len(cells) < 2:
            continue
        look, edge = context.looks[label], series.at_edge(cells)
        alive = np.isfinite(cells["cost"].to_numpy())
        x, y = cells["lr"].to_numpy(), cells["cost"].to_numpy()
        axes.plot(x[alive], y[alive], "-", color=look.color, marker=look.marker, markersize=3.4)
        axes.plot(
            x[~alive], np.full((~alive).sum(), 1.0), "x", color=look.color, markersize=6,
            markeredgewidth=1.6, transform=axes.get_xaxis_transform(), clip_on=False,
        )  # fmt: skip
        best = cells["best"].to_numpy() & alive
        axes.plot(
            x[best], y[best], "*", color=look.color, markersize=13, zorder=4,
            markeredgecolor=look.color if edge else "white",
            markerfacecolor="white" if edge else look.color,
        )  # fmt: skip
        _printed(context, axes, panel, label, look.color)
    axes.margins(y=0.12)
    style.finish(axes, panel.title, "lr (α)", f"{panel.ylabel} in the last epoch")
    if not any(len(cells) > 1 for cells in points.values()):
        axes.set(xticks=[], yticks=[])
        axes.minorticks_off()
        axes.text(0.5, 0.5, "no grid", transform=axes.transAxes, ha="center", color=style.FAINT)


def _printed(context: Context, axes: Axes, panel: Panel, label: str, color: str) -> None:
    """The stepsize of the other reading, as a mark at the foot of the axes."""
    rows = context.rows
    mine = rows[(rows["reading"] == "as_printed") & (rows["series"] == label)]
    mine = mine[mine["panel"].isin((panel.name, ""))]
    for lr in mine["lr"].dropna().unique():
        axes.plot(
            lr, 0.02, "|", color=color, markersize=12, markeredgewidth=2,
            transform=axes.get_xaxis_transform(), clip_on=False,
        )  # fmt: skip
