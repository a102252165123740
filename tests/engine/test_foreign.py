"""Trials of optimizers by import path: what of theirs fails, and what cannot be kept."""

from __future__ import annotations

from collections import deque
from typing import Any

import pytest
import torch

from adam_repro.config import Run, Trial
from adam_repro.engine.execute import execute
from adam_repro.engine.folder import TrialFolder
from adam_repro.errors import UserError
from tests.conftest import Compose, Silent
from tests.engine.test_execute import KillAfter, Killed, elsewhere, rows


class Hungry(torch.optim.SGD):
    """Memory runs out in its first step."""

    def step(self, closure: Any = None) -> Any:
        raise torch.OutOfMemoryError


class Rambling(torch.optim.SGD):
    """Keeps its last stepsizes in a collection that torch.load refuses."""

    def step(self, closure: Any = None) -> Any:
        for group in self.param_groups:
            for parameter in group["params"]:
                self.state[parameter].setdefault("last", deque(maxlen=4)).append(group["lr"])
        return super().step(closure)


class Secretive(torch.optim.SGD):
    """Keeps what not even torch.save takes."""

    def __init__(self, params: Any, lr: float) -> None:
        super().__init__(params, lr)
        self.param_groups[0]["rule"] = lambda lr: lr


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


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("Rambling", r"state_dict\(\)\['state'\]\[0\]\['last'\], a collections.deque"),
        ("Secretive", r"state_dict\(\)\['param_groups'\]\[0\]\['rule'\], a builtins.function"),
    ],
)
def test_a_state_that_cannot_be_read_back_is_told_and_begun_again(
    trial: Compose, run: Run, watch: Silent, name: str, part: str
) -> None:
    one = foreign(trial, name)
    with pytest.warns(RuntimeWarning, match=rf"target={__name__}.{name}: .*{part}") as told:
        execute([one], elsewhere(run, "whole"), watch)
    assert len(told) == 1
    with pytest.warns(RuntimeWarning, match="loses its epochs"), pytest.raises(Killed):
        execute([one], run, KillAfter(20))  # in the third epoch
    assert not TrialFolder(one, run.results_dir).checkpoint.exists()
    again = Silent()
    with pytest.warns(RuntimeWarning):
        assert execute([one], run, again) == {one.identity: "finished"}
    assert len(again.epochs) == one.epochs
    assert rows(one, run) == rows(one, elsewhere(run, "whole"))


@pytest.mark.filterwarnings("error")
def test_of_a_state_that_can_be_read_back_nothing_is_said(
    trial: Compose, run: Run, watch: Silent
) -> None:
    one = foreign(trial, "torch.optim.NAdam")
    with pytest.raises(Killed):
        execute([one], run, KillAfter(9))
    assert TrialFolder(one, run.results_dir).checkpoint.exists()
