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
    "test_cost": ("test cost", "nats per example"),
    "test_error": ("test error", "% of the test set"),
}


@style.own_settings()
def draw(context: Context, reading: str) -> tuple[Drawing, list[str]] | None:
    """Test cost on the left, test error on the right; ``None`` if neither was measured."""
    panel = context.longest_panel
    if panel is None or panel.separate:
        return None
    found = {
        quantity: context.curves(reading, replace(panel, quantity=quantity)) for quantity in LABELS
    }
    curves = [curve for of_quantity in found.values() for curve in of_quantity.curves]
    if not any(np.isfinite(curve.costs).any() for curve in curves):
        return None
    seeds = seed_count(curve.n for curve in curves)
    footer = context.footer(f"{seeds}, measured after each epoch, without dropout", reading, [])
    shown = {curve.label: context.styles[curve.label] for curve in curves}
    layout = Layout(WIDTH, HEIGHT, legend_handles(shown), footer)
    for column, (quantity, of_quantity) in enumerate(found.items()):
        axes = layout.add_axes(0.65 + column * WIDTH / 2, 0.0, 3.5, 2.5)
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
