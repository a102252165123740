"""Verdicts on generated costs: what is decided, what is not and why, and how often it is wrong."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from adam_repro.comparison import verdicts
from adam_repro.comparison.model import (
    HIGHER,
    LOWER,
    NOT_TESTED,
    SAME,
    UNDECIDED,
    Entrant,
    Score,
    Setting,
    TaskResult,
    TuningTrial,
)

Costs = dict[str, list[float]]  # by optimizer: final costs of seeds 0, 1, ...


def task(costs: Costs, name: str = "logreg", **columns: list[float]) -> TaskResult:
    """A task of one epoch. Seed 0 is the tuning trial."""
    rows = [
        {
            "optimizer": label, "seed": seed, "stage": "repeat" if seed else "tuning", "epoch": 0,
            "train_cost": cost, "test_cost": 2 * cost,
            "status": "finished" if math.isfinite(cost) else "diverged",
        }
        for label, values in costs.items()
        for seed, cost in enumerate(values)
    ]  # fmt: skip
    frame = pd.DataFrame(rows).reindex(columns=[*rows[0], "eval_train_cost", "test_error"])
    best = {label: Setting(0.1, "constant") for label in costs}
    return TaskResult(name, 1, "train_cost", frame, best, {}, {})


def entrants(*rivals: str, candidate: str = "mine") -> list[Entrant]:
    return [Entrant(candidate, (), True), *(Entrant(name, (), False) for name in rivals)]


def judged(costs: Costs) -> Score:
    """The one test of a candidate ``mine`` against ``adam``."""
    (score,) = [
        one for one in verdicts.scores([task(costs)], entrants("adam")) if one.verdict != NOT_TESTED
    ]
    return score


ADAM = [0.1, 0.30, 0.31, 0.29, 0.305]


@pytest.mark.parametrize(
    ("factors", "verdict"),
    [
        ([1, 0.90, 0.91, 0.89, 0.90], LOWER),
        ([1, 1.10, 1.11, 1.09, 1.10], HIGHER),
        ([1, 1.001, 0.999, 1.002, 0.998], SAME),
        ([1, 1, 1, 1, 1], SAME),  # identical curves
        ([1, 0.5, 0.5, 0.5, 0.5], LOWER),  # a constant ratio has no spread
        ([1, 0.997, 0.997, 0.997, 0.997], SAME),  # lower, by less than anybody cares about
        ([1, 0.5, 2.0, 0.7, 1.5], UNDECIDED),
    ],
)
def test_the_verdict_follows_from_the_ratios(factors: list[float], verdict: str) -> None:
    score = judged({"mine": [f * c for f, c in zip(factors, ADAM, strict=True)], "adam": ADAM})
    assert score.verdict == verdict
    assert score.n == 4
    assert score.ratio == pytest.approx(np.exp(np.mean(np.log(factors[1:]))))
    assert score.low <= score.ratio <= score.high
    assert bool(score.why) == (verdict == UNDECIDED)


def test_the_seed_that_tuned_is_not_tested() -> None:
    mine = [1e-9, *(1.2 * cost for cost in ADAM[1:])]
    assert judged({"mine": mine, "adam": ADAM}).verdict == HIGHER


@pytest.mark.parametrize(
    ("mine", "why"),
    [
        ([0.1, 0.3, 0.3], "2 pairs of seeds to test, 4 are needed"),
        ([0.1], "mine has no seed beside the one that tuned it"),
        ([0.1, 0.3, math.inf, 0.3, math.nan], "2 of 4 seeds of mine diverged"),
        ([0.1, 0.3, 0.0, 0.3, 0.3], "costs that are not above 0 have no ratio"),
        ([0.1, 0.3, -0.2, 0.3, 0.3], "costs that are not above 0 have no ratio"),
    ],
)
def test_what_cannot_be_tested_says_why(mine: list[float], why: str) -> None:
    score = judged({"mine": mine, "adam": ADAM})
    assert (score.verdict, score.why) == (UNDECIDED, why)
    assert math.isnan(score.p)


def test_costs_that_are_both_zero_are_the_same() -> None:
    assert judged({"mine": [0.0] * 5, "adam": [0.0] * 5}).verdict == SAME


def test_an_optimizer_without_trials_is_undecided() -> None:
    found = task({"adam": ADAM})
    (score,) = verdicts.scores([found], entrants("adam"))
    assert score.why == "every tuning trial of mine diverged or failed"
    cannot = TaskResult("logreg", 1, "train_cost", found.rows, found.best, {}, {}, {"mine": "no"})
    (score,) = verdicts.scores([cannot], entrants("adam"))
    assert score.why == "mine does not train on this task"


def lost(found: TaskResult, **status: str) -> TaskResult:
    """The task where these optimizers have two tuning trials of that status, or of ``mixed`` ones."""
    tuning = {
        label: [
            TuningTrial(Setting(lr, "constant"), math.inf, other if one == "mixed" else one)
            for lr, other in ((0.1, "diverged"), (1.0, "failed"))
        ]
        for label, one in status.items()
    }
    rows = found.rows[~found.rows["optimizer"].isin(status)]
    best = {label: setting for label, setting in found.best.items() if label not in status}
    return replace(found, rows=rows, best=best, tuning=tuning)


@pytest.mark.parametrize(
    ("status", "verdict", "why", "values"),
    [
        ({"mine": "diverged"}, HIGHER, "mine diverged at every setting", (math.inf, 0.30125)),
        ({"adam": "diverged"}, LOWER, "adam diverged at every setting", (0.30125, math.inf)),
        (
            {"mine": "diverged", "adam": "diverged"},
            UNDECIDED,
            "both diverged at every setting",
            (math.inf, math.inf),
        ),
        ({"mine": "mixed"}, UNDECIDED, "every tuning trial of mine diverged or failed", None),
        (
            {"mine": "diverged", "adam": "failed"},
            UNDECIDED,
            "every tuning trial of adam diverged or failed",
            None,
        ),
    ],
)
def test_who_diverged_at_every_setting_is_higher_without_a_test(
    status: dict[str, str], verdict: str, why: str, values: tuple[float, float] | None
) -> None:
    whole = task({"mine": ADAM, "adam": ADAM}, "other")
    found = lost(task({"mine": ADAM, "adam": ADAM}), **status)
    first, *others = verdicts.scores([found, whole], entrants("adam"))
    assert (first.verdict, first.why, first.n) == (verdict, why, 0)
    assert math.isnan(first.ratio)
    assert math.isnan(first.p)
    if values:
        assert (first.candidate_value, first.rival_value) == pytest.approx(values)
    assert others == list(verdicts.scores([whole], entrants("adam")))


def test_other_metrics_are_shown_and_not_tested() -> None:
    found = verdicts.scores([task({"mine": ADAM, "adam": ADAM})], entrants("adam"))
    assert [one.metric for one in found] == ["train_cost", "test_cost"]  # the others have no value
    assert found[1].verdict == NOT_TESTED
    assert found[1].ratio == 1.0


def test_one_test_is_weighed_with_all_others_of_the_table() -> None:
    """A p of a few percent stands alone, and not beside many."""
    rng = np.random.default_rng(1)
    borderline = [1.0, 0.9, 0.95, 0.91, 0.97]
    mine = [f * c for f, c in zip(borderline, ADAM, strict=True)]
    alone = judged({"mine": mine, "adam": ADAM})
    assert alone.verdict == LOWER
    names = [f"r{i}" for i in range(9)]
    others = {name: list(np.exp(rng.normal(0, 0.2, 5))) for name in names}
    every = verdicts.scores(
        [task({"mine": mine, "adam": ADAM, **others})], entrants("adam", *names)
    )
    first = next(one for one in every if one.rival == "adam")
    assert first.verdict == UNDECIDED
    assert "does not stand beside the other 9 pairs of the table (Holm)" in first.why


def tables_with_a_false_verdict(shift: float, false: set[str], tables: int = 1000) -> float:
    """The share of tables, three tasks by five rivals, in which one of these verdicts appears.

    The true ratio is ``exp(shift)`` everywhere. Tasks differ in spread, and rivals share the candidate.
    """
    rng = np.random.default_rng(0)
    found = 0
    for _ in range(tables):
        pairs = []
        for spread in (0.003, 0.02, 0.2):
            mine = np.exp(shift + rng.normal(0, spread, 4))
            for rival in "abcde":
                other = np.exp(rng.normal(0, spread, 4))
                score = Score(
                    "t", "mine", rival, "train_cost", *[math.nan] * 5, 0, math.nan, UNDECIDED
                )
                pairs.append(verdicts._compared(score, mine, other))
        found += any(one.verdict in false for one in verdicts.decide(pairs))
    return found / tables


@pytest.mark.slow
def test_an_optimizer_against_itself_is_seldom_lower_or_higher() -> None:
    assert tables_with_a_false_verdict(0.0, {LOWER, HIGHER}) <= 0.05


@pytest.mark.slow
def test_a_difference_of_one_percent_is_seldom_the_same() -> None:
    assert tables_with_a_false_verdict(math.log(1.01), {SAME, LOWER}) <= 0.05
