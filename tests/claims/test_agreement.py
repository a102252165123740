"""Agreement: the paper's own curves agree with themselves, and a shift is measured as such."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from adam_repro.claims import agreement
from adam_repro.figures import load, paper_curves
from adam_repro.report import figure_report
from tests.merged_csvs import cells, curves, put, rows

BY_EPOCH = ("fig1_mnist", "fig1_imdb", "fig2a", "fig2b", "fig3")


@pytest.mark.slow
@pytest.mark.parametrize("name", BY_EPOCH)
def test_the_papers_own_curves_differ_by_nothing_and_rank_alike(name: str, folder: Path) -> None:
    put(folder, name, curves(name, seeds=2))
    context = figure_report.load_context(name, folder)
    found = agreement.differences(context)
    by_epoch = [p for p in context.figure.panels if p.x == "epoch"]
    assert len(found) == 2 * len(context.figure.series) * len(by_epoch)
    assert max(one.worst for one in found) < 1e-5  # the drawings have six digits
    for one in found:
        assert one.scatter == pytest.approx(one.paper_scatter, rel=1e-2, nan_ok=True)
    ranks = agreement.ranks(context)
    assert len(ranks) == 2 * len(by_epoch)
    assert all(one.same and one.at_end for one in ranks)


def test_scatter_measures_single_points_and_not_the_curve() -> None:
    k = np.arange(400)
    smooth = 0.2 + np.exp(-k / 100.0)
    noise = np.random.default_rng(0).normal(0.0, 0.03, len(k))
    assert agreement.scatter(smooth) < 1e-4
    assert agreement.scatter(smooth * np.exp(noise)) == pytest.approx(0.03, rel=0.1)
    leap = smooth * np.exp(noise) * np.where(k < 200, 1.0, 5.0)
    assert agreement.scatter(leap) == pytest.approx(0.03, rel=0.1)
    assert np.isnan(agreement.scatter(smooth[: agreement.FEWEST - 1]))


def test_a_smooth_curve_through_scattered_points_has_less_scatter(folder: Path) -> None:
    """Its median difference alone would not show it."""
    found = curves("fig1_imdb", seeds=2)
    nesterov = found["series"] == "SGDNesterov+dropout"
    cost = found.loc[nesterov, "train_cost"].groupby(found.loc[nesterov, "seed"])
    found.loc[nesterov, "train_cost"] = cost.transform(
        lambda line: line.rolling(15, center=True, min_periods=1).median()
    )
    put(folder, "fig1_imdb", found)
    context = figure_report.load_context("fig1_imdb", folder)
    (one, *_) = [o for o in agreement.differences(context) if o.series == "SGDNesterov+dropout"]
    assert one.median < 0.03
    assert one.paper_scatter > 0.03
    assert one.scatter < 0.01


@pytest.mark.slow
@pytest.mark.parametrize("name", BY_EPOCH)
def test_a_shift_is_measured(name: str, folder: Path) -> None:
    put(folder, name, curves(name, factor=1.07, seeds=2))
    context = figure_report.load_context(name, folder)
    for one in agreement.differences(context):
        assert one.median == pytest.approx(0.07)
        assert one.signed_median == pytest.approx(0.07)
        # The last ten points are an end only where there are more of them.
        long = one.covered[1] - one.covered[0] >= agreement.LAST
        assert one.end == pytest.approx(0.07 if long else np.nan, abs=1e-5, nan_ok=True)
        # Figure 3's two panels draw the same numbers, each with six digits of its own axis.
        assert one.worst == pytest.approx(0.07, abs=1e-5)


def test_figure_2b_has_a_series_for_each_reading_of_its_adam(folder: Path) -> None:
    found = curves("fig2b", seeds=2)
    # Compare the curve as drawn with the one whose divisor is undone.
    wrong = found[found["series"] == "Adam"].assign(series="Adam, L2 5e-6")
    put(folder, "fig2b", pd.concat([found[found["series"] != "Adam, L2 5e-6"], wrong]))
    context = figure_report.load_context("fig2b", folder)
    drawn, undone = [
        one
        for one in agreement.differences(context)
        if one.reading == "as_printed" and one.series != "SFO"
    ]
    assert (drawn.series, drawn.reference) == ("Adam", "Adam")
    assert drawn.worst < 1e-5
    assert (undone.series, undone.reference) == ("Adam, L2 5e-6", paper_curves.UNDIVIDED)
    assert undone.paper_range == undone.covered == (1.0, 25.0)
    assert undone.worst == pytest.approx(1 - 1 / (2.3 * 18), abs=1e-5)
    (order, *_) = agreement.ranks(context)
    assert order.paper == ("Adam", "SFO", "Adam, L2 5e-6")
    assert not order.same


def test_the_end_is_the_mean_of_the_last_ten_epochs(folder: Path) -> None:
    rows = curves("fig1_mnist", seeds=2)
    tail = paper_curves.interpolate(
        paper_curves.Reference("fig1_left", "Adam"), np.arange(36.0, 46.0)
    )
    last = (rows["series"] == "Adam") & (rows["epoch"] == 45)
    rows.loc[last, "train_cost"] *= 2.0
    put(folder, "fig1_mnist", rows)
    for one in agreement.differences(figure_report.load_context("fig1_mnist", folder)):
        expected = tail[-1] / tail.sum() if one.series == "Adam" else 0.0
        assert one.end == pytest.approx(expected, abs=1e-5)


def test_another_order_at_the_end_is_reported(folder: Path) -> None:
    rows = curves("fig1_mnist", seeds=2)
    rows.loc[rows["series"] == "Adam", "train_cost"] += 1.0
    put(folder, "fig1_mnist", rows)
    for one in agreement.ranks(figure_report.load_context("fig1_mnist", folder)):
        assert one.paper == ("Adam", "SGDNesterov", "AdaGrad")
        assert one.ours == ("SGDNesterov", "AdaGrad", "Adam")
        assert not one.same


def test_a_shorter_run_is_compared_where_it_ends(folder: Path) -> None:
    rows = curves("fig1_mnist", seeds=2)
    put(folder, "fig1_mnist", rows[rows["epoch"] <= 10])
    context = figure_report.load_context("fig1_mnist", folder)
    assert {(one.x, one.at_end) for one in agreement.ranks(context)} == {(10.0, False)}
    assert {one.covered for one in agreement.differences(context)} == {(0.0, 10.0)}
    assert not any(one.covered == one.paper_range for one in agreement.differences(context))
    assert all(np.isnan(one.end) for one in agreement.differences(context))


@pytest.mark.parametrize(
    ("end", "ranked"),
    [(2, {"AdaGrad", "RMSProp", "Adam"}), (4, {"AdaGrad", "RMSProp", "SGDNesterov", "Adam"})],
)
def test_a_line_of_the_paper_that_begins_later_is_not_ranked(
    end: int, ranked: set[str], folder: Path
) -> None:
    figure = load.load("fig2a")  # its lines begin at 2, at 3 (SGDNesterov) and at 5 (AdaDelta)
    epochs = range(end + 1)
    labels = [one.label for one in figure.series]
    found = [rows(figure, "as_printed", label, 0, epochs, [0.05] * (end + 1)) for label in labels]
    put(folder, "fig2a", pd.concat(found))
    (order,) = agreement.ranks(figure_report.load_context("fig2a", folder))
    assert (order.x, order.at_end) == (float(end), False)
    assert set(order.ours) == set(order.paper) == ranked


def test_fewer_than_two_lines_are_not_ranked(folder: Path) -> None:
    found = curves("fig2a", seeds=1)
    put(
        folder, "fig2a", found.assign(epoch=found["epoch"] % 2).drop_duplicates(["series", "epoch"])
    )
    assert agreement.ranks(figure_report.load_context("fig2a", folder)) == []


def test_a_series_without_the_epoch_is_not_ranked(folder: Path) -> None:
    found = curves("fig1_mnist", seeds=1)
    short = (found["series"] == "Adam") & (found["epoch"] > 10)
    lost = (found["series"] == "AdaGrad") & (found["epoch"] == 10)
    put(folder, "fig1_mnist", found[~short & ~lost])
    for order in agreement.ranks(figure_report.load_context("fig1_mnist", folder)):
        assert order.x == 10.0
        assert set(order.ours) == set(order.paper) == {"SGDNesterov", "Adam"}


def test_axes_that_end_between_epochs_are_compared_at_whole_ones(folder: Path) -> None:
    put(folder, "fig1_mnist", curves("fig1_mnist", seeds=1))
    context = figure_report.load_context("fig1_mnist", folder)
    panel = replace(context.figure.panels[0], xlim=(0.5, 40.5))
    context.figure = replace(context.figure, panels=(panel,))
    assert {(one.x, one.at_end) for one in agreement.ranks(context)} == {(40.0, True)}
    for one in agreement.differences(context):
        assert one.covered == one.paper_range == (1.0, 40.0)
        assert np.isfinite(one.end)


@pytest.mark.slow
def test_figure_4_agrees_with_itself_cell_by_cell(folder: Path) -> None:
    put(folder, "fig4", cells(seeds=2))
    found = agreement.cells(figure_report.load_context("fig4", folder))
    (summary,) = agreement.summarise(found)
    assert summary.cells > 100
    assert summary.worst < 1e-9
    assert summary.same_divergence == summary.cells
    assert summary.within_one_nat == summary.both_finite < summary.cells


def test_a_trial_of_both_readings_is_compared_once(folder: Path) -> None:
    printed = cells(seeds=1)
    put(folder, "fig4", pd.concat([printed, printed.assign(reading="dense_grid")]))
    found = agreement.cells(figure_report.load_context("fig4", folder))
    assert {cell.reading for cell in found} == {"as_printed"}
    put(folder, "fig4", printed.assign(reading="dense_grid"))
    alone = agreement.cells(figure_report.load_context("fig4", folder))
    assert {cell.reading for cell in alone} == {"dense_grid"}
    assert len(alone) == len(found)


@pytest.mark.slow
def test_figure_4_differs_by_the_nats_it_is_shifted(folder: Path) -> None:
    put(folder, "fig4", cells(offset=1.5, seeds=2))
    (summary,) = agreement.summarise(agreement.cells(figure_report.load_context("fig4", folder)))
    assert summary.median == pytest.approx(1.5)
    assert summary.within_one_nat == 0


def test_a_run_that_diverges_where_the_papers_does_not_is_counted(folder: Path) -> None:
    rows = cells(seeds=2)
    finite = rows[rows["status"] == "finished"].index[0]
    rows.loc[finite, ["train_cost", "status"]] = [float("nan"), "diverged"]
    put(folder, "fig4", rows)
    (summary,) = agreement.summarise(agreement.cells(figure_report.load_context("fig4", folder)))
    assert summary.same_divergence == summary.cells - 1


def test_generated_data_are_not_compared(folder: Path) -> None:
    rows = curves("fig1_mnist", seeds=2, scale="smoke")
    put(folder, "fig1_mnist", rows)
    context = figure_report.load_context("fig1_mnist", folder)
    assert agreement.differences(context) == []
    assert agreement.ranks(context) == []


def _add_series(folder: Path, **where: str) -> None:
    (folder / "extra").mkdir()
    mine = pd.DataFrame({**where, "series": "Mine", "epoch": range(46), "train_cost": 0.3})
    mine.to_csv(folder / "extra" / "mine.csv", index=False)


def test_a_users_series_is_drawn_but_not_compared(folder: Path) -> None:
    put(folder, "fig1_mnist", curves("fig1_mnist", seeds=2))
    _add_series(folder, figure="fig1_mnist")
    context = figure_report.load_context("fig1_mnist", folder)
    assert context.labels == ["AdaGrad", "SGDNesterov", "Adam", "Mine"]
    assert "Mine" not in {one.series for one in agreement.differences(context)}


def test_a_users_series_of_one_panel_is_in_no_other(folder: Path) -> None:
    """Figure 3's two panels share their trials and the curves computed from them."""
    put(folder, "fig3", curves("fig3", seeds=2))
    _add_series(folder, figure="fig3", panel="right")
    context = figure_report.load_context("fig3", folder)
    there = {
        panel.name: context.curves("as_printed", panel).curve("Mine") is not None
        for panel in context.figure.panels
    }
    assert there == {"left": False, "right": True}
