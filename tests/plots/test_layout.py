"""Legends fit the drawing."""

from __future__ import annotations

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from adam_repro.plots import layout, style


@style.own_settings()
def width_of_legend(labels: list[str], width: float) -> float:
    """As Matplotlib draws it, in inches."""
    drawing = Figure((width, 3.0))
    canvas = FigureCanvasAgg(drawing)
    handles = [Line2D([], [], label=label) for label in labels]
    layout.add_legend(drawing, handles, 0.1)
    box = drawing.legends[0].get_window_extent(canvas.get_renderer())
    return float(box.width / drawing.dpi)


@pytest.mark.parametrize("width", [4.0, 5.2, 10.0])
@pytest.mark.parametrize(
    "labels",
    [
        ["adam"],
        ["adam, n = 3", "adagrad (best of 3)", "rmsprop (best of 3)", "sgd (best of 3)"],
        [f"optimizer.bias_correction={one}, n = 3" for one in ("both", "m", "v", "none")],
        [*(f"optimizer {i}" for i in range(7)), "solid, filled: reproduction", "dotted: the paper"],
        ["WWWWWWWWWWWWWWWWWWWW", "iiii", "WWWWWWWWWWWWWWWWWWWWWWWWWW", "mmmmmmmmmmmmmmmmmm"],
    ],
)
def test_a_legend_is_not_wider_than_its_drawing(labels: list[str], width: float) -> None:
    assert width_of_legend(labels, width) <= width


def test_a_short_legend_has_several_columns() -> None:
    handles = [Line2D([], [], label=f"line {i}") for i in range(6)]
    assert layout._legend_columns(5.2, handles) == 3
