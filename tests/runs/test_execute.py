"""A trial in its folder: rows, status, resumption, neighbours, locks."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import yaml

from adam_repro.config.trial import Run
from adam_repro.engine import sfo
from adam_repro.engine import stack as stacks
from adam_repro.errors import UserError
from adam_repro.runs.execute import execute
from adam_repro.runs.folder import TrialFolder
from adam_repro.runs.metrics import COLUMNS
from adam_repro.tasks import MODELS
from adam_repro.tasks.logreg import LogisticRegression
from tests.helpers import Compose, CountingCallback, KillAfter, Killed, elsewhere, metrics_bytes


def test_a_trial_leaves_its_rows_its_record_and_no_checkpoint(trial: Compose, run: Run) -> None:
    one = trial("task=logreg", "optimizer=adam")
    assert execute([one], run) == {one.identity: "finished"}
    folder = TrialFolder(one, run.results_dir)
    table = pd.read_csv(folder.metrics)
    assert tuple(table.columns) == COLUMNS
    assert list(table["epoch"]) == [0, 1, 2]
    assert list(table["step"]) == [8, 16, 24]
    assert list(table["examples"]) == [512, 1024, 1536]
    assert table["train_cost"].is_monotonic_decreasing
    assert table["test_cost"].notna().all()
    assert table["eval_train_cost"].isna().all()
    record = yaml.safe_load(folder.metadata_path.read_text())
    assert record["status"] == "finished"
    assert record["identity"] == one.identity
    assert record["config"] == one.settings
    assert record["provenance"]["device"] == "cpu"
    assert not folder.checkpoint.exists()
    assert len(pd.read_csv(folder.timing)) == 3


def test_the_training_cost_may_be_that_of_the_first_examples_of_an_epoch(
    trial: Compose, run: Run
) -> None:
    """From zero weights the first minibatch costs ln 10; what is trained stays the same."""
    words = ["task=logreg", "task.order=every_pass", "task.init=zeros"]
    whole = trial(*words)
    first = trial(*words, f"+task.cost_examples={whole.batch_size}")
    most = trial(*words, "+task.cost_examples=100000")
    execute([whole], run)
    execute([first], run)
    execute([most], run)
    tables = [pd.read_csv(TrialFolder(t, run.results_dir).metrics) for t in (whole, first, most)]
    assert tables[1]["train_cost"][0] == pytest.approx(math.log(10), rel=1e-6)
    assert tables[1]["train_cost"][1] > tables[0]["train_cost"][1]
    pd.testing.assert_frame_equal(tables[0], tables[2])
    costs = ["train_cost", "train_error"]
    pd.testing.assert_frame_equal(tables[0].drop(columns=costs), tables[1].drop(columns=costs))


def test_a_finished_trial_is_not_trained_again(
    trial: Compose, run: Run, counter: CountingCallback
) -> None:
    one = trial("task=logreg")
    execute([one], run, [counter])
    before = counter.steps
    assert execute([one], run, [counter]) == {one.identity: "finished"}
    assert counter.steps == before


@pytest.mark.slow
@pytest.mark.parametrize(
    ("optimizer", "averaging", "killed_at"),
    [
        ("adam", "none", 3),
        ("adam", "none", 8),
        ("adam", "exponential", 13),
        ("sgd_nesterov", "polyak", 23),
        ("torch", "none", 13),
    ],
)
def test_killed_and_started_again_it_ends_with_the_same_bytes(
    trial: Compose, run: Run, optimizer: str, averaging: str, killed_at: int
) -> None:
    words = [f"optimizer={optimizer}", f"averaging={averaging}"]
    if optimizer == "torch":
        words.append("optimizer.target=torch.optim.NAdam")
    one = trial("task=mlp", "epochs=3", "task.data.n_train=192", "batch_size=24", *words)
    execute([one], elsewhere(run, "whole"))
    with pytest.raises(Killed):
        execute([one], run, [KillAfter(killed_at)])
    assert TrialFolder(one, run.results_dir).status() == "running"
    execute([one], run)
    assert metrics_bytes(one, run) == metrics_bytes(one, elsewhere(run, "whole"))


def test_rows_beyond_the_checkpoint_are_trained_again(trial: Compose, run: Run) -> None:
    one = trial("task=logreg")
    execute([one], elsewhere(run, "whole"))
    with pytest.raises(Killed):
        execute([one], run, [KillAfter(9)])
    folder = TrialFolder(one, run.results_dir)
    with folder.metrics.open("a") as file:  # killed between the row and its checkpoint
        file.write("1,16,1024,0.5")
    execute([one], run)
    assert metrics_bytes(one, run) == metrics_bytes(one, elsewhere(run, "whole"))


@pytest.mark.slow
def test_a_stack_gives_each_trial_the_curve_it_has_alone(trial: Compose, run: Run) -> None:
    stack = [
        trial("task=mlp", f"optimizer={name}", f"optimizer.lr={lr}")
        for name in ("adam", "sgd_nesterov", "adagrad")
        for lr in (1e-3, 1e-2)
    ]
    execute(stack, run)
    for one in stack:
        execute([one], elsewhere(run, "alone"))
        assert metrics_bytes(one, run) == metrics_bytes(one, elsewhere(run, "alone"))


@pytest.mark.slow
@pytest.mark.parametrize("task", ["logreg", "mlp", "vae", "imdb", "cnn"])
def test_batched_and_looped_execution_agree(trial: Compose, run: Run, task: str) -> None:
    data = {
        "imdb": ["~task.data.values", "task.data.name=synthetic_text"],
        "cnn": ["~task.data.whitening", "~task.data.zca_eps", "+task.data.shape=[3,32,32]",
                "task.data.n_train=32", "task.data.n_test=8", "batch_size=16", "epochs=1"],
    }.get(task, [])  # fmt: skip
    stack = [
        trial(f"task={task}", *data, f"optimizer={name}", f"optimizer.lr={lr}", "averaging=polyak")
        for name in ("adam", "sgd_momentum")
        for lr in (1e-4, 1e-3)
    ]
    batched = elsewhere(run, "batched", engine="batched")
    execute(stack, run)
    execute(stack, batched)
    for one in stack:
        looped = pd.read_csv(TrialFolder(one, run.results_dir).metrics)
        other = pd.read_csv(TrialFolder(one, batched.results_dir).metrics)
        pd.testing.assert_frame_equal(looped, other, rtol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["looped", "batched"])
def test_a_diverging_neighbour_changes_no_bit(trial: Compose, run: Run, engine: str) -> None:
    calm = [trial("task=mlp", "optimizer=sgd", f"optimizer.lr={lr}") for lr in (1e-3, 1e-2)]
    wild = trial("task=mlp", "optimizer=sgd", "optimizer.lr=1e6")
    tame = trial("task=mlp", "optimizer=sgd", "optimizer.lr=1e-4")
    first, second = elsewhere(run, "wild", engine=engine), elsewhere(run, "tame", engine=engine)
    assert execute([*calm, wild], first)[wild.identity] == "diverged"
    execute([*calm, tame], second)
    for one in calm:
        assert metrics_bytes(one, first) == metrics_bytes(one, second)
    table = pd.read_csv(TrialFolder(wild, first.results_dir).metrics)
    assert not math.isfinite(table["train_cost"].iloc[-1])
    assert TrialFolder(wild, first.results_dir).status() == "diverged"


@pytest.mark.slow
@pytest.mark.parametrize("task", ["logreg", "imdb"])
def test_the_length_of_a_stack_changes_no_bit(trial: Compose, run: Run, task: str) -> None:
    """The two tasks that a CPU stacks by itself: what is left of a killed sweep goes on the same."""
    data = ["~task.data.values", "task.data.name=synthetic_text"] if task == "imdb" else []
    kinds = ("adam", "adagrad", "sgd_nesterov")
    stack = [
        trial(f"task={task}", *data, f"optimizer={name}", f"optimizer.lr={lr}", "task.l2=1e-4")
        for name in kinds
        for lr in np.geomspace(1e-3, 1e-1, 11)
    ]
    whole = elsewhere(run, "whole", engine="auto")
    execute(stack, whole)
    for part in (stack[:1], stack[4:7], stack[5:22]):
        fewer = elsewhere(run, f"part{len(part)}", engine="auto")
        execute(part, fewer)
        for one in part:
            assert metrics_bytes(one, fewer) == metrics_bytes(one, whole)


def test_two_processes_do_not_train_the_same_trial(
    trial: Compose, run: Run, counter: CountingCallback
) -> None:
    one = trial("task=logreg")
    other = TrialFolder(one, run.results_dir)
    assert other.acquire()
    assert execute([one], run, [counter]) == {one.identity: "running"}
    assert counter.steps == 0
    other.release()
    assert execute([one], run, [counter]) == {one.identity: "finished"}


def test_a_trial_that_ended_while_it_was_waited_for_is_not_trained_again(
    trial: Compose, run: Run, counter: CountingCallback, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = trial("task=logreg")
    acquire = TrialFolder.acquire

    def late(self: TrialFolder) -> bool:
        """Between the look at the status and the lock another process trains the trial."""
        monkeypatch.setattr(TrialFolder, "acquire", acquire)
        execute([one], run, [CountingCallback()])
        return acquire(self)

    monkeypatch.setattr(TrialFolder, "acquire", late)
    assert execute([one], run, [counter]) == {one.identity: "finished"}
    assert counter.steps == 0
    assert len(pd.read_csv(TrialFolder(one, run.results_dir).metrics)) == 3


def test_a_watch_is_told_of_an_epoch_by_those_that_trained_it(
    trial: Compose, run: Run, counter: CountingCallback
) -> None:
    stack = [trial("task=logreg", "optimizer=sgd", f"optimizer.lr={lr}") for lr in (0.1, 1e38)]
    execute(stack, elsewhere(run, "batched", engine="batched"), [counter])
    assert [len(rows) for rows in counter.epochs] == [2, 1, 1]


class Scaled(LogisticRegression):
    """A task of one's own, whose inputs depend on an option of its own."""

    def preprocess(self, inputs: torch.Tensor) -> torch.Tensor:
        return super().preprocess(inputs) * self.config["scale"]


