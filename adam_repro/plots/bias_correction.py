"""Figure 4: the bound by stepsize, with and without bias correction, in twelve panels."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing
from matplotlib.ticker import MaxNLocator, MultipleLocator

from adam_repro.figures import paper_curves
from adam_repro.figures.spec import Panel
from adam_repro.plots import series, style
from adam_repro.plots.context import Context, counted

WIDTH, AXES, ROW = 10.4, 1.38, 1.66  # inches

Cells = dict[tuple[str, str], pd.DataFrame]  # by panel and series


def draw(context: Context, reading: str) -> tuple[Drawing, list[str]]:
    """Two blocks beside each other, after 10 and after 100 epochs; rows beta1, columns beta2."""
    found = {
        (panel.name, label): series.cells(context.rows, panel, reading, label, ceiling(context))
        for panel in context.figure.panels
        for label in context.labels
    }
    told = _told(context, found)
    foot = context.footer(_seeds(found), reading, told)
    lettered = 0.1 + 0.125 * len(foot)
    under = lettered + 0.29 + 0.46
    height = under + ROW + AXES + 0.55
    drawing = style.canvas(height, WIDTH)
    marks = sorted({panel.mark for panel in context.figure.panels})
    for mark in marks:
        block = [panel for panel in context.figure.panels if panel.mark == mark]
        columns = -(-len(block) // 2)
        left = 0.64 + mark * (WIDTH - 0.25) / len(marks)
        each = ((WIDTH - 0.25) / len(marks) - 0.66) / columns
        for i, panel in enumerate(block):
            row, column = divmod(i, columns)
            bottom = (under + (1 - row) * ROW) / height
            box = ((left + column * each) / WIDTH, bottom, (each - 0.14) / WIDTH, AXES / height)
            axes = drawing.add_axes(box)
            _panel(context, axes, panel, found)
            _frame(context, axes, panel, row, column, found)
        center = (left + columns * each / 2) / WIDTH
        drawing.text(center, 1 - 0.24 / height, _after(context, mark), ha="center", fontsize=10)
    shown = {label: context.looks[label] for label in context.labels}
    style.legend(drawing, shown, not context.generated, lettered)
    style.notes(drawing, foot)
    return drawing, told


def ceiling(context: Context) -> float:
    """The cost of a diverged run: the paper's 400; generated data have costs of their own."""
    return np.inf if context.generated else series.DIVERGED


def _seeds(found: Cells) -> str:
    counts = [int(n) for cells in found.values() for n in cells["n"]]
    if not counts:
        return counted(counts)
    seeds = counted(counts, ", bars: smallest and largest")
    return f"{seeds}, on top: diverged with some seed (x), in the paper (hollow)"


def _told(context: Context, found: Cells) -> list[str]:
    """What is missing, in as few words as tell it."""
    scale = context.figure.scales.get(context.scale)
    marks = len(scale.marks) if scale else 2
    panels = [panel for panel in context.figure.panels if panel.mark < marks]
    told = []
    for label in context.labels:
        lacking = [panel for panel in panels if found[panel.name, label].empty]
        words = [_lack(context, panel, label) for panel in lacking]
        if len(lacking) == len(panels) and len(set(words)) == 1:
            told.append(f"{label}: {words[0]}")
        else:
            told += [f"{label}: {w} ({p.title})" for w, p in zip(words, lacking, strict=True)]
    return told


def _lack(context: Context, panel: Panel, label: str) -> str:
    """Why a panel has no point of a series: no rows, or none with what it draws."""
    rows = context.rows
    there = (rows["panel"] == panel.name) & (rows["series"] == label) & rows["lr"].notna()
    return f"no {panel.quantity}" if there.any() else "no data"


def _after(context: Context, mark: int) -> str:
    scale = context.figure.scales.get(context.scale)
    if scale is None:
        return next(p.title for p in context.figure.panels if p.mark == mark).split(",")[0]
    if mark >= len(scale.marks):
        return f"(not at scale {context.scale})"
    return f"after {scale.marks[mark]} epoch{'s' * (scale.marks[mark] != 1)}"


def _panel(context: Context, axes: Axes, panel: Panel, found: Cells) -> None:
    for i, label in enumerate(context.labels):
        look, cells = context.looks[label], found[panel.name, label]
        one = context.figure.series_of(label)
        if one and one.reference and not context.generated:
            x, y = paper_curves.loss_by_lr(panel.name, one.reference)
            style.theirs(axes, x, y, look)
            _crosses(axes, x[y >= series.LOST], i, look.color, "X", 7.5, 0.8)
        if cells.empty:
            continue
        x, y = np.log10(cells["lr"].to_numpy(float)), cells["cost"].to_numpy(float)
        style.ours(axes, x, y, look)
        dead = cells["diverged"].to_numpy(bool)
        bars = ~dead & (cells["n"] > 1).to_numpy(bool)
        low, high = cells["low"].to_numpy(float), cells["high"].to_numpy(float)
        axes.vlines(x[bars], low[bars], high[bars], color=look.color, lw=2.4, alpha=0.35)
        _crosses(axes, x[dead], i, look.color, "x", 4.0, 1.3)


def _crosses(
    axes: Axes, x: np.ndarray, row: int, color: str, marker: str, size: float, edge: float
) -> None:
    """Runs that diverged, in a row of their series on top of the frame."""
    axes.plot(
        x, np.full(len(x), 1.02 - 0.09 * row), marker, color=color, markersize=size, mfc="white",
        transform=axes.get_xaxis_transform(), clip_on=False, markeredgewidth=edge, zorder=3,
    )  # fmt: skip


def _frame(context: Context, axes: Axes, panel: Panel, row: int, column: int, found: Cells) -> None:
    axes.set_xlim(panel.xlim[0] - 0.1, panel.xlim[1] + 0.1)
    axes.xaxis.set_major_locator(MultipleLocator(panel.xstep or 1))
    axes.set_ylim(*(_own_range(found) if context.generated else panel.ylim))
    steps = MaxNLocator(4) if context.generated else MultipleLocator(panel.ystep or 20)
    axes.yaxis.set_major_locator(steps)
    betas = [f"{value:g}" for value in panel.where.values()]
    title = f"β₁ = {betas[0]}, β₂ = {betas[1]}"
    style.finish(axes, title, "log₁₀ α" if row else "", "" if column else panel.ylabel)
    axes.title.set_fontsize(8)
    axes.tick_params(axis="x", labelsize=7, labelbottom=row > 0)
    axes.tick_params(axis="y", labelleft=column == 0)


def _own_range(found: Cells) -> tuple[float, float]:
    """Smallest to median cost of all panels, with some room: generated data know no 95 to 140."""
    costs = np.concatenate([cells["cost"].to_numpy(float) for cells in found.values()])
    costs = costs[np.isfinite(costs)]
    if not len(costs):
        return 0.0, 1.0
    low, high = float(costs.min()), float(np.quantile(costs, 0.8))
    room = 0.1 * max(high - low, 1e-9 + abs(low) * 1e-3)
    return low - room, high + room
