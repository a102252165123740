"""The settings that are tried: as many for everyone, around the best, in an order that costs alone decide."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import pytest

from adam_repro.comparison.model import Entrant, Setting
from adam_repro.comparison.tuning import Space, best, stepsize, tune
from adam_repro.figures.plan import log_grid

Cost = Callable[[Setting], float]


def bowl(optimum: float, *, schedule: str = "constant") -> Cost:
    """A cost that is lowest at a stepsize, with one schedule."""

    def cost(setting: Setting) -> float:
        assert setting.lr is not None
        return (math.log10(setting.lr) - optimum) ** 2 + (setting.schedule != schedule) + 1.0

    return cost


def space(*schedules: str, lr: float = 1e-3, **changes: object) -> Space:
    entrant = Entrant("mine", (), True, lr_default=lr, **changes)  # type: ignore[arg-type]
    return Space.of(entrant, schedules or ("constant",), entrant.search)


def tried(found: Space, cost: Cost, budget: int = 16) -> list[Setting]:
    settings, following = tune(found, budget, cost)
    assert not following
    return settings


def lrs(settings: list[Setting]) -> list[float]:
    return [setting.lr for setting in settings if setting.lr is not None]


SEARCH = {"optimizer.rho": (0.9, 0.99)}


@pytest.mark.parametrize("schedules", [("constant",), ("constant", "inv_sqrt_pass")])
@pytest.mark.parametrize("search", [{}, SEARCH])
@pytest.mark.parametrize("optimum", [-7.0, -3.1, 1.0])
def test_everyone_has_the_same_number_of_trials(
    schedules: tuple[str, ...], search: dict[str, tuple[float, ...]], optimum: float
) -> None:
    settings = tried(space(*schedules, search=search), bowl(optimum))
    assert len(settings) == len(set(settings)) == 16


def test_the_first_stepsizes_are_two_a_decade_around_the_default() -> None:
    first = tune(space(lr=2e-3), 16, lambda setting: None)[1]
    assert lrs(first) == [0.000316, 0.001, 0.00316, 0.01, 0.0316]


def test_the_grid_grows_until_the_best_is_not_on_its_edge() -> None:
    for optimum in (-6.0, -1.0, 0.5):
        settings = tried(space(), bowl(optimum))
        grid, found = sorted(lrs(settings)), best(settings, bowl(optimum))
        assert found is not None
        assert grid[0] < found.lr < grid[-1]
        assert abs(math.log10(found.lr) - optimum) < 0.05


def test_the_grid_grows_a_fixed_number_of_times() -> None:
    settings = tried(space(), bowl(-30.0))
    assert min(lrs(settings)) == 1e-8  # four decades below the first grid
    assert len(settings) == 16


def test_the_rest_of_the_budget_halves_the_distances_around_the_best() -> None:
    settings = tried(space(), bowl(-3.0))
    points = sorted(math.log10(lr) for lr in lrs(settings))
    gaps = {
        round(after - before, 3)
        for before, after in itertools.pairwise(points)
        if -3.1 < before < -2.95
    }
    assert max(gaps) <= 0.07


def test_a_schedule_and_other_options_are_found_too() -> None:
    def cost(setting: Setting) -> float:
        return bowl(-2.0, schedule="inv_sqrt_pass")(setting) + (setting.others[0][1] != 0.99)

    settings = tried(space("constant", "inv_sqrt_pass", search=SEARCH), cost)
    found = best(settings, cost)
    assert found is not None
    assert (found.schedule, found.grid) == ("inv_sqrt_pass", "optimizer.rho=0.99")
    assert abs(math.log10(found.lr or 1) + 2) < 0.26


def test_the_same_settings_follow_from_the_same_costs_however_often_one_asks() -> None:
    """What a stopped comparison does: the trials that are there lead to those that are missing."""
    cost, found = bowl(-4.4), space("constant", "inv_sqrt_pass", search=SEARCH)
    known: dict[Setting, float] = {}
    order: list[Setting] = []
    while following := tune(found, 16, known.get)[1]:
        setting = next(one for one in following if one not in known)  # one trial, then it stops
        known[setting] = cost(setting)
        order.append(setting)
    assert order == tried(found, cost)


def test_diverged_trials_lead_to_smaller_stepsizes() -> None:
    def cost(setting: Setting) -> float:
        assert setting.lr is not None
        return math.inf if setting.lr > 2e-5 else bowl(-5.2)(setting)

    settings = tried(space(), cost)
    found = best(settings, cost)
    assert found is not None
    assert abs(math.log10(found.lr or 1) + 5.2) < 0.1


@pytest.mark.parametrize("nothing", [math.inf, math.nan])
def test_without_a_finite_cost_there_is_no_best(nothing: float) -> None:
    settings = tried(space("constant", "inv_pass", search=SEARCH), lambda setting: nothing)
    assert len(settings) == 16
    assert best(settings, lambda setting: nothing) is None


def test_of_equal_costs_the_first_is_the_best() -> None:
    settings = tried(space(), lambda setting: 1.0)
    assert len(settings) == 16
    assert best(settings, lambda setting: 1.0) == settings[0]


def test_a_range_is_not_left() -> None:
    for optimum in (-9.0, 3.0):
        settings = tried(space(lr_range=(1e-5, 1.0)), bowl(optimum))
        assert min(lrs(settings)) == 1e-5
        assert max(lrs(settings)) == 1.0
        assert len(settings) == 16


def test_given_stepsizes_are_the_grid() -> None:
    given = Space.of(Entrant("m", (), True, lr=(0.1, 0.3, 1.0)), ("constant", "inv_pass"), {})
    assert lrs(tried(given, bowl(-1))) == [0.1, 0.3, 1.0, 0.1, 0.3, 1.0]


def test_one_stepsize_is_tuning_free() -> None:
    one = Space.of(Entrant("m", (), True, lr=(1.0,)), ("constant", "inv_pass"), {})
    assert tried(one, bowl(0)) == [Setting(1.0, "constant")]


def test_an_optimizer_without_stepsize_has_its_other_options() -> None:
    entrant = Entrant("m", (), True, lr_option="", search=SEARCH)
    found = Space.of(entrant, ("constant",), entrant.search)
    settings = tried(found, lambda setting: dict(setting.others)["optimizer.rho"])
    assert [setting.lr for setting in settings] == [None, None]
    assert best(settings, lambda setting: dict(setting.others)["optimizer.rho"]) == settings[0]


def test_stepsizes_are_written_as_in_the_figures() -> None:
    assert [stepsize(-5 + i / 4) for i in range(17)] == log_grid(1e-5, 1e-1, 4)
