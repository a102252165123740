"""How many steps a cost takes as a problem grows: steps by size, each at the best stepsize of that size.

A step counts from which on the test cost stays at or below the target until the last step trained: sign
descent overshoots, and passes below a cost for a single step before it settles there. Between the rows of
a CSV the logarithm of the cost is interpolated.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing

from adam_repro.figures.spec import Panel
from adam_repro.plots import style
from adam_repro.plots.context import Context, seed_count
from adam_repro.plots.layout import Layout, legend_handles
from adam_repro.statistics import log_log_slope

WIDTH, HEIGHT, AXES = 8.6, 3.4, 2.5


@style.own_settings()
def draw(context: Context, reading: str) -> tuple[Drawing, list[str]]:
    """For each panel: steps by size on the left, on the right by lr at the smallest and largest size."""
    panels = context.figure.panels
    found = {panel.name: steps_by_lr(context, panel, reading) for panel in panels}
    messages = _messages(context, found)
    counts = [int(n) for steps in found.values() for n in steps["n"].unique()]
    footer = context.footer(seed_count(counts), reading, messages)
    footer.append("open: best lr at the edge of its grid; right: star: best, dashed: smallest size")
    shown = set().union(*(steps["series"] for steps in found.values()))
    styles = {label: one for label, one in context.styles.items() if label in shown}
    title = context.title(reading)
    layout = Layout(WIDTH, len(panels) * HEIGHT, legend_handles(styles), footer, title=title)
    axes = iter(list(layout.grid(2 * len(panels), 2, HEIGHT, AXES)))
    for panel in panels:
        _plot_sizes(context, next(axes), panel, found[panel.name])
        _plot_stepsizes(context, next(axes), panel, found[panel.name])
    return layout.finish(), messages


def steps_by_lr(context: Context, panel: Panel, reading: str) -> pd.DataFrame:
    """Columns series, size, lr, steps (NaN: not reached), n (seeds): the mean over the seeds."""
    rows = context.rows[context.rows["reading"].isin((reading, ""))]
    rows = rows[rows["panel"] == panel.name]
    target = context.figure.targets[0]
    (option,) = context.figure.search
    found = []
    for (label, grid, lr, seed), trial in rows.groupby(["series", "grid", "lr", "seed"]):
        steps = steps_to(trial.sort_values("epoch"), target)
        size = float(str(grid).removeprefix(f"{option}="))
        found.append((label, size, lr, seed, steps))
    trials = pd.DataFrame(found, columns=["series", "size", "lr", "seed", "steps"])
    groups = trials.groupby(["series", "size", "lr"], as_index=False)["steps"]
    means = groups.agg(steps=lambda steps: steps.mean(skipna=False), n="size")
    return means if len(means) else pd.DataFrame(columns=["series", "size", "lr", "steps", "n"])


def steps_to(trial: pd.DataFrame, target: float) -> float:
    """The steps from which on the cost stays at or below the target; NaN if it does not, or diverged.

    One row at the end is too few to say so: the cost of sign descent has a period of two.
    """
    cost = trial["test_cost"].to_numpy(float)
    steps = trial["step"].to_numpy(float)
    above = np.flatnonzero(~(cost <= target))
    if not len(above):
        return float(steps[0])
    last = int(above[-1])
    if last + 2 >= len(cost):
        return float("nan")
    high, low = np.log(cost[last]), np.log(max(cost[last + 1], 1e-300))
    share = (high - math.log(target)) / (high - low)
    return float(steps[last] + share * (steps[last + 1] - steps[last]))


def best_by_size(steps: pd.DataFrame, label: str) -> pd.DataFrame:
    """Of one series, the fewest steps at each size: columns size, lr, steps, at_edge, by size."""
    of_series = steps[(steps["series"] == label) & steps["steps"].notna()]
    if of_series.empty:
        return pd.DataFrame(columns=["size", "lr", "steps", "at_edge"])
    best = of_series.loc[of_series.groupby("size")["steps"].idxmin()]
    grid = steps.loc[steps["series"] == label, "lr"]
    edge = best["lr"].isin((grid.min(), grid.max()))
    return best.assign(at_edge=edge)[["size", "lr", "steps", "at_edge"]].sort_values("size")


def _plot_sizes(context: Context, axes: Axes, panel: Panel, steps: pd.DataFrame) -> None:
    axes.set(xscale="log", yscale="log")
    places = []
    for label, series_style in context.styles.items():
        best = best_by_size(steps, label)
        if best.empty:
            continue
        x, y = best["size"].to_numpy(float), best["steps"].to_numpy(float)
        style.plot_ours(axes, x, y, series_style)
        edge = best["at_edge"].to_numpy(bool)
        axes.plot(
            x[edge], y[edge], series_style.marker, color=series_style.color, mfc="white", ms=5
        )
        slope = log_log_slope(x, y)
        places.append((y[-1], x[-1], series_style.color, f"{slope.mean:.2f}"))
    _set_limits(axes, panel, context.generated)
    style.label_axes(axes, panel.title, panel.xlabel, panel.ylabel)
    for y, x, color, text in places:  # the slope, beside the last point
        axes.annotate(
            text, (x, y), (5, 0), textcoords="offset points", color=color, va="center", fontsize=8
        )


def _plot_stepsizes(context: Context, axes: Axes, panel: Panel, steps: pd.DataFrame) -> None:
    axes.set(xscale="log", yscale="log")
    ends = sorted(steps["size"].unique())[:: max(1, steps["size"].nunique() - 1)]
    for label, series_style in context.styles.items():
        for i, size in enumerate(ends):
            line = steps[(steps["series"] == label) & (steps["size"] == size)].sort_values("lr")
            x, y = line["lr"].to_numpy(float), line["steps"].to_numpy(float)
            dashes = "-" if i == len(ends) - 1 else "--"
            axes.plot(x, y, dashes, color=series_style.color, marker=".", markersize=3.5, lw=1.0)
            if np.isfinite(y).any():
                best = np.nanargmin(y)
                axes.plot(x[best], y[best], "*", color=series_style.color, markersize=9)
    if not context.generated:
        axes.set_ylim(*panel.ylim)
    sizes = " and ".join(f"{size:g}" for size in ends)
    style.label_axes(axes, f"its grids, at {sizes}", "lr (α)", panel.ylabel)


def _set_limits(axes: Axes, panel: Panel, generated: bool) -> None:
    if not generated:
        axes.set_xlim(*panel.xlim)
        axes.set_ylim(*panel.ylim)


def _messages(context: Context, found: dict[str, pd.DataFrame]) -> list[str]:
    """Series without rows, sizes at which no lr reaches the target, and bests at an edge of the grid.

    The few steps of scale=smoke reach nothing: there it says no more than what is missing.
    """
    messages = []
    for panel, steps in found.items():
        where = f" ({panel})" if len(found) > 1 else ""
        for label in context.labels:
            sizes = set(steps.loc[steps["series"] == label, "size"])
            best = best_by_size(steps, label)
            if not sizes:
                messages.append(f"{label}{where}: no data")
            elif (missing := sorted(sizes - set(best["size"]))) and not context.generated:
                listed = ", ".join(f"{size:g}" for size in missing)
                messages.append(f"{label}{where}: not reached at {listed}")
            edge = best[best["at_edge"].astype(bool)]
            if len(edge) and not context.generated:
                listed = ", ".join(f"{size:g}" for size in edge["size"])
                messages.append(f"{label}{where}: best lr at the edge of its grid at {listed}")
    return messages
