"""Test error, or test cost, beside the training cost that the paper shows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from matplotlib.figure import Figure as Drawing
from matplotlib.ticker import MaxNLocator

from adam_repro.plots import series, style
from adam_repro.plots.context import Context, counted

HEIGHT, WIDTH = 3.4, 8.6


def draw(context: Context, reading: str) -> tuple[Drawing, list[str]] | None:
    """Test cost on the left, test error on the right; ``None`` where neither was measured."""
    panel = context.longest
    if panel is None or panel.task:
        return None
    told: list[str] = []
    found = {
        quantity: context.lines(reading, replace(panel, quantity=quantity))
        for quantity in ("test_cost", "test_error")
    }
    curves = [c for lines in found.values() for c in lines.curves]
    if not any(np.isfinite(curve.costs).any() for curve in curves):
        return None
    seeds = counted(curve.n for curve in curves)
    foot = context.footer(f"{seeds}, measured after each epoch, without dropout", reading, told)
    shown = {c.label: context.looks[c.label] for c in curves}
    lettered = 0.1 + 0.125 * len(foot)
    under = lettered + style.legend_height(WIDTH, len(shown)) + 0.12
    height = under + HEIGHT
    drawing = style.canvas(height, WIDTH)
    for column, (quantity, lines) in enumerate(found.items()):
        bottom = (0.46 + under) / height
        left = (0.65 + column * WIDTH / 2) / WIDTH
        axes = drawing.add_axes((left, bottom, 3.5 / WIDTH, 2.5 / height))
        for i, curve in enumerate(lines.curves):
            ok, look = curve.whole, context.looks[curve.label]
            factor = 100.0 if quantity == "test_error" else 1.0
            style.ours(axes, curve.x[ok], factor * curve.mean[ok], look, i * 0.02)
            bounds = series.band(factor * curve.costs[:, ok])
            if bounds is not None:
                axes.fill_between(curve.x[ok], *bounds, color=look.color, alpha=0.2, linewidth=0)
        if all((curve.mean[curve.whole] > 0).all() for curve in lines.curves):
            axes.set_yscale("log")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        titles = {
            "test_cost": ("test cost", "nats per example"),
            "test_error": ("test error", "% of the test set"),
        }
        style.finish(axes, titles[quantity][0], panel.xlabel, titles[quantity][1])
    style.legend(drawing, shown, False, lettered)
    style.notes(drawing, foot)
    return drawing, told
