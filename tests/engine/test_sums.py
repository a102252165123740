"""SFO as an optimizer of a trial."""

from __future__ import annotations

import pandas as pd
import pytest

from adam_repro.config import Run
from adam_repro.engine.execute import execute
from adam_repro.engine.folder import TrialFolder
from adam_repro.errors import UserError
from tests.conftest import Compose, Silent
from tests.engine.test_execute import KillAfter, Killed, elsewhere, rows

SFO = ["task=logreg", "optimizer=sfo", "optimizer.n_subfunctions=8", "schedule=constant"]


def test_sfo_lowers_the_cost_and_counts_its_evaluations(
    trial: Compose, run: Run, watch: Silent
) -> None:
    one = trial(*SFO, "epochs=12", "eval_train_every=12")
    assert execute([one], run, watch) == {one.identity: "finished"}
    table = pd.read_csv(TrialFolder(one, run.results_dir).metrics)
    assert (table["step"].diff().dropna() >= 8).all()
    assert table["train_cost"].iloc[-1] < 0.2 * table["train_cost"].iloc[0]
    assert table["eval_train_cost"].iloc[-1] == pytest.approx(table["train_cost"].iloc[-1], rel=0.5)
    assert table["stepsize"].isna().all()


def test_killed_and_started_again_sfo_ends_with_the_same_bytes(
    trial: Compose, run: Run, watch: Silent
) -> None:
    one = trial(*SFO, "epochs=4")
    execute([one], elsewhere(run, "whole"), watch)
    with pytest.raises(Killed):
        execute([one], run, KillAfter(20))
    execute([one], run, watch)
    assert rows(one, run) == rows(one, elsewhere(run, "whole"))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["task=mlp"], r"random draws .*task\.dropout_input=0 task\.dropout_hidden=0"),
        (["task=vae"], r"random draws .*mlp_deterministic"),
        (["+task.cost_examples=64"], "task.cost_examples=64: not with optimizer=sfo"),
        (["averaging=polyak"], "averaging=polyak: not with optimizer=sfo"),
        (["schedule=inv_sqrt_pass"], "SFO has no stepsize"),
        (["optimizer.n_subfunctions=600"], "the training set has 512 examples"),
        (["optimizer.n_subfunctions=0"], "n_subfunctions = 0"),
    ],
)
def test_what_sfo_cannot_train_is_refused_with_the_reason(
    trial: Compose, run: Run, watch: Silent, words: list[str], message: str
) -> None:
    one = trial(*SFO, *words)
    with pytest.raises(UserError, match=message):
        execute([one], run, watch)
    assert not (run.results_dir / "runs").exists()


def test_more_subfunctions_than_fit_into_memory_are_refused_before_any_is_taken(
    trial: Compose, run: Run, watch: Silent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adam_repro.optim.sfo.sfo.available_bytes", lambda device: 10**9)
    one = trial(*SFO, "task=mlp_deterministic", "optimizer.n_subfunctions=469")
    with pytest.raises(UserError, match=r"n_subfunctions=469 needs 2\d\.\d GB.*1\.0 GB are free"):
        execute([one], run, watch)
