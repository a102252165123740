"""The rounds with made-up outcomes: what is trained, in which order, how often, and what is said of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import pytest

from adam_repro.comparison import bench, rounds
from adam_repro.comparison.bench import Bench
from adam_repro.comparison.model import REPEAT, TUNING
from adam_repro.comparison.outcomes import FAILED, MEASURED, Outcome, Outcomes
from adam_repro.comparison.request import Request, read
from adam_repro.comparison.rounds import Job
from adam_repro.config.trial import Run, Trial
from adam_repro.sweep.workers import Workers


@dataclass
class MadeUp(Outcomes):
    """Outcomes from a cost of (stepsize, seed); ``whole``: trials whose every epoch is there."""

    cost: Callable[[float, int], float] = lambda lr, seed: 1.0
    last_only: set[str] = field(default_factory=set)  # committed, but for their curves
    trained: set[str] = field(default_factory=set)

    def find(self, trial: Trial, every_epoch: bool = False) -> Outcome | None:
        known = trial.identity in self.trained
        if not known and (every_epoch or trial.identity not in self.last_only):
            return None
        cost = self.cost(float(trial.optimizer["lr"]), trial.seed)
        rows = pd.DataFrame({"epoch": [0, 1], "train_cost": [2.0, cost]}).reindex(columns=MEASURED)
        if math.isnan(cost):
            return Outcome(rows, FAILED, why="it fell")
        return Outcome(rows, "finished" if math.isfinite(cost) else "diverged")


def bowl(optimum: float) -> Callable[[float, int], float]:
    return lambda lr, seed: 1.0 + (math.log10(lr) - optimum) ** 2 + 0.01 * seed


@pytest.fixture
def request_() -> Request:
    options = {"against": "adagrad", "tasks": "mlp", "scale": "smoke", "budget": 9, "seeds": 4}
    return read(["adam"], options, "")


@pytest.fixture
def jobs(request_: Request) -> list[Job]:
    return [Job.of(request_, one, request_.tasks[0]) for one in request_.entrants]


@pytest.fixture
def outcomes(tmp_path: Path) -> MadeUp:
    return MadeUp(tmp_path, None, cost=bowl(-2.0))


def run(jobs: list[Job], outcomes: MadeUp) -> list[Trial]:
    """All trials in the order of their training."""
    order: list[Trial] = []

    def train(trials: Sequence[Trial]) -> None:
        assert trials
        order.extend(trials)
        outcomes.trained |= {trial.identity for trial in trials}

    rounds.run(jobs, outcomes, train)
    return order


def test_everyone_is_tuned_with_seed_0_and_then_repeated_with_the_others(
    jobs: list[Job], outcomes: MadeUp
) -> None:
    order = run(jobs, outcomes)
    assert len({trial.identity for trial in order}) == len(order) == 2 * (9 + 3)
    assert [trial.seed for trial in order[:18]] == [0] * 18
    assert sorted(trial.seed for trial in order[18:]) == [1, 1, 2, 2, 3, 3]
    for job in jobs:
        best = job.best(outcomes)
        assert best is not None
        assert best.lr == 0.01
        assert {trial.optimizer["lr"] for trial in job.repeats(outcomes)} == {0.01}
    assert run(jobs, outcomes) == []


def test_a_trial_of_which_the_last_epoch_is_committed_is_trained_if_it_is_the_best(
    jobs: list[Job], outcomes: MadeUp
) -> None:
    for job in jobs:
        outcomes.last_only |= {
            job.tuning_trial(one).identity for one in job.next_settings(outcomes)[1]
        }
    order = run(jobs, outcomes)
    again = [trial for trial in order if trial.identity in outcomes.last_only]
    assert {(t.optimizer["name"], t.optimizer["lr"], t.seed) for t in again} == {
        ("adam", 0.01, 0), ("adagrad", 0.01, 0),
    }  # fmt: skip


def test_the_announcement_counts_what_is_then_trained(
    request_: Request, jobs: list[Job], outcomes: MadeUp
) -> None:
    text = rounds.announce(jobs, outcomes, request_)
    assert "0 trials are there, at most 24 to train, the first 10 in 1 stack; about" in text
    assert len(run(jobs, outcomes)) == 24
    assert "24 trials are there, at most 0 to train" in rounds.announce(jobs, outcomes, request_)


@pytest.mark.parametrize("bad", [math.inf, math.nan])
def test_without_a_trial_that_ends_nothing_is_repeated(
    bad: float, jobs: list[Job], outcomes: MadeUp
) -> None:
    outcomes.cost = lambda lr, seed: bad
    assert len(run(jobs, outcomes)) == 18
    assert [job.best(outcomes) for job in jobs] == [None, None]


def made(request_: Request, jobs: list[Job], outcomes: MadeUp) -> Bench:
    run(jobs, outcomes)
    found = Bench.__new__(Bench)
    found.request, found.run, found.workers = request_, Run(), Workers()
    found.outcomes, found.cannot, found.jobs = outcomes, {}, jobs
    return found


@pytest.mark.parametrize(
    ("cost", "note"),
    [
        (bowl(-9.0), "its best stepsize, 1e-06, is the smallest of those tried"),
        (bowl(4.0), "is the largest of those tried"),
        (lambda lr, seed: 1.0, "8 other settings ended with the same cost as the best"),
        (lambda lr, seed: 1 / lr, "every seed ends with the same cost: nothing here is random"),
        (lambda lr, seed: math.inf if lr > 0.02 else 1 / lr, "of 9 tuning trials diverged"),
        (lambda lr, seed: math.nan if lr > 0.02 else 1 / lr, "of 9 tuning trials failed"),
    ],
)
def test_what_is_odd_about_a_tuning_is_said(
    cost: Callable[[float, int], float],
    note: str,
    request_: Request,
    jobs: list[Job],
    outcomes: MadeUp,
) -> None:
    outcomes.cost = cost
    found = made(request_, jobs, outcomes)
    notes = found._notes(jobs[0], jobs[0].best(outcomes))
    assert any(note in one for one in notes), notes


def test_the_rows_have_every_epoch_of_the_best_and_the_last_of_the_others(
    request_: Request, jobs: list[Job], outcomes: MadeUp
) -> None:
    rows = bench.results.join(list(made(request_, jobs, outcomes)._rows(jobs[0])))
    by_trial = rows.groupby(["stage", "lr", "seed"]).size()
    best = rows["lr"] == 0.01
    assert set(rows.loc[best, "stage"]) == {TUNING, REPEAT}
    assert set(by_trial[by_trial == 2].index) == {
        (TUNING, 0.01, 0), *((REPEAT, 0.01, seed) for seed in (1, 2, 3)),
    }  # fmt: skip
    assert (by_trial == 1).sum() == 8
    assert set(rows.loc[~best, "epoch"]) == {1}
