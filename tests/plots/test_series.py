"""Mean, band, divergence and lost rows of a series."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from adam_repro.figures import load, paper_curves
from adam_repro.plots import bias_correction, series
from adam_repro.plots.context import Context
from adam_repro.report import figure_report
from adam_repro.results import table
from tests.merged_csvs import cells, curves, grid, put, rows

MNIST = load.load("fig1_mnist")


def _lines(folder: Path, found: pd.DataFrame) -> series.PanelCurves:
    put(folder, "fig1_mnist", found)
    read = table.read(folder, "fig1_mnist").rows
    return series.panel_curves(MNIST, read, "as_printed", MNIST.panels[0])


@pytest.mark.slow
def test_the_band_covers_the_true_mean_about_as_often_as_it_says() -> None:
    values = np.random.default_rng(1).standard_normal((20, 2000))
    found = series.confidence_band(values)
    assert found is not None
    covered = ((found[0] < 0) & (found[1] > 0)).mean()
    assert 0.88 < covered < 0.97  # a percentile band of few seeds is a little narrow


def test_the_band_is_the_same_at_every_call_and_holds_the_mean() -> None:
    values = np.random.default_rng(2).random((5, 30))
    low, high = series.confidence_band(values) or (values, values)
    again = series.confidence_band(values)
    assert again is not None
    assert (again[0] == low).all()
    assert (low <= values.mean(0)).all()
    assert (values.mean(0) <= high).all()


def test_one_seed_has_no_band() -> None:
    assert series.confidence_band(np.ones((1, 5))) is None


def test_the_mean_ends_where_a_seed_diverges(folder: Path) -> None:
    epochs = np.arange(4)
    good = rows(MNIST, "as_printed", "Adam", 0, epochs, [4.0, 3.0, 2.0, 1.0])
    bad = rows(MNIST, "as_printed", "Adam", 1, epochs[:3], [4.0, 5.0, np.nan], status="diverged")
    curve = _lines(folder, pd.concat([good, bad])).curve("Adam")
    assert curve is not None
    assert curve.diverged == 1
    assert curve.mean[:2] == pytest.approx([4.0, 4.0])
    assert np.isnan(curve.mean[2:]).all()


def test_a_seed_that_lost_rows_is_left_out_and_reported(folder: Path) -> None:
    whole = rows(MNIST, "as_printed", "Adam", 0, range(4), [4.0, 3.0, 2.0, 1.0])
    part = rows(MNIST, "as_printed", "Adam", 1, range(2), [8.0, 8.0])
    found = _lines(folder, pd.concat([whole, part]))
    curve = found.curve("Adam")
    assert curve is not None
    assert curve.seeds == (0,)
    assert list(curve.mean) == [4.0, 3.0, 2.0, 1.0]
    assert "Adam: 1 of 2 seeds has lost rows and is left out" in found.problems


def test_a_series_without_rows_is_reported(folder: Path) -> None:
    found = _lines(folder, rows(MNIST, "as_printed", "Adam", 0, [0], [1.0]))
    assert found.problems == ["AdaGrad: no data", "SGDNesterov: no data"]


def test_the_grid_keeps_divergence_and_flags_an_optimum_at_its_edge(folder: Path) -> None:
    put(folder, "fig1_mnist", pd.concat([curves("fig1_mnist", seeds=1), grid("fig1_mnist", 9)]))
    read = table.read(folder, "fig1_mnist").rows
    points = series.lr_sensitivity(read[~read["selected"]], "", "Adam")
    assert list(np.isinf(points["cost"])) == [False] * 8 + [True]
    points["best"] = points["cost"] == points["cost"].min()
    assert not series.is_best_at_edge(points)
    points["best"] = points["lr"] == points["lr"].min()
    assert series.is_best_at_edge(points)


def test_divergence_in_figure_4_is_400(folder: Path) -> None:
    put(folder, "fig4", cells(seeds=2))
    context = figure_report.load_context("fig4", folder)
    panel = context.figure.panels[0]
    found = series.cost_by_lr(context.rows, panel, "as_printed", "with bias correction")
    assert found["diverged"].sum() == 1
    assert found.loc[found["diverged"], "cost"].item() == 400.0
    assert list(found["n"]) == [2] * len(found)


def test_what_is_evaluated_after_a_pass_starts_at_one(folder: Path) -> None:
    figure = load.load("fig2b")
    found = rows(figure, "as_printed", "Adam", 0, range(3), [0.4, 0.2, 0.1])
    found["eval_train_cost"] = [0.3, 0.1, 0.05]
    put(folder, "fig2b", found)
    lines = series.panel_curves(
        figure, table.read(folder, "fig2b").rows, "as_printed", figure.panels[0]
    )
    curve = lines.curve("Adam")
    assert curve is not None
    assert list(curve.x) == [1.0, 2.0, 3.0]
    assert list(curve.mean) == [0.3, 0.1, 0.05]


def test_rows_without_evaluations_are_reported_where_those_are_drawn(folder: Path) -> None:
    figure = load.load("fig2b")
    found = rows(figure, "as_printed", "Adam", 0, range(3), [0.4, 0.2, 0.1])
    put(folder, "fig2b", found.drop(columns="eval_train_cost"))
    lines = series.panel_curves(
        figure, table.read(folder, "fig2b").rows, "as_printed", figure.panels[0]
    )
    assert lines.curve("Adam") is None
    assert "Adam: no eval_train_cost" in lines.problems


def _evaluated(folder: Path) -> Context:
    """Figure 4 as if it drew the cost after the pass."""
    context = figure_report.load_context("fig4", folder)
    drawn = [replace(panel, quantity="eval_train_cost") for panel in context.figure.panels]
    context.figure = replace(context.figure, panels=drawn)
    return context


@pytest.mark.slow
def test_a_cell_is_the_cost_after_the_pass_and_not_there_where_it_was_not_measured(
    folder: Path,
) -> None:
    rows = cells(seeds=2)
    rows.loc[rows["status"] != "diverged", "train_cost"] = 7.0  # a mean over the pass: not drawn
    lost = (rows["lr"] == 1e-3) & (rows["status"] != "diverged")
    rows.loc[lost, "eval_train_cost"] = np.nan
    put(folder, "fig4", rows)
    context = _evaluated(folder)
    panel = context.figure.panels[0]
    found = series.cost_by_lr(context.rows, panel, "as_printed", "with bias correction")
    x, y = paper_curves.loss_by_lr(panel.name, "bias_correction")
    measured = [(lr, cost) for lr, cost in zip(10.0**x, y, strict=True) if abs(lr - 1e-3) > 1e-6]
    assert list(found["cost"]) == pytest.approx([cost for _, cost in measured], abs=0.02)
    assert list(found["diverged"]) == [cost >= 399 for _, cost in measured]


@pytest.mark.slow
def test_cells_that_lack_what_is_drawn_are_reported_apart_from_none(folder: Path) -> None:
    rows = cells(seeds=1)
    mine = rows["series"] == "without bias correction"
    alive = rows["status"] != "diverged"
    rows.loc[mine, "eval_train_cost"] = np.nan
    put(folder, "fig4", rows[~mine | alive])
    _, messages = bias_correction.draw(_evaluated(folder), "as_printed")
    assert messages == ["without bias correction: no eval_train_cost"]
    put(folder, "fig4", rows[~mine])
    _, messages = bias_correction.draw(_evaluated(folder), "as_printed")
    assert messages == ["without bias correction: no data"]
