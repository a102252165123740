"""Trials of optimizers by import path: what of theirs fails, and what cannot be kept."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from adam_repro.config import Run, Trial
from adam_repro.engine.execute import execute
from adam_repro.engine.folder import TrialFolder
from adam_repro.errors import UserError
from tests.conftest import Compose, Silent
from tests.engine.test_execute import KillAfter, Killed


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


def foreign(trial: Compose, name: str, *words: str) -> Trial:
    target = name if "." in name else f"{__name__}.{name}"
    return trial("task=logreg", "optimizer=torch", f"optimizer.target={target}", *words)


def test_a_first_step_that_fails_is_told_and_leaves_nothing(
    trial: Compose, run: Run, watch: Silent
) -> None:
    sparse = foreign(trial, "torch.optim.SparseAdam")
    with pytest.raises(UserError, match=r"optimizer.target=torch.optim.SparseAdam: its first step"):
        execute([foreign(trial, "torch.optim.NAdam"), sparse], run, watch)
    assert not list(run.results_dir.rglob("*"))


def test_memory_that_runs_out_in_it_is_told_as_such(
    trial: Compose, run: Run, watch: Silent
) -> None:
    with pytest.raises(UserError, match="not enough memory for one trial"):
        execute([foreign(trial, "Hungry")], run, watch)


def test_a_first_step_that_fails_after_a_restart_costs_no_row(
    trial: Compose, run: Run, watch: Silent, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = foreign(trial, "Forgetful")
    with pytest.raises(Killed):
        execute([one], run, KillAfter(9))  # in the second epoch
    folder = TrialFolder(one, run.results_dir)
    before = folder.metrics.read_bytes()
    monkeypatch.setattr(Forgetful, "restarted", True)
    with pytest.raises(UserError, match=r"first step failed .ZeroDivisionError: nothing is remem"):
        execute([one], run, watch)
    assert folder.metrics.read_bytes() == before
    assert folder.status() == "failed"
    assert folder.checkpoint.exists()
