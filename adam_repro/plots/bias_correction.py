"""Figure 4: cost by stepsize with and without bias correction, in twelve panels."""

from __future__ import annotations

import string

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, MultipleLocator

from adam_repro.figures import paper_curves
from adam_repro.figures.spec import Panel
from adam_repro.plots import series, style
from adam_repro.plots.context import Context, seed_count
from adam_repro.plots.layout import X_LABELS, Layout, legend_handles
from adam_repro.wording import counted

WIDTH, AXES, ROW = 10.4, 1.38, 1.66  # inches: of the drawing; height of axes; from row to row

Cells = dict[tuple[str, str], pd.DataFrame]  # by panel and series


@style.own_settings()
def draw(context: Context, reading: str) -> tuple[Drawing, list[str]]:
    """Two blocks beside each other, after 10 and after 100 epochs; rows beta1, columns beta2."""
    ceiling = np.inf if context.generated else series.DIVERGED_COST
    cells = {
        (panel.name, label): series.cost_by_lr(context.rows, panel, reading, label, ceiling)
        for panel in context.figure.panels
        for label in context.labels
    }
    missing = _missing(context, cells)
    styles = {label: context.styles[label] for label in context.labels}
    footer = context.footer(_seeds(cells), reading, missing)
    handles = legend_handles(styles, with_paper=not context.generated) + _cross_handles(context)
    height = X_LABELS + ROW + AXES + 0.55
    title = context.title(reading)
    layout = Layout(WIDTH, height, handles, footer, legend_height=0.46, title=title)
    marks = _marks(context, cells)
    for place, mark in enumerate(marks):
        block = [panel for panel in context.figure.panels if panel.mark == mark]
        columns = -(-len(block) // 2)
        left = 0.64 + place * (WIDTH - 0.25) / len(marks)
        pitch = ((WIDTH - 0.25) / len(marks) - 0.66) / columns
        for i, panel in enumerate(block):
            row, column = divmod(i, columns)
            axes = layout.add_axes(left + column * pitch, (1 - row) * ROW, pitch - 0.14, AXES)
            _plot_panel(context, axes, panel, cells)
            _label_panel(context, axes, panel, row, column, cells)
            letter = place * len(block) + i
            axes.text(
                0.03, 0.05, string.ascii_lowercase[letter], transform=axes.transAxes, weight="bold"
            )
        center, top = (left + columns * pitch / 2) / WIDTH, 1 - 0.51 / layout.height
        layout.drawing.text(center, top, _block_title(context, mark), ha="center", fontsize=10)
    return layout.finish(), missing


def _seeds(cells: Cells) -> str:
    counts = [int(n) for found in cells.values() for n in found["n"]]
    if not counts:
        return seed_count(counts)
    return seed_count(counts, ", bars: smallest and largest")


def _marks(context: Context, cells: Cells) -> list[int]:
    """The marks of which a panel has a cost; all of them if none has."""
    panels = context.figure.panels
    measured = {
        panel.mark
        for panel in panels
        if any(len(cells[panel.name, label]) for label in context.labels)
    }
    return sorted(measured or {panel.mark for panel in panels})


def _cross_handles(context: Context) -> list[Line2D]:
    """What the crosses above the axes mean."""
    ours = Line2D([], [], ls="", marker="x", ms=4.0, mew=1.3, color=style.FAINT)
    ours.set_label("on top: diverged with some seed")
    paper = Line2D([], [], ls="", marker="X", ms=7.5, mew=0.8, mfc="white", color=style.FAINT)
    paper.set_label("hollow: diverged in the paper")
    return [ours] if context.generated else [ours, paper]


def _missing(context: Context, cells: Cells) -> list[str]:
    """A message for each series and panel without points; one for all panels if they are equal."""
    scale = context.figure.scales.get(context.scale)
    marks = len(scale.marks) if scale else 2
    panels = [panel for panel in context.figure.panels if panel.mark < marks]
    messages = []
    for label in context.labels:
        empty = [panel for panel in panels if cells[panel.name, label].empty]
        reasons = [_reason_empty(context, panel, label) for panel in empty]
        if len(empty) == len(panels) and len(set(reasons)) == 1:
            messages.append(f"{label}: {reasons[0]}")
        else:
            messages += [
                f"{label}: {reason} ({panel.title})"
                for reason, panel in zip(reasons, empty, strict=True)
            ]
    return messages


def _reason_empty(context: Context, panel: Panel, label: str) -> str:
    """Why a panel has no point of a series: it has no rows, or the plotted column is empty."""
    rows = context.rows
    of_series = (rows["panel"] == panel.name) & (rows["series"] == label) & rows["lr"].notna()
    return f"no {panel.quantity}" if of_series.any() else "no data"


def _block_title(context: Context, mark: int) -> str:
    scale = context.figure.scales.get(context.scale)
    if scale is None:
        return next(p.title for p in context.figure.panels if p.mark == mark).split(",")[0]
    if mark >= len(scale.marks):
        return f"(not at scale {context.scale})"
    return f"after {counted(scale.marks[mark], 'epoch')}"


def _plot_panel(context: Context, axes: Axes, panel: Panel, cells: Cells) -> None:
    for i, label in enumerate(context.labels):
        series_style, found = context.styles[label], cells[panel.name, label]
        color = series_style.color
        one = context.figure.series_of(label)
        if one and one.reference and not context.generated:
            x, y = paper_curves.loss_by_lr(panel.name, one.reference)
            style.plot_paper(axes, x, y, series_style)
            _plot_crosses(axes, x[y >= series.DIVERGED_IN_PAPER], i, color, "X", 7.5, 0.8)
        if found.empty:
            continue
        x, y = np.log10(found["lr"].to_numpy(float)), found["cost"].to_numpy(float)
        style.plot_ours(axes, x, y, series_style)
        diverged = found["diverged"].to_numpy(bool)
        bars = ~diverged & (found["n"] > 1).to_numpy(bool)
        low, high = found["low"].to_numpy(float), found["high"].to_numpy(float)
        axes.vlines(x[bars], low[bars], high[bars], color=color, lw=2.4, alpha=0.35)
        _plot_crosses(axes, x[diverged], i, color, "x", 4.0, 1.3)


def _plot_crosses(
    axes: Axes, x: np.ndarray, row: int, color: str, marker: str, size: float, edge: float
) -> None:
    """Diverged runs on top of the axes, in one row for each series."""
    axes.plot(
        x, np.full(len(x), 1.02 - 0.09 * row), marker, color=color, markersize=size, mfc="white",
        transform=axes.get_xaxis_transform(), clip_on=False, markeredgewidth=edge, zorder=3,
    )  # fmt: skip


def _label_panel(
    context: Context, axes: Axes, panel: Panel, row: int, column: int, cells: Cells
) -> None:
    axes.set_xlim(panel.xlim[0] - 0.1, panel.xlim[1] + 0.1)
    axes.xaxis.set_major_locator(MultipleLocator(panel.xstep or 1))
    axes.set_ylim(*(_range_of_costs(cells) if context.generated else panel.ylim))
    steps = MaxNLocator(4) if context.generated else MultipleLocator(panel.ystep or 20)
    axes.yaxis.set_major_locator(steps)
    betas = [f"{value:g}" for value in panel.where.values()]
    title = f"β₁ = {betas[0]}, β₂ = {betas[1]}"
    style.label_axes(axes, title, "log₁₀ α" if row else "", "" if column else panel.ylabel)
    axes.title.set_fontsize(8)
    axes.tick_params(axis="x", labelsize=7, labelbottom=row > 0)
    axes.tick_params(axis="y", labelleft=column == 0)


def _range_of_costs(cells: Cells) -> tuple[float, float]:
    """Lowest cost to 80 % quantile of all panels, with a margin: for generated data."""
    costs = np.concatenate([found["cost"].to_numpy(float) for found in cells.values()])
    costs = costs[np.isfinite(costs)]
    if not len(costs):
        return 0.0, 1.0
    low, high = float(costs.min()), float(np.quantile(costs, 0.8))
    margin = 0.1 * max(high - low, 1e-9 + abs(low) * 1e-3)
    return low - margin, high + margin
