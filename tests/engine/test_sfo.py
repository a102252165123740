"""SFO as an optimizer of a trial."""

from __future__ import annotations

import pandas as pd
import pytest
import torch

from adam_repro.config.trial import Run
from adam_repro.engine.sfo import SFOStack, check
from adam_repro.errors import UserError
from adam_repro.runs.execute import execute, load
from adam_repro.runs.folder import TrialFolder
from adam_repro.tasks import build
from tests.helpers import Compose, KillAfter, Killed, elsewhere, metrics_bytes

SFO = ["task=logreg", "optimizer=sfo", "optimizer.n_subfunctions=8", "schedule=constant"]


def test_sfo_lowers_the_cost_and_counts_its_evaluations(trial: Compose, run: Run) -> None:
    one = trial(*SFO, "epochs=12", "eval_train_every=12")
    assert execute([one], run) == {one.identity: "finished"}
    table = pd.read_csv(TrialFolder(one, run.results_dir).metrics)
    assert (table["step"].diff().dropna() >= 8).all()
    assert table["train_cost"].iloc[-1] < 0.2 * table["train_cost"].iloc[0]
    assert table["eval_train_cost"].iloc[-1] == pytest.approx(table["train_cost"].iloc[-1], rel=0.5)
    assert table["stepsize"].isna().all()


def test_killed_and_started_again_sfo_ends_with_the_same_bytes(trial: Compose, run: Run) -> None:
    one = trial(*SFO, "epochs=4")
    execute([one], elsewhere(run, "whole"))
    with pytest.raises(Killed):
        execute([one], run, [KillAfter(20)])
    execute([one], run)
    assert metrics_bytes(one, run) == metrics_bytes(one, elsewhere(run, "whole"))


def sums(trial: Compose, *words: str) -> SFOStack:
    one = trial("task=mlp", *SFO[1:], *words)
    task = build(one.task)
    check(one, task)
    return SFOStack(one, task, load(task, torch.device("cpu")))


def test_frozen_draws_are_the_same_at_every_evaluation_and_others_for_every_example(
    trial: Compose,
) -> None:
    one = sums(trial, "+optimizer.draws=frozen", "task.dropout_hidden=0.5")
    theta = one.sfo.theta.clone()
    cost, gradient = one._evaluate(theta, 3)
    again, same = one._evaluate(theta, 3)
    assert again == cost
    assert torch.equal(same, gradient)
    still = sums(trial, "task.dropout_input=0", "task.dropout_hidden=0")
    assert still._evaluate(theta, 3)[0] != pytest.approx(cost, rel=1e-3)
    # The mask of one subfunction is not that of the next: on the same rows the costs differ.
    one.parts = one.parts.permuted(torch.arange(64).repeat(8))
    assert one._evaluate(theta, 0)[0] != pytest.approx(one._evaluate(theta, 1)[0], rel=1e-3)


def test_fresh_draws_differ_at_every_evaluation(trial: Compose) -> None:
    one = sums(trial, "+optimizer.draws=fresh")
    one.sfo.step()
    theta = one.sfo.theta.clone()
    first = one._evaluate(theta, 3)[0]
    one.sfo.step()
    assert one._evaluate(theta, 3)[0] != pytest.approx(first, rel=1e-4)


@pytest.mark.slow
def test_dropout_goes_with_sfo_where_it_is_asked_for(trial: Compose, run: Run) -> None:
    words = ["task=mlp", *SFO[1:], "epochs=3", "+optimizer.draws="]
    costs = {}
    for draws in ("fresh", "frozen"):
        one = trial(*words[:-1], words[-1] + draws)
        assert execute([one], elsewhere(run, "whole")) == {one.identity: "finished"}
        with pytest.raises(Killed):
            execute([one], run, [KillAfter(20)])
        execute([one], run)
        assert metrics_bytes(one, run) == metrics_bytes(one, elsewhere(run, "whole"))
        table = pd.read_csv(TrialFolder(one, run.results_dir).metrics)
        costs[draws] = table["train_cost"].iloc[-1]
    assert costs["frozen"] < costs["fresh"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["+optimizer.draws=2"], "optimizer.draws=2: must be one of refuse, fresh, frozen"),
        (["task=mlp", "+optimizer.draws=refuse"], r"\+optimizer\.draws=frozen"),
        (["task=mlp"], r"random draws .*task\.dropout_input=0 task\.dropout_hidden=0"),
        (["task=vae"], r"random draws .*mlp_deterministic"),
        (["+task.cost_examples=64"], "task.cost_examples=64: not with optimizer=sfo"),
        (["averaging=polyak"], "averaging=polyak: not with optimizer=sfo"),
        (["schedule=inv_sqrt_pass"], "SFO has no stepsize"),
        (["optimizer.n_subfunctions=600"], "the training set has 512 examples"),
        (["optimizer.n_subfunctions=0"], "n_subfunctions=0"),
    ],
)
def test_what_sfo_cannot_train_is_refused_with_the_reason(
    trial: Compose, run: Run, words: list[str], message: str
) -> None:
    one = trial(*SFO, *words)
    with pytest.raises(UserError, match=message):
        execute([one], run)
    assert not (run.results_dir / "runs").exists()


def test_more_subfunctions_than_fit_into_memory_are_refused_before_any_is_taken(
    trial: Compose, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adam_repro.optim.sfo.sfo.available_bytes", lambda device: 10**9)
    one = trial(*SFO, "task=mlp_deterministic", "optimizer.n_subfunctions=469")
    with pytest.raises(UserError, match=r"n_subfunctions=469 needs 2\d\.\d GB.*1\.0 GB are free"):
        execute([one], run)


def test_draws_are_an_option_of_sfo_alone(trial: Compose, run: Run) -> None:
    with pytest.raises(UserError, match="draws"):
        execute([trial("task=mlp", "optimizer=adam", "+optimizer.draws=fresh")], run)
    assert not (run.results_dir / "runs").exists()
