"""The numbers of a comparison's page, on rows whose answer is known."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from adam_repro.comparison.model import Setting, TaskResult, TuningTrial
from adam_repro.comparison.page import numbers
from tests.comparison import synthetic
from tests.comparison.synthetic import BEST, EPOCHS, SEEDS, comparison

RATES = {"fast": 0.5, "middle": 0.7, "slow": 0.9}


@pytest.fixture
def task() -> TaskResult:
    return synthetic.task("logreg", RATES)


def test_a_curve_is_the_mean_over_the_seeds_that_did_not_tune(task: TaskResult) -> None:
    found = numbers.curves(task)
    assert list(found) == list(RATES)
    mean_seed = np.mean(range(1, SEEDS))
    expected = 2.0 * 0.5 ** np.arange(1, EPOCHS + 1) * (1 + 0.01 * mean_seed)
    np.testing.assert_allclose(found["fast"].cost, expected)
    assert found["fast"].n == SEEDS - 1
    assert list(found["fast"].steps[:2]) == [100, 200]


def test_without_other_seeds_it_is_the_tuning_trial_of_the_best_setting(task: TaskResult) -> None:
    alone = replace(task, rows=task.rows[task.rows["stage"] == "tuning"])
    curve = numbers.curves(alone)["fast"]
    assert curve.n == 1
    np.testing.assert_allclose(curve.cost, 2.0 * 0.5 ** np.arange(1, EPOCHS + 1))


def test_a_seed_that_diverges_ends_the_mean(task: TaskResult) -> None:
    rows = task.rows.copy()
    mine = (rows["optimizer"] == "fast") & (rows["stage"] == "repeat") & (rows["seed"] == 2)
    rows.loc[mine & (rows["epoch"] == 4), "train_cost"] = math.inf
    rows = rows[~(mine & (rows["epoch"] > 4))]
    curve = numbers.curves(replace(task, rows=rows))["fast"]
    assert np.isfinite(curve.cost[:4]).all()
    assert np.isnan(curve.cost[4:]).all()
    assert curve.final == math.inf


def test_the_targets_are_set_by_the_final_costs_alone(task: TaskResult) -> None:
    found = numbers.curves(task)
    finals = {label: curve.final for label, curve in found.items()}
    hard, middle, easy = numbers.targets(found)
    assert hard.cost == pytest.approx(1.1 * finals["fast"])
    assert (middle.cost, easy.cost) == (finals["middle"], finals["slow"])
    assert numbers.median_target(found) == middle


def test_half_of_an_even_number_reach_the_median() -> None:
    found = numbers.curves(synthetic.task("mlp", {**RATES, "slowest": 0.95}))
    target = numbers.median_target(found)
    assert target is not None
    hits = {label: numbers.reached(curve, target) is not None for label, curve in found.items()}
    assert hits == {"fast": True, "middle": True, "slow": False, "slowest": False}


def test_nobody_who_ends_has_no_target(task: TaskResult) -> None:
    rows = task.rows.assign(train_cost=math.nan)
    assert numbers.targets(numbers.curves(replace(task, rows=rows))) == []


def test_the_profile_counts_steps_beside_the_fastest(task: TaskResult) -> None:
    one = comparison(("a", "b"), candidates=("Mine",), rivals=("adam", "sgd_nesterov"))
    ratios = numbers.profile(one)
    assert list(ratios.index) == ["a", "b"]
    # Costs fall as rate^epoch: the epoch at which each is first at the final cost of the middle one.
    by_label = synthetic.rates(["Mine", "adam", "sgd_nesterov"])
    target = EPOCHS * math.log(by_label["adam"])
    first = math.ceil(target / math.log(by_label["Mine"]) - 1e-9)
    assert ratios.loc["a", "Mine"] == 1.0
    assert ratios.loc["a", "adam"] == pytest.approx(EPOCHS / first)
    assert ratios.loc["a", "sgd_nesterov"] == math.inf


def test_who_cannot_train_a_task_never_reaches_its_target() -> None:
    one = comparison(("a",))
    task = synthetic.task("a", {"adam": 0.5, "sgd_nesterov": 0.6, "adagrad": 0.7})
    task = replace(task, cannot={"Mine": "it raised"})
    assert numbers.profile(replace(one, tasks=(task,))).loc["a", "Mine"] == math.inf


def test_without_steps_epochs_count(task: TaskResult) -> None:
    one = comparison(("a",))
    rows = one.tasks[0].rows
    unknown = rows.assign(step=rows["step"].where(rows["optimizer"] != "adam"))
    without = replace(one, tasks=(replace(one.tasks[0], rows=unknown),))
    assert numbers.profile(without).equals(numbers.profile(one))


def trials(costs: dict[float, float], schedule: str = "constant") -> tuple[TuningTrial, ...]:
    return tuple(
        TuningTrial(Setting(lr, schedule), cost, "finished" if math.isfinite(cost) else "diverged")
        for lr, cost in costs.items()
    )


@pytest.mark.parametrize(
    ("costs", "low", "high"),
    [
        ({1e-3: 2.0, 1e-2: 1.0, 1e-1: 2.0}, 1e-2, 1e-2),
        ({1e-3: 1.05, 1e-2: 1.0, 1e-1: 1.09}, 1e-3, 1e-1),
        ({1e-3: 1.05, 3e-3: 1.2, 1e-2: 1.0, 1e-1: math.inf}, 1e-2, 1e-2),  # not contiguous
        ({1e-2: 0.0, 1e-1: 0.5}, 1e-2, 1e-2),  # of a cost of 0 there is no tenth
    ],
)
def test_the_range_of_good_stepsizes(
    costs: dict[float, float], low: float, high: float, task: TaskResult
) -> None:
    other = trials({1.0: 1.0}, "inv_sqrt_pass")  # another schedule is another grid
    tuned = replace(task, tuning={"fast": trials(costs) + other}, best={"fast": BEST})
    found = numbers.lr_range(tuned, "fast")
    assert found is not None
    assert (found.low, found.high) == (low, high)
    assert found.lost == sum(not math.isfinite(cost) for cost in costs.values())
    assert numbers.lr_range(tuned, "nobody") is None


def test_the_best_after_k_trials_never_rises(task: TaskResult) -> None:
    tuned = replace(task, tuning={"fast": trials({1.0: math.inf, 0.1: 3.0, 0.01: 5.0, 0.03: 2.0})})
    after = numbers.best_after(tuned)
    assert after["cost"].tolist() == [math.inf, 3.0, 3.0, 2.0]
    assert after["k"].tolist() == [1, 2, 3, 4]


def test_of_several_schedules_a_stepsize_shows_the_lowest(task: TaskResult) -> None:
    both = trials({0.1: 3.0, 0.2: 4.0}) + trials({0.1: 2.0}, "inv_sqrt_pass")
    points = numbers.by_stepsize(replace(task, tuning={"fast": both}))
    assert dict(zip(points["lr"], points["cost"], strict=True)) == {0.1: 2.0, 0.2: 4.0}
    none = replace(
        task, tuning={"fast": (TuningTrial(Setting(None, "constant"), 1.0, "finished"),)}
    )
    assert numbers.by_stepsize(none).empty


def test_an_optimizer_without_a_stepsize_finds_its_rows(task: TaskResult) -> None:
    rows = task.rows[(task.rows["stage"] == "tuning") & (task.rows["lr"] == 1e-2)]
    rows = rows.assign(lr=math.nan, grid="optimizer.rho=0.9")
    best = {"fast": Setting(None, "constant", (("optimizer.rho", 0.9),))}
    found = numbers.best_rows(replace(task, rows=rows, best=best), "fast")
    assert len(found) == EPOCHS
    other = {"fast": Setting(None, "constant", (("optimizer.rho", 0.5),))}
    assert numbers.best_rows(replace(task, rows=rows, best=other), "fast").empty
