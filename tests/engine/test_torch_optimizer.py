"""Trials of optimizers by import path: what of theirs fails, and what that costs."""

from __future__ import annotations

from functools import partial
from typing import Any

import pandas as pd
import pytest
import torch

from adam_repro.config.trial import Run
from adam_repro.errors import TrialFailedError, UserError
from adam_repro.runs.execute import execute
from adam_repro.runs.folder import TrialFolder
from adam_repro.sweep import train_all
from tests.helpers import (
    Compose,
    KillAfter,
    Killed,
    elsewhere,
    foreign_trial,
    metrics_bytes,
)

foreign = partial(foreign_trial, __name__)


class Hungry(torch.optim.SGD):
    """Memory runs out in its first step."""

    def step(self, closure: Any = None) -> Any:
        raise torch.OutOfMemoryError


class Forgetful(torch.optim.SGD):
    """Fails in the first step of every process but the first."""

    restarted = False

    def step(self, closure: Any = None) -> Any:
        if Forgetful.restarted:
            raise ZeroDivisionError("nothing is remembered")
        return super().step(closure)


class Brittle(torch.optim.SGD):
    """Raises where others go on with NaN."""

    def step(self, closure: Any = None) -> Any:
        for parameter in self.param_groups[0]["params"]:
            if not parameter.grad.isfinite().all():
                raise ArithmeticError("not finite")
        return super().step(closure)


class Tiring(torch.optim.SGD):
    """Fails in its tenth step, the second of the second epoch, with a stepsize above 1."""

    def step(self, closure: Any = None) -> Any:
        (group,) = self.param_groups
        group["k"] = group.get("k", 0) + 1
        if group["k"] == 10 and group["lr"] > 1:
            raise LookupError("nothing left to try")
        return super().step(closure)


class Strict(torch.optim.SGD):
    """Has a train() that wants more than it is told."""

    def train(self, mode: bool) -> None:
        raise AssertionError


def test_a_first_step_that_fails_is_told_and_leaves_nothing(trial: Compose, run: Run) -> None:
    sparse = foreign(trial, "torch.optim.SparseAdam")
    told = (
        r"target=torch.optim.SparseAdam: its step 1 failed with lr=0.001: .* dense .*adam.py, line"
    )
    with pytest.raises(TrialFailedError, match=told):
        execute([sparse], run)
    assert not list(run.results_dir.rglob("*"))


@pytest.mark.slow
def test_memory_that_runs_out_in_it_is_told_as_such(trial: Compose, run: Run) -> None:
    with pytest.raises(UserError, match="not enough memory for one trial"):
        execute([foreign(trial, "Hungry")], run)


def test_a_first_step_that_fails_after_a_restart_costs_no_row_of_the_checkpoint(
    trial: Compose, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = foreign(trial, "Forgetful")
    with pytest.raises(Killed):
        execute([one], run, [KillAfter(17)])  # in the third epoch
    folder = TrialFolder(one, run.results_dir)
    before = folder.metrics.read_bytes()
    monkeypatch.setattr(Forgetful, "restarted", True)
    with pytest.raises(
        UserError, match=r"step (9|17) failed .*ZeroDivisionError: nothing is remem"
    ):
        execute([one], run)
    kept = folder.metrics.read_bytes()
    assert before.startswith(kept)
    assert kept.count(b"\n") == 1 + folder.epoch()
    assert folder.epoch() > 0
    assert folder.status() == "failed"
    assert folder.checkpoint.exists()


def test_one_that_cannot_bear_divergence_has_diverged(trial: Compose, run: Run) -> None:
    wild, tame = (foreign(trial, "Brittle", f"optimizer.lr={lr}") for lr in (1e38, 0.1))
    assert execute([wild, tame], run) == {
        wild.identity: "diverged",
        tame.identity: "finished",
    }
    execute([tame], elsewhere(run, "alone"))
    assert metrics_bytes(tame, run) == metrics_bytes(tame, elsewhere(run, "alone"))
    plain = foreign(trial, "torch.optim.SGD", "optimizer.lr=1e38")
    execute([plain], run)
    assert len(pd.read_csv(TrialFolder(wild, run.results_dir).metrics)) == len(
        pd.read_csv(TrialFolder(plain, run.results_dir).metrics)
    )


@pytest.mark.slow
def test_one_trial_that_fails_does_not_keep_a_sweep_from_the_others(
    trial: Compose, run: Run
) -> None:
    good, bad, late = (
        foreign(trial, "Tiring", f"optimizer.lr={lr}", f"seed={seed}")
        for lr, seed in ((0.1, 0), (2.0, 0), (0.1, 1))
    )
    told = rf"its step 10 failed with lr=2.0: LookupError: nothing left to try .{__file__}, line"
    for _ in range(2):  # given again, it says the same
        with pytest.raises(TrialFailedError, match=told):
            train_all([bad, good, late], run)
        status = [TrialFolder(one, run.results_dir).status() for one in (bad, good, late)]
        assert status == ["failed", "finished", "finished"]


def test_a_mode_that_cannot_be_set_fails_that_trial_alone(trial: Compose, run: Run) -> None:
    strict, good = foreign(trial, "Strict"), foreign(trial, "torch.optim.SGD")
    with pytest.raises(
        TrialFailedError, match=r"Strict: train\(\) failed with lr=0.001: TypeError"
    ):
        train_all([strict, good], run)
    assert TrialFolder(good, run.results_dir).status() == "finished"
