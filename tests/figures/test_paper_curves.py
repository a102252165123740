"""What the numbers of the paper's drawings show by themselves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from adam_repro.claims.agreement import scatter
from adam_repro.figures import load, paper_curves
from adam_repro.figures.paper_curves import Reference


def _off_the_grid(line: Reference) -> np.ndarray:
    """Distance of each cost to the nearest multiple of 1e-5, as a part of the cost [n]."""
    _, cost = paper_curves.curve(line)
    return np.asarray(np.abs(cost - 1e-5 * np.round(cost / 1e-5)) / cost)


@pytest.mark.parametrize("panel", ["fig2_b_top", "fig2_b_bottom"])
def test_figure_2b_has_five_decimals_but_for_the_later_points_of_adam(panel: str) -> None:
    assert _off_the_grid(Reference(panel, "SFO")).max() < 1e-5
    drawn = _off_the_grid(Reference(panel, "Adam"))
    assert drawn[:8].max() < 1e-5
    assert (drawn[8:] > 1e-3).sum() >= 14
    assert _off_the_grid(Reference(panel, paper_curves.UNDIVIDED)).max() < 1e-5


@pytest.mark.parametrize(("by", "after"), [(2.3, 6), (2.3, 8), (2.2, 7), (2.4, 7), (2.31, 7)])
def test_no_divisor_near_it_does_the_same(by: float, after: float) -> None:
    x, cost = paper_curves.curve(Reference("fig2_b_top", "Adam"))
    units = cost[9:] * by * (x[9:] - after) / 1e-5
    assert (np.abs(units - np.round(units)) > 0.05).sum() >= 5


def test_undone_the_curve_levels_off_above_sfo() -> None:
    x, cost = paper_curves.curve(Reference("fig2_b_top", paper_curves.UNDIVIDED))
    assert list(x) == list(range(26))
    assert cost[7:11] == pytest.approx([0.00339, 0.00187, 0.00096, 0.00071], rel=1e-5)
    assert cost[-6:] == pytest.approx(2.4e-4, rel=1e-5)
    at, theirs = paper_curves.curve(Reference("fig2_b_top", "SFO"))
    higher = [int(k) for k in x if cost[int(k)] > theirs[list(at).index(k)]]
    assert higher == [20, 21, 22, 23, 24, 25]


def test_its_first_point_is_a_tenth_of_sfos() -> None:
    first = [paper_curves.curve(Reference("fig2_b_top", name))[1][0] for name in ("SFO", "Adam")]
    assert first[0] / first[1] == pytest.approx(10.0, rel=3e-4)


def test_a_point_is_a_mean_over_a_pass_but_in_figure_2b_the_cost_after_it() -> None:
    rows = pd.DataFrame({"epoch": [0, 1], "train_cost": [0.3, 0.2], "eval_train_cost": [0.25, 0.1]})
    x, cost = paper_curves.comparable_points(Reference("fig2_a", "Adam"), rows)
    assert (list(x), list(cost)) == ([0.0, 1.0], [0.3, 0.2])
    x, cost = paper_curves.comparable_points(Reference("fig2_b_top", paper_curves.UNDIVIDED), rows)
    assert (list(x), list(cost)) == ([1.0, 2.0], [0.25, 0.1])
    averaged = rows.assign(average_eval_train_cost=[0.22, 0.08])
    x, cost = paper_curves.comparable_points(
        Reference("fig2_b_top", paper_curves.UNDIVIDED), averaged
    )
    assert (list(x), list(cost)) == ([1.0, 2.0], [0.22, 0.08])


@pytest.mark.parametrize(("series", "most"), [("AdaGrad", 0.004), ("AdaGrad+dropout", 0.0013)])
def test_figure_3_scatters_less_than_fifths_drawn_anew(series: str, most: float) -> None:
    """Of 10,000 examples drawn from 50,000, whose costs differ by their mean, it would be 0.9 %."""
    x, cost = paper_curves.curve(Reference("fig3_right", series))
    assert scatter(cost[(x >= 10) & (x <= 45)]) < most


def test_minibatches_drawn_once_give_fifths_that_scatter_little() -> None:
    table = pd.read_csv(Path(__file__).parents[2] / "results" / "search" / "cnn_order.csv")
    without = table[(table["dropout_hidden"] == 0) & table["pass"].between(1, 5)]
    found = {
        order: [_off_a_parabola(rows["pass"] + 0.3, rows[f"fifth_{i}"]) for i in range(1, 6)]
        for order, rows in without.groupby("order")
    }
    assert np.median(found["once"]) < 1e-3
    assert np.median(found["every_pass"]) > 3e-3


def _off_a_parabola(x: pd.Series, cost: pd.Series) -> float:
    """Standard deviation of log cost about a parabola in log x, for a few points of a steep curve."""
    t, y = np.log(x), np.log(cost)
    residual = y - np.polyval(np.polyfit(t, y, 2), t)
    return float(np.sqrt((residual**2).sum() / (len(y) - 3)))


def test_a_trial_is_compared_at_the_x_that_its_figure_draws() -> None:
    rows = pd.DataFrame({"epoch": [0], "train_cost": [0.3], "eval_train_cost": [0.25]})
    drawn = {
        panel.curves: (panel.first_x, panel.quantity)
        for name in load.PAPER
        for panel in load.load(name).panels
        if panel.curves in paper_curves.TITLES
    }
    assert set(drawn) == set(paper_curves.TITLES)
    for name, (first, quantity) in drawn.items():
        x, cost = paper_curves.comparable_points(Reference(str(name), "Adam"), rows)
        assert x[0] == first
        assert cost[0] == rows[quantity][0]


@pytest.mark.parametrize(
    ("examples", "has"), [(None, True), (50_000, True), (60_000, True), (6400, False)]
)
def test_a_part_of_an_epoch_has_no_curve_of_the_paper(examples: int | None, has: bool) -> None:
    task = {"name": "mlp", "data": {"name": "mnist"}, "epoch_examples": examples}
    found = paper_curves.find_reference({"task": task, "optimizer": {"name": "adam"}})
    assert (found is not None) is has
