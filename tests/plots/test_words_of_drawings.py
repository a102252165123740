"""What a drawing says of itself: its reading, units, letters, hollow marks, crosses; and its greys."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing
from PIL import Image

from adam_repro.figures import load
from adam_repro.plots import bias_correction, curves, held_out, style, theory
from adam_repro.report.figure_report import load_context
from tests.merged_csvs import cells, put
from tests.merged_csvs import curves as rows_of
from tests.merged_csvs import rows as one_trial

COST = re.compile(r"\bcost\b|\bloss\b")


def drawn(folder: Path, name: str, rows: pd.DataFrame, reading: str) -> Drawing:
    put(folder, name, rows)
    draw = bias_correction.draw if load.load(name).kind == "stepsizes" else curves.draw
    return draw(load_context(name, folder), reading)[0]


def texts(drawing: Drawing) -> list[str]:
    (legend,) = drawing.legends
    return [one.get_text() for one in (*drawing.texts, *legend.get_texts())]


def letters(axes: list[Axes]) -> list[str]:
    return [one.get_title(loc="left") for one in axes]


@pytest.mark.parametrize(
    ("reading", "title"),
    [
        ("as_printed", "Figure 3, fitted: settings chosen to match the paper's curves"),
        ("dense_grid", "Figure 3, tuned: every optimizer at its best setting"),
    ],
)
def test_the_reading_is_in_the_title(reading: str, title: str, folder: Path) -> None:
    drawing = drawn(folder, "fig3", rows_of("fig3", seeds=1), reading)
    told = texts(drawing)
    assert told[0] == title
    assert {"solid, filled: reproduced", "dotted, hollow: the paper"} <= set(told)
    assert letters(drawing.axes) == ["a", "b"]


@pytest.mark.slow
def test_the_crosses_of_figure_4_are_in_its_legend(folder: Path) -> None:
    told = texts(drawn(folder, "fig4", cells(seeds=1), "as_printed"))
    assert "on top: diverged with some seed" in told
    assert "hollow: diverged in the paper" in told


@pytest.mark.parametrize("name", load.names())
def test_every_cost_axis_has_its_unit(name: str) -> None:
    for panel in load.load(name).panels:
        if COST.search(panel.ylabel):
            assert "(nats" in panel.ylabel, panel.name


def test_the_other_drawings_have_units_too() -> None:
    for _, label in held_out.LABELS.values():
        assert re.search(r"\((nats|%)\)$", label)


def test_no_panel_is_drawn_without_a_curve(folder: Path) -> None:
    """AdaMax has no curve in the paper: a panel whose task was not trained is left out."""
    figure = load.load("adamax")
    shown = [panel.name for panel in figure.panels][:2]
    found = [
        one_trial(figure, "dense_grid", one.label, 0, range(4), [4.0, 3.0, 2.0, 1.0], panel=panel)
        for panel in shown
        for one in figure.series
    ]
    drawing = drawn(folder, "adamax", pd.concat(found), "dense_grid")
    assert letters(drawing.axes) == ["a", "b"]
    assert len(figure.panels) > 2
    assert not [one for axes in drawing.axes for one in axes.texts if "no data" in one.get_text()]


@style.own_settings()
def test_greys_are_grey(tmp_path: Path) -> None:
    """With many colours beside them, whose means a palette of 48 would mix with theirs."""
    figure = style.new_drawing(2.0)
    axes = figure.subplots()
    for i in range(len(style.PALETTE)):
        axes.plot([0, 1], [i, i + 1], color=style.series_style(i).color)
    figure.text(0.5, 0.5, "grey", color=style.FAINT, fontsize=30)
    style.save(figure, tmp_path, "greys", ("png",))
    with Image.open(tmp_path / "greys.png") as image:
        palette = image.getpalette() or []
    colours = [palette[i : i + 3] for i in range(0, len(palette), 3)]
    spread = [max(one) - min(one) for one in colours]
    assert sum(value == 0 for value in spread) > 3
    assert all(value == 0 or value > style.NEARLY_GREY for value in spread)


def test_the_bound_term_by_term_has_a_label() -> None:
    rows = pd.DataFrame(
        {
            "place": "sparse", "method": "adam", "step": [10, 100], "regret": [1.0, 2.0],
            "best": True, "scale": "paper", **{name: [5.0, 9.0] for name in theory.TERMS},
        }
    )  # fmt: skip
    with style.own_settings():
        drawing, _ = theory.terms(rows)
    assert [one.get_ylabel() for one in drawing.axes] == ["regret, and its bound"]
    assert letters(drawing.axes) == ["a"]
