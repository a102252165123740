"""Trials that the merged CSVs hold: found by identity, also within longer ones."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from adam_repro.comparison.model import Setting
from adam_repro.comparison.outcomes import Outcomes
from adam_repro.comparison.request import read
from adam_repro.comparison.rounds import Job
from adam_repro.config.trial import Run, Trial
from adam_repro.files import committed_folder
from adam_repro.optim.schedules import SCHEDULES
from adam_repro.results import table
from adam_repro.results.reuse import ReusableRows
from adam_repro.runs.execute import execute
from adam_repro.runs.folder import TrialFolder
from tests.helpers import Compose


@pytest.fixture
def adam(trial: Compose) -> Trial:
    return trial("task=logreg", "optimizer=adam", "epochs=46")


def write(
    folder: Path, trial: Trial, costs: list[float], status: str = "finished", last: bool = False
) -> ReusableRows:
    """A merged CSV of figure 1 with one trial: all of its epochs, or its ``last`` alone."""
    rows = pd.DataFrame({"epoch": range(len(costs)), "train_cost": costs})
    rows = (rows.tail(1) if last else rows).assign(
        figure="fig1_mnist", reading="dense_grid", series="Adam", scale="paper", lr=0.1, seed=0,
        status=status, identity=trial.identity, selected=not last,
    )  # fmt: skip
    table.write(rows, folder / "fig1_mnist.csv")
    return ReusableRows(["logreg"], folder, folder)


def test_a_trial_is_found_by_its_identity(folder: Path, adam: Trial) -> None:
    found = write(folder, adam, [0.5] * 45 + [0.25]).find(adam, every_epoch=True)
    assert found is not None
    assert list(found.rows["train_cost"]) == [0.5] * 45 + [0.25]
    assert (found.status, found.identity) == ("finished", adam.identity)
    rows = ReusableRows(["logreg"], folder, folder)
    assert rows.find(replace(adam, seed=1), every_epoch=False) is None


def test_the_last_epoch_alone_is_no_curve(folder: Path, adam: Trial) -> None:
    rows = write(folder, adam, [0.5] * 45 + [0.25], last=True)
    assert rows.find(adam, every_epoch=True) is None
    found = rows.find(adam, every_epoch=False)
    assert found is not None
    assert list(found.rows["epoch"]) == [45]


def test_a_shorter_trial_is_the_beginning_of_a_longer_one(folder: Path, adam: Trial) -> None:
    rows = write(folder, adam, [1 / (1 + i) for i in range(46)])
    for epochs in (2, 45):
        found = rows.find(replace(adam, epochs=epochs), every_epoch=True)
        assert found is not None
        assert list(found.rows["train_cost"]) == pytest.approx([1 / (1 + i) for i in range(epochs)])
        assert (found.status, found.identity) == ("finished", adam.identity)
    assert rows.find(replace(adam, epochs=47), every_epoch=False) is None


def test_a_longer_trial_of_which_the_last_epoch_is_known_does_not_help(
    folder: Path, adam: Trial
) -> None:
    rows = write(folder, adam, [0.5] * 46, last=True)
    assert rows.find(replace(adam, epochs=3), every_epoch=False) is None


def test_a_trial_that_diverged_later_had_not_diverged_yet(folder: Path, adam: Trial) -> None:
    rows = write(folder, adam, [0.5, 0.6, float("inf")], status="diverged")
    status = {
        epochs: found.status
        for epochs in (2, 3, 46)
        if (found := rows.find(replace(adam, epochs=epochs), every_epoch=True))
    }
    assert status == {2: "finished", 3: "diverged", 46: "diverged"}


def test_the_rows_of_a_comparison_are_found_too_with_their_origin(
    folder: Path, tmp_path: Path, adam: Trial
) -> None:
    write(folder, replace(adam, seed=9), [0.5] * 46)
    rows = pd.DataFrame({"epoch": range(46), "train_cost": 0.5}).assign(
        identity=adam.identity, status="finished", source="trained", eval_train_cost=None,
        test_cost=0.6, test_error=0.1,
    )  # fmt: skip
    other = rows.assign(identity=replace(adam, seed=1).identity, source="committed")
    pd.concat([rows, other]).to_csv(tmp_path / "rows.csv", index=False)
    (tmp_path / "compare.yaml").write_text(
        "provenance: {hardware: a machine, versions: {torch: '2'}, commit: abc, dates: []}"
    )
    found = ReusableRows(["logreg"], folder, tmp_path)
    mine = found.find(adam, every_epoch=True)
    assert mine is not None
    assert list(mine.rows["test_cost"]) == [0.6] * 46
    # What the comparison had itself taken from elsewhere is not its own.
    assert found.find(replace(adam, seed=1), every_epoch=False) is None
    (origin,) = found.origins([adam.identity])
    assert (origin["hardware"], origin["trials"]) == ("a machine", [adam.identity])


def test_rows_at_an_average_of_the_iterates_are_not_used() -> None:
    rows = pd.read_csv(committed_folder() / "averaging.csv")
    averaged = rows[rows["series"] == "Polyak–Ruppert"]
    found = ReusableRows(["logreg", "mlp"])
    assert averaged["identity"].iloc[0] not in found._trials


@pytest.mark.parametrize(
    ("task", "schedule"),
    [
        pytest.param("mlp", "constant", marks=pytest.mark.slow),
        *(("logreg", name) for name in (*SCHEDULES, "exponential_0.9")),
    ],
)
def test_the_first_epochs_do_not_depend_on_how_many_there_are(
    task: str, schedule: str, trial: Compose, run: Run
) -> None:
    """Why the rows of a longer trial are those of a shorter one."""
    short, long = (
        trial(f"task={task}", "task.data.n_train=128", f"schedule={schedule}", f"epochs={epochs}")
        for epochs in (2, 3)
    )
    execute([short], run)
    execute([long], run)
    first, all_of = (
        TrialFolder(one, run.results_dir).metrics.read_bytes().splitlines() for one in (short, long)
    )
    assert all_of[: len(first)] == first


@pytest.mark.slow
def test_figure_1_is_found_by_a_comparison() -> None:
    """The grid of a comparison lies on the figures', so that their trials need not be trained again."""
    request = read(["torch.optim.NAdam"], {"tasks": "logreg,mlp", "against": "adam,adagrad"}, "")
    rows = ReusableRows(["logreg", "mlp"])
    for task in request.tasks:
        for one in request.entrants[1:]:
            job = Job.of(request, one, task)
            for lr in (1e-3, 3.16e-3, 1e-2, 5.62e-3):
                planned = job.tuning_trial(Setting(lr, "constant"))
                assert rows.find(planned, every_epoch=False) is not None, (task.name, one.label, lr)


@pytest.mark.slow
def test_whoever_compares_on_the_quick_tasks_trains_no_rival(tmp_path: Path) -> None:
    request = read(["torch.optim.NAdam"], {}, "")
    outcomes = Outcomes(tmp_path, ReusableRows(task.group for task in request.tasks))
    for task in request.tasks:
        for one in request.entrants[1:]:
            job = Job.of(request, one, task)
            tried, following = job.next_settings(outcomes)
            assert (len(tried), following) == (request.budget, []), (task.name, one.label)
            for trial in job.repeats(outcomes):
                assert outcomes.find(trial, every_epoch=True) is not None, (task.name, one.label)
