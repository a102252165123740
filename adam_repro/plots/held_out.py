"""Test cost and test error of the trials whose training cost the paper shows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing
from matplotlib.ticker import MaxNLocator

from adam_repro.plots import series, style
from adam_repro.plots.context import Context, seed_count
from adam_repro.plots.layout import Layout, legend_handles

HEIGHT, WIDTH = 3.4, 8.6
LABELS = {  # title and y label
    "test_cost": ("test cost", "test cost (nats)"),
    "test_error": ("test error", "test error (%)"),
}


@style.own_settings()
def draw(context: Context, reading: str) -> tuple[Drawing, list[str]] | None:
    """Test cost and test error, as far as they were measured; ``None`` if neither was."""
    panel = context.longest_panel
    if panel is None or panel.separate:
        return None
    found = {
        quantity: context.curves(reading, replace(panel, quantity=quantity)) for quantity in LABELS
    }
    found = {
        quantity: of_quantity
        for quantity, of_quantity in found.items()
        if any(np.isfinite(curve.costs).any() for curve in of_quantity.curves)
    }
    if not found:
        return None
    curves = [curve for of_quantity in found.values() for curve in of_quantity.curves]
    seeds = seed_count(curve.n for curve in curves)
    footer = context.footer(f"{seeds}, measured after each epoch, without dropout", reading, [])
    shown = {curve.label: context.styles[curve.label] for curve in curves}
    width = WIDTH if len(found) == 2 else style.WIDTH
    layout = Layout(width, HEIGHT, legend_handles(shown), footer, title=context.title(reading))
    grid = layout.grid(len(found), len(found), HEIGHT, 2.5)
    for axes, (quantity, of_quantity) in zip(grid, found.items(), strict=True):
        _plot_curves(context, axes, of_quantity.curves, 100.0 if quantity == "test_error" else 1.0)
        title, ylabel = LABELS[quantity]
        style.label_axes(axes, title, panel.xlabel, ylabel)
    return layout.finish(), []


def _plot_curves(context: Context, axes: Axes, curves: list[series.Curve], factor: float) -> None:
    for i, curve in enumerate(curves):
        finite, series_style = curve.finite, context.styles[curve.label]
        style.plot_ours(axes, curve.x[finite], factor * curve.mean[finite], series_style, i * 0.02)
        band = series.confidence_band(factor * curve.costs[:, finite])
        style.fill_band(axes, curve.x[finite], band, series_style)
    if all((curve.mean[curve.finite] > 0).all() for curve in curves):
        axes.set_yscale("log")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
