"""The drawings of a comparison of optimizers: cost by stepsize, by tuning trials, and over all tasks.

Each takes a frame with a column ``optimizer``, the style of every optimizer, and lines for its foot.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing
from matplotlib.ticker import MaxNLocator

from adam_repro.plots import style
from adam_repro.plots.layout import Layout, legend_handles
from adam_repro.plots.style import SeriesStyle

AXES = 3.3  # inches: a pair of axes with title and labels
Styles = Mapping[str, SeriesStyle]  # by optimizer


@style.own_settings()
def stepsizes(
    points: pd.DataFrame, styles: Styles, labels: Sequence[str], footer: Sequence[str]
) -> Drawing:
    """Final cost against stepsize.

    ``points``: columns optimizer, lr, cost (infinite: diverged). ``labels``: title and cost.
    """
    shown = [name for name in styles if name in set(points["optimizer"])]
    note = "star: best; x: diverged or failed"
    layout, axes = _one_pair({name: styles[name] for name in shown}, [*footer, note])
    axes.set_xscale("log")
    _set_cost_scale(axes, points["cost"])
    for i, name in enumerate(shown):
        own = points[points["optimizer"] == name].sort_values("lr")
        lr, cost = own["lr"].to_numpy(float), own["cost"].to_numpy(float)
        _plot_by_lr(axes, lr, cost, styles[name], 1.0 - 0.045 * i)
    style.label_axes(axes, labels[0], "stepsize (α)", labels[1])
    return layout.finish()


def _plot_by_lr(axes: Axes, lr: np.ndarray, cost: np.ndarray, one: SeriesStyle, top: float) -> None:
    """Cost by lr, both [n]: a star at the lowest, infinite ones at a height of ``top`` axes."""
    finite = np.isfinite(cost)
    axes.plot(lr[finite], cost[finite], "-", color=one.color, marker=one.marker, markersize=3.6)
    axes.plot(
        lr[~finite], np.full((~finite).sum(), top), "x", color=one.color, markersize=6,
        markeredgewidth=1.6, transform=axes.get_xaxis_transform(), clip_on=False,
    )  # fmt: skip
    if finite.any():
        best = int(np.argmin(np.where(finite, cost, np.inf)))
        axes.plot(
            lr[best], cost[best], "*", color=one.color, markersize=12, zorder=4,
            markeredgecolor="white",
        )  # fmt: skip


@style.own_settings()
def best_after(
    points: pd.DataFrame, styles: Styles, labels: Sequence[str], footer: Sequence[str]
) -> Drawing:
    """The lowest cost of the first k tuning trials, against k.

    ``points``: columns optimizer, k from 1, cost (infinite as long as none has finished). ``labels``:
    title and cost.
    """
    shown = [name for name in styles if name in set(points["optimizer"])]
    layout, axes = _one_pair({name: styles[name] for name in shown}, footer)
    _set_cost_scale(axes, points["cost"])
    for i, name in enumerate(shown):
        own = points[points["optimizer"] == name].sort_values("k")
        k, cost = own["k"].to_numpy(float), own["cost"].to_numpy(float)
        finite = np.isfinite(cost)
        one = styles[name]
        axes.step(k[finite], cost[finite], "-", where="post", color=one.color)
        every = max(1, len(k) // 8)
        marked = np.flatnonzero(finite)[i % every :: every]
        axes.plot(k[marked], cost[marked], one.marker, color=one.color, markersize=3.6)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    style.label_axes(axes, labels[0], "tuning trials", labels[1])
    return layout.finish()


@style.own_settings()
def profile(ratios: pd.DataFrame, styles: Styles, footer: Sequence[str]) -> Drawing:
    """Dolan and Moré's (2002) performance profile: the share of tasks within a factor of the fastest.

    ``ratios``: a row a task, a column an optimizer: its steps to the target over those of the fastest
    one, infinite where it does not reach it.
    """
    shown = {name: styles[name] for name in styles if name in ratios}
    layout, axes = _one_pair(shown, footer)
    values = ratios.to_numpy(float)
    finite = values[np.isfinite(values)]
    right = 1.3 * max(2.0, float(finite.max(initial=1.0)))
    for i, (name, one) in enumerate(shown.items()):
        steps = np.sort(ratios[name].to_numpy(float))
        at = np.array([1.0, *steps[np.isfinite(steps)], right])
        share = np.array([(steps <= tau).mean() for tau in at])
        # Lines that lie on each other are a little apart, so that all are seen.
        shift = 0.006 * (i - (len(shown) - 1) / 2)
        axes.step(at, share + shift, where="post", color=one.color)
        axes.plot(at[:-1], share[:-1] + shift, one.marker, color=one.color, markersize=3.6)
    axes.set_xscale("log")
    axes.set_xlim(0.97, right)
    axes.set_ylim(-0.05, 1.05)
    style.label_axes(
        axes, "performance profile", "τ: steps over those of the fastest", "share of tasks"
    )
    return layout.finish()


def _one_pair(shown: Styles, footer: Sequence[str]) -> tuple[Layout, Axes]:
    handles = legend_handles(shown)
    layout = Layout(style.WIDTH, AXES, handles, list(footer))
    return layout, layout.add_axes(0.66, 0.0, style.WIDTH - 0.86, AXES - 0.78)


def _set_cost_scale(axes: Axes, costs: pd.Series[Any]) -> None:
    """A log scale where costs span a factor of 3; the highest leave the axes if they span too much.

    A cost of 0 is below every log scale: its line leaves the axes at the foot.
    """
    finite = costs[np.isfinite(costs)]
    above = finite[finite > 0]
    if above.empty or finite.min() < 0:
        return
    low, middle, high = float(above.min()), float(above.median()), float(above.max())
    if high > 3 * low:
        axes.set_yscale("log")
        cut = high > 1e4 * middle
        if cut or finite.min() == 0:
            axes.set_ylim(low / 1.5, 1e3 * middle if cut else high * 1.5)
