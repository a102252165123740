"""The axes of a figure's drawing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from matplotlib.axes import Axes

from adam_repro.figures import load, paper_curves
from adam_repro.plots import bias_correction, curves, stepsize_grid
from adam_repro.plots.context import seed_count
from adam_repro.report import figure_report
from tests.merged_csvs import cells, grid, put, rows
from tests.merged_csvs import curves as made_up


@pytest.mark.parametrize(("epochs", "right"), [(26, 25.0), (201, 200.0), (1, 1.0)])
def test_a_panel_that_the_paper_has_not_ends_where_ours_does(
    epochs: int, right: float, tmp_path: Path
) -> None:
    figure = load.load("averaging")
    part = rows(figure, "as_printed", "last iterate", 0, range(epochs), 0.1, scale="short")
    put(tmp_path, "averaging", pd.concat([part.assign(panel=p.name) for p in figure.panels]))
    drawing, _ = curves.draw(figure_report.load_context("averaging", tmp_path), "as_printed")
    _, mlp = drawing.axes[:2]
    assert mlp.get_xlim() == (0.0, right)


def test_a_panel_of_the_papers_has_its_axes_however_short_ours_is(tmp_path: Path) -> None:
    figure = load.load("fig2a")
    put(tmp_path, "fig2a", rows(figure, "as_printed", "Adam", 0, range(26), 0.1, scale="short"))
    drawing, _ = curves.draw(figure_report.load_context("fig2a", tmp_path), "as_printed")
    assert drawing.axes[0].get_xlim() == (0.0, 200.0)


def test_a_run_that_diverged_is_reported_with_its_panel_where_panels_are_tasks(
    tmp_path: Path,
) -> None:
    figure = load.load("adamax")
    dead = rows(figure, "dense_grid", "AdaMax", 0, range(2), [0.4, np.nan], status="diverged")
    put(tmp_path, "adamax", dead.assign(panel="vae"))
    _, told = curves.draw(figure_report.load_context("adamax", tmp_path), "dense_grid")
    assert "AdaMax (vae): 1 of 1 seed diverged (x)" in told


def test_a_task_without_a_grid_has_empty_axes_that_say_so(tmp_path: Path) -> None:
    put(tmp_path, "adamax", grid("adamax").assign(panel="imdb"))
    drawn = stepsize_grid.draw(figure_report.load_context("adamax", tmp_path))
    assert drawn is not None
    texts = {a.get_title(): [t.get_text() for t in a.texts] for a in drawn[0].axes}
    assert texts["MNIST multilayer network"] == ["no grid"]
    assert texts["IMDB logistic regression"] == []
    (empty,) = (a for a in drawn[0].axes if a.get_title() == "MNIST multilayer network")
    assert len(empty.get_xticks()) == len(empty.get_yticks()) == 0


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        ([], "no trials"),
        ([1, 1], "n = 1 seed"),
        ([5], "n = 5 seeds, band"),
        ([5, 1, 5], "n = 1 to 5 seeds, band"),
    ],
)
def test_the_foot_counts_the_seeds(numbers: list[int], words: str) -> None:
    assert seed_count(numbers, ", band") == words


def test_a_drawing_names_the_hardware_of_its_own_reading(tmp_path: Path) -> None:
    figure = load.load("fig1_mnist")
    there = {"as_printed": "an abacus", "dense_grid": "a slide rule"}
    found = [rows(figure, reading, "Adam", 0, range(9), 0.3) for reading in there]
    put(tmp_path, "fig1_mnist", pd.concat(found))
    path = tmp_path / "fig1_mnist.provenance.yaml"
    record = {"figure": "fig1_mnist", "hardware": dict.fromkeys(there.values(), 1), "series": []}
    made = {"versions": {}, "commits": [], "dates": []}
    origins = [
        {"hardware": name, **made, "trials": [f"{reading}-Adam-0"]}
        for reading, name in there.items()
    ]
    path.write_text(yaml.safe_dump({**record, "origins": origins}))
    context = figure_report.load_context("fig1_mnist", tmp_path)
    for reading, name in there.items():
        assert context.footer("n = 1", reading, [])[0].endswith(f"scale: paper · n = 1 · {name}")
    path.write_text(yaml.safe_dump(record))  # from before a record named its trials
    foot = figure_report.load_context("fig1_mnist", tmp_path).footer("n = 1", "as_printed", [])
    assert foot[0].endswith("a slide rule, an abacus")


def _insets(folder: Path, reading: str) -> list[Axes]:
    put(folder, "fig1_mnist", made_up("fig1_mnist", seeds=2))
    drawing, _ = curves.draw(figure_report.load_context("fig1_mnist", folder), reading)
    return [child for axes in drawing.axes for child in axes.child_axes]


def test_where_all_end_close_together_the_end_is_drawn_larger(tmp_path: Path) -> None:
    assert _insets(tmp_path, "as_printed") == []
    (inset,) = _insets(tmp_path, "dense_grid")
    assert inset.get_xlim() == (20.0, 45.0)
    x, y = inset.get_lines()[0].get_data()
    assert list(x) == list(range(20, 46))
    theirs = paper_curves.interpolate(
        paper_curves.Reference("fig1_left", "AdaGrad"), np.arange(20.0, 46.0)
    )
    np.testing.assert_allclose(y, theirs)


def test_what_diverged_in_the_paper_is_marked_where_ours_did_not(tmp_path: Path) -> None:
    """A hollow cross for each of its runs, a small one for each of ours."""
    found = cells(seeds=1)
    theirs = int((found["status"] == "diverged").sum())
    lost = found.index[found["status"] == "diverged"][0]
    found.loc[lost, ["status", "train_cost"]] = ["finished", 120.0]
    put(tmp_path, "fig4", found)
    drawing, _ = bias_correction.draw(figure_report.load_context("fig4", tmp_path), "as_printed")
    lines = [line for axes in drawing.axes for line in axes.get_lines()]
    counts = {
        marker: sum(len(line.get_xdata()) for line in lines if line.get_marker() == marker)
        for marker in ("X", "x")
    }
    assert counts == {"X": theirs, "x": theirs - 1}