@pytest.mark.slow
def test_inputs_that_depend_on_a_tasks_own_option_are_prepared_for_each(
    trial: Compose, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(MODELS, "scaled", Scaled)
    words = ("task=logreg", "task.model=scaled")
    large, small = (trial(*words, f"+task.scale={scale}") for scale in (1.0, 1e-3))
    execute([small], run)
    after = elsewhere(run, "after")
    for one in (large, small):
        execute([one], after)
    assert metrics_bytes(small, after) == metrics_bytes(small, run)
    assert metrics_bytes(large, after) != metrics_bytes(small, run)


def test_a_damaged_checkpoint_is_named(trial: Compose, run: Run) -> None:
    one = trial("task=logreg")
    with pytest.raises(Killed):
        execute([one], run, [KillAfter(9)])
    checkpoint = TrialFolder(one, run.results_dir).checkpoint
    checkpoint.write_bytes(checkpoint.read_bytes()[:100])
    with pytest.raises(UserError, match=r"state\.pt: not a readable checkpoint.*delete it"):
        execute([one], run)


def test_a_mistake_leaves_no_trial_behind(trial: Compose, run: Run) -> None:
    one = trial("task=logreg", "batch_size=513")
    with pytest.raises(UserError, match="batch_size=513: the training set has 512 examples"):
        execute([one], run)
    assert not list(Path(run.results_dir).rglob("*.yaml"))
    assert not list(Path(run.results_dir).rglob("*.csv"))


def test_the_average_is_evaluated_beside_the_iterate(trial: Compose, run: Run) -> None:
    one = trial("task=logreg", "optimizer=sgd", "averaging=polyak", "eval_train_every=2")
    execute([one], run)
    table = pd.read_csv(TrialFolder(one, run.results_dir).metrics)
    assert table["average_test_cost"].notna().all()
    assert (table["average_test_cost"] != table["test_cost"]).all()
    assert list(table["eval_train_cost"].notna()) == [False, True, False]
    assert list(table["average_eval_train_cost"].notna()) == [False, True, False]


def test_a_kept_checkpoint_holds_the_last_parameters(trial: Compose, run: Run) -> None:
    one = trial("task=logreg")
    execute([one], elsewhere(run, "kept", keep_checkpoint=True))
    state = torch.load(TrialFolder(one, run.results_dir.parent / "kept").checkpoint)
    assert state["epoch"] == 3
    assert state["theta"].shape == (7850,)


@pytest.mark.parametrize("words", [["optimizer=adam"], ["optimizer=sfo", "schedule=constant"]])
def test_an_epochs_seconds_leave_its_evaluations_out(
    words: list[str], trial: Compose, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = stacks.evaluate
    now = 0.0

    def clock() -> float:
        nonlocal now
        now += 0.001  # a second look is later
        return now

    def slow(*arguments: Any) -> Any:
        nonlocal now
        now += 1000.0
        return own(*arguments)

    monkeypatch.setattr("adam_repro.engine.protocol.time.perf_counter", clock)

    monkeypatch.setattr(stacks, "evaluate", slow)
    monkeypatch.setattr(sfo, "evaluate", slow)
    one = trial("task=logreg", *words, "epochs=2", "eval_train_every=1")
    execute([one], run)
    seconds = pd.read_csv(TrialFolder(one, run.results_dir).timing)["seconds"]
    assert now > 4000.0  # two epochs, two data sets
    assert (seconds > 0).all()
    assert seconds.sum() < 1.0


@pytest.mark.slow
def test_an_interrupted_trial_keeps_the_threads_it_was_begun_with(
    trial: Compose, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last digits of this task depend on their number."""
    one = trial("task=vae", "task.data.n_train=128", "task.data.n_test=16", "epochs=2")
    torch.set_num_threads(2)
    execute([one], elsewhere(run, "whole"))
    with pytest.raises(Killed):
        execute([one], run, [KillAfter(3)])  # in the second epoch
    torch.set_num_threads(1)
    used: list[int] = []
    monkeypatch.setattr(KillAfter, "on_step", lambda _: used.append(torch.get_num_threads()))
    execute([one], run, [KillAfter(-1)])
    assert used == [2, 2]
    assert torch.get_num_threads() == 1
    record = yaml.safe_load(TrialFolder(one, run.results_dir).metadata_path.read_text())
    assert record["provenance"]["threads"] == 2
    assert metrics_bytes(one, run) == metrics_bytes(one, elsewhere(run, "whole"))
