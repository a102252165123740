"""The drawings of a comparison: what each line says, where it leaves the axes, what is marked."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from adam_repro.plots import comparison, style

STYLES = style.series_styles(["mine", "adam"], {"adam": 2, "mine": 5})
LABELS = ("logreg", "final training cost")


def labels(drawing: Figure) -> list[str]:
    return [text.get_text() for text in drawing.legends[0].get_texts()]


def of(drawing: Figure, name: str) -> list[tuple[list[float], list[float]]]:
    """The points of every line of an optimizer."""
    axes: Axes = drawing.axes[0]
    return [
        (list(map(float, line.get_xdata())), list(map(float, line.get_ydata())))  # type: ignore[arg-type]
        for line in axes.lines
        if line.get_color() == STYLES[name].color
    ]


def points(**costs: list[float]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"optimizer": name, "lr": 10.0**i, "k": i + 1, "cost": cost}
            for name, values in costs.items()
            for i, cost in enumerate(values)
        ]
    )


def test_cost_by_stepsize_marks_the_best_and_what_diverged() -> None:
    drawing = comparison.stepsizes(points(mine=[3.0, 1.0, math.inf]), STYLES, LABELS, [])
    curve, crosses, star = of(drawing, "mine")
    assert curve == ([1.0, 10.0], [3.0, 1.0])
    assert crosses[0] == [100.0]
    assert star == ([10.0], [1.0])
    assert labels(drawing) == ["mine"]
    assert drawing.axes[0].get_xscale() == "log"


def test_an_optimizer_that_only_diverged_is_drawn_as_that() -> None:
    drawing = comparison.stepsizes(
        points(mine=[math.inf, math.inf], adam=[1.0, 2.0]), STYLES, LABELS, []
    )
    crosses = of(drawing, "mine")[1]
    assert crosses[0] == [1.0, 10.0]
    assert labels(drawing) == ["mine", "adam"]


def test_crosses_of_several_optimizers_do_not_hide_each_other() -> None:
    drawing = comparison.stepsizes(
        points(mine=[1, math.inf], adam=[1, math.inf]), STYLES, LABELS, []
    )
    heights = {of(drawing, name)[1][1][0] for name in STYLES}
    assert len(heights) == 2


def test_one_huge_cost_does_not_flatten_the_others() -> None:
    drawing = comparison.stepsizes(points(mine=[1.0, 1.2, 1e12]), STYLES, LABELS, [])
    assert drawing.axes[0].get_yscale() == "log"
    assert drawing.axes[0].get_ylim()[1] < 1e4


@pytest.mark.parametrize("values", [[0.0, 1.0], [-1.0, 2.0], [math.inf, math.inf]])
def test_costs_that_have_no_logarithm_are_drawn(values: list[float]) -> None:
    drawing = comparison.stepsizes(points(mine=values), STYLES, LABELS, [])
    assert drawing.axes[0].get_yscale() == "linear"


def test_the_best_after_k_trials_begins_where_one_finished() -> None:
    drawing = comparison.best_after(points(mine=[math.inf, 3.0, 2.0]), STYLES, LABELS, [])
    assert of(drawing, "mine")[0] == ([2.0, 3.0], [3.0, 2.0])


def test_a_profile_is_the_share_of_tasks_within_a_factor() -> None:
    ratios = pd.DataFrame(
        {"mine": [1.0, 1.0, 4.0, math.inf], "adam": [2.0, 3.0, 1.0, 1.0]}, index=list("abcd")
    )
    drawing = comparison.profile(ratios, STYLES, [])
    for name, shares in (("mine", [0.5, 0.5, 0.5, 0.75]), ("adam", [0.5, 0.5, 0.5, 0.75, 1.0])):
        x, y = of(drawing, name)[0]
        steps = sorted(one for one in ratios[name] if math.isfinite(one))
        np.testing.assert_allclose(x[:-1], [1.0, *steps])
        np.testing.assert_allclose(y[:-1], shares, atol=0.01)
        assert y[-1] == y[-2]  # nothing more is reached further right


def test_an_optimizer_that_reaches_nothing_stays_at_the_bottom() -> None:
    ratios = pd.DataFrame({"mine": [math.inf, math.inf], "adam": [1.0, 1.0]}, index=["a", "b"])
    _, y = of(comparison.profile(ratios, STYLES, []), "mine")[0]
    np.testing.assert_allclose(y, 0.0, atol=0.01)


def test_the_foot_is_what_it_is_given() -> None:
    drawing = comparison.profile(pd.DataFrame({"mine": [1.0]}), STYLES, ["2 tasks · scale: short"])
    assert "2 tasks · scale: short" in [text.get_text() for text in drawing.texts]


def test_a_cost_of_zero_does_not_flatten_the_others() -> None:
    for draw in (comparison.stepsizes, comparison.best_after):
        axes = draw(points(mine=[1.0, 1e-6, 0.0], adam=[1.0, 1e-3, 0.1]), STYLES, LABELS, []).axes[
            0
        ]
        assert axes.get_yscale() == "log"
        low, high = axes.get_ylim()
        assert 1e-7 < low < 1e-6
        assert high < 10
