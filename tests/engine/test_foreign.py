"""Trials of optimizers by import path: what of theirs fails, and what cannot be kept."""

from __future__ import annotations

import warnings
from collections import deque
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pandas as pd
import pytest
import torch

from adam_repro.config import Run, Trial
from adam_repro.engine.execute import execute
from adam_repro.engine.folder import TrialFolder
from adam_repro.errors import TrialFailedError, UserError
from adam_repro.sweep import train_all
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


class Noisy(torch.optim.SGD):
    """Draws in its constructor, and in every step."""

    def __init__(self, params: Any, lr: float) -> None:
        super().__init__(params, lr)
        self.param_groups[0]["noise"] = float(torch.rand(()))

    def step(self, closure: Any = None) -> Any:
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter.grad += group["noise"] * torch.randn_like(parameter)
        return super().step(closure)


class Slowing(torch.optim.SGD):
    """Halves its own stepsize in every step, after it wrote it down."""

    def step(self, closure: Any = None) -> Any:
        result = super().step(closure)
        for group in self.param_groups:
            group["lr"] *= 0.5
        return result


class Interpolating(torch.optim.Optimizer):
    """SGD on z; trained at y = (x + z) / 2, evaluated at x, the mean of all z: Schedule-Free's form."""

    def __init__(self, params: Any, lr: float) -> None:
        super().__init__(params, {"lr": lr, "k": 0, "training": False})

    def _move(self, training: bool, weight: float) -> None:
        for group in self.param_groups:
            if group["training"] != training:
                group["training"] = training
                for p in group["params"]:
                    if p in self.state:
                        p.lerp_(self.state[p]["z"], weight)

    @torch.no_grad()
    def train(self) -> None:
        self._move(True, 0.5)  # y = x + (z - x) / 2

    @torch.no_grad()
    def eval(self) -> None:
        self._move(False, -1.0)  # x = y - (z - y)

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:
        for group in self.param_groups:
            if not group["training"]:
                raise RuntimeError("not in train mode")
            group["k"] += 1
            for p in group["params"]:
                z = self.state[p].setdefault("z", p.clone())
                x = 2.0 * p - z
                z.sub_(p.grad, alpha=group["lr"])
                x.lerp_(z, 1.0 / group["k"])
                p.copy_((x + z) / 2.0)


def foreign(trial: Compose, name: str, *words: str) -> Trial:
    target = name if "." in name else f"{__name__}.{name}"
    return trial("task=logreg", "optimizer=torch", f"optimizer.target={target}", *words)


def test_a_first_step_that_fails_is_told_and_leaves_nothing(
    trial: Compose, run: Run, watch: Silent
) -> None:
    sparse = foreign(trial, "torch.optim.SparseAdam")
    told = (
        r"target=torch.optim.SparseAdam: its step 1 failed with lr=0.001: .* dense .*adam.py, line"
    )
    with pytest.raises(TrialFailedError, match=told):
        execute([sparse], run, watch)
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
    with pytest.raises(UserError, match=r"step 9 failed .*ZeroDivisionError: nothing is remem"):
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


def test_one_that_cannot_bear_divergence_has_diverged(
    trial: Compose, run: Run, watch: Silent
) -> None:
    wild, tame = (foreign(trial, "Brittle", f"optimizer.lr={lr}") for lr in (1e38, 0.1))
    assert execute([wild, tame], run, watch) == {
        wild.identity: "diverged",
        tame.identity: "finished",
    }
    execute([tame], elsewhere(run, "alone"), watch)
    assert rows(tame, run) == rows(tame, elsewhere(run, "alone"))
    plain = foreign(trial, "torch.optim.SGD", "optimizer.lr=1e38")
    execute([plain], run, watch)
    assert len(pd.read_csv(TrialFolder(wild, run.results_dir).metrics)) == len(
        pd.read_csv(TrialFolder(plain, run.results_dir).metrics)
    )


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


@pytest.mark.parametrize("name", ["Noisy", "Interpolating"])
def test_draws_and_modes_are_the_same_again_and_after_a_restart(
    trial: Compose, run: Run, watch: Silent, name: str
) -> None:
    one, other = (foreign(trial, name, f"seed={seed}") for seed in (0, 1))
    execute([one, other], elsewhere(run, "whole"), watch)
    torch.manual_seed(99)
    with pytest.raises(Killed):
        execute([one], run, KillAfter(11))  # in the second epoch
    torch.manual_seed(7)
    assert execute([one], run, watch) == {one.identity: "finished"}
    assert rows(one, run) == rows(one, elsewhere(run, "whole"))
    assert rows(one, run) != rows(other, elsewhere(run, "whole"))


def test_what_is_evaluated_are_the_parameters_of_eval(
    trial: Compose, run: Run, watch: Silent
) -> None:
    """One step of the averaged SGD is one of SGD; after that the mean of z is evaluated."""
    words = ("task.epoch_examples=64", "task.init=zeros", "optimizer.lr=1e-3")
    averaged, plain = (foreign(trial, n, *words) for n in ("Interpolating", "torch.optim.SGD"))
    execute([averaged, plain], run, watch)
    mine, theirs = (
        pd.read_csv(TrialFolder(one, run.results_dir).metrics) for one in (averaged, plain)
    )
    assert mine["test_cost"][0] == pytest.approx(theirs["test_cost"][0], rel=1e-6)
    assert mine["train_cost"][1] == pytest.approx(theirs["train_cost"][1], rel=1e-6)
    assert mine["test_cost"][2] > theirs["test_cost"][2] + 1e-4  # the mean lags behind


def test_a_stepsize_that_an_optimizer_adapts_is_left_to_it(
    trial: Compose, run: Run, watch: Silent
) -> None:
    """With lr 1/2 + 1/4 + … it hardly moves after a few steps; a schedule sets it at every step."""
    adapts = foreign(trial, "Slowing", "schedule=constant", "optimizer.lr=0.1")
    set_anew = foreign(trial, "Slowing", "schedule=inv_sqrt_iteration", "optimizer.lr=0.1")
    execute([adapts, set_anew], run, watch)
    own, other = (
        pd.read_csv(TrialFolder(one, run.results_dir).metrics)["test_cost"]
        for one in (adapts, set_anew)
    )
    assert own[2] == pytest.approx(own[1], abs=1e-5)
    assert other[2] < other[1] - 1e-2


class Outside(torch.optim.SGD):
    """Counts its steps where no state_dict looks; ``kept`` are the parameters, ``fixed`` never moves."""

    def __init__(self, params: Any, lr: float) -> None:
        super().__init__(params, lr)
        self.kept = [p for group in self.param_groups for p in group["params"]]
        self.fixed = {"a": torch.ones(2)}
        self.memory = [torch.zeros_like(p) for p in self.kept]

    def step(self, closure: Any = None) -> Any:
        for m, p in zip(self.memory, self.kept, strict=True):
            m.add_(p.grad)
        return super().step(closure)


class Inner(torch.optim.SGD):
    """Hands its steps to an optimizer of its own, with a memory."""

    def __init__(self, params: Any, lr: float) -> None:
        super().__init__(params, lr)
        self.inner = torch.optim.SGD(self.param_groups[0]["params"], lr, momentum=0.9)

    def step(self, closure: Any = None) -> Any:
        return self.inner.step(closure)


class Diced(torch.optim.SGD):
    """Draws from a generator of its own."""

    def __init__(self, params: Any, lr: float) -> None:
        super().__init__(params, lr)
        self.dice = torch.Generator().manual_seed(5)

    def step(self, closure: Any = None) -> Any:
        for parameter in self.param_groups[0]["params"]:
            parameter.grad += torch.randn(parameter.shape, generator=self.dice)
        return super().step(closure)


class Late(torch.optim.SGD):
    """Begins to count in its second epoch, in an object that refers back to it."""

    def __init__(self, params: Any, lr: float) -> None:
        super().__init__(params, lr)
        self.clock = SimpleNamespace(owner=self, late=0)

    def step(self, closure: Any = None) -> Any:
        (group,) = self.param_groups
        group["k"] = group.get("k", 0) + 1
        self.clock.late += group["k"] > 12
        return super().step(closure)


@pytest.mark.parametrize(
    ("name", "part"),
    [("Outside", "memory"), ("Inner", "inner"), ("Diced", "dice"), ("Late", "clock")],
)
def test_a_state_outside_of_the_state_dict_is_told_and_begun_again(
    trial: Compose, run: Run, watch: Silent, name: str, part: str
) -> None:
    one = foreign(trial, name)
    told = rf"target={__name__}.{name}: {part} changes and is not in its state_dict\(\)"
    with pytest.warns(RuntimeWarning, match=told):
        execute([one], elsewhere(run, "whole"), watch)
    with pytest.warns(RuntimeWarning, match=told), pytest.raises(Killed):
        execute([one], run, KillAfter(20))  # in the third epoch
    assert not TrialFolder(one, run.results_dir).checkpoint.exists()
    with pytest.warns(RuntimeWarning, match=told):
        execute([one], run, watch)
    assert rows(one, run) == rows(one, elsewhere(run, "whole"))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", ["NAdam", "RAdam", "Rprop", "ASGD", "Adafactor", "Adamax"])
def test_pytorchs_own_keep_nothing_outside(
    trial: Compose, run: Run, watch: Silent, name: str
) -> None:
    one = foreign(trial, f"torch.optim.{name}")
    with pytest.raises(Killed):
        execute([one], run, KillAfter(9))
    assert TrialFolder(one, run.results_dir).checkpoint.exists()


SOURCE = """
import torch

class Mine(torch.optim.SGD):
    factor = {factor}

    def step(self, closure=None):
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter.grad *= self.factor
        return super().step(closure)
"""


def test_that_an_optimizers_file_has_changed_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trial: Compose, run: Run
) -> None:
    """The trials keep the rows they have: the change may be a comment, or a mended mistake."""
    monkeypatch.syspath_prepend(tmp_path)
    file = tmp_path / "changing.py"
    file.write_text(SOURCE.format(factor=1.0))
    trials = [foreign(trial, "changing.Mine", f"optimizer.lr={lr}") for lr in (0.1, 0.2)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        train_all(trials, run)
        train_all(trials, run)
    before = rows(trials[0], run)
    file.write_text(SOURCE.format(factor=10.0))
    with pytest.warns(
        RuntimeWarning, match=r"changing.py has changed since .* and 1 more was"
    ) as told:
        train_all(trials, run)
    assert len(told) == 1
    assert rows(trials[0], run) == before
    begun = foreign(trial, "changing.Mine", "optimizer.lr=0.3")
    with pytest.raises(Killed):
        execute([begun], run, KillAfter(9))  # in the second epoch
    file.write_text(SOURCE.format(factor=2.0))
    for _ in range(2):  # its rows are of two versions, also when they are whole
        with pytest.warns(RuntimeWarning, match="changing.py has changed since"):
            execute([begun], run, Silent())
    assert len(TrialFolder(begun, run.results_dir).provenance()["optimizer_source"].split()) == 2


class Strict(torch.optim.SGD):
    """Has a train() that wants more than it is told."""

    def train(self, mode: bool) -> None:
        raise AssertionError


def test_a_mode_that_cannot_be_set_fails_that_trial_alone(trial: Compose, run: Run) -> None:
    strict, good = foreign(trial, "Strict"), foreign(trial, "torch.optim.SGD")
    with pytest.raises(
        TrialFailedError, match=r"Strict: train\(\) failed with lr=0.001: TypeError"
    ):
        train_all([strict, good], run)
    assert TrialFolder(good, run.results_dir).status() == "finished"


class Listening(torch.optim.SGD):
    """Writes down what it draws."""

    heard: ClassVar[list[float]] = []

    def step(self, closure: Any = None) -> Any:
        self.heard.append(float(torch.rand(())))
        return super().step(closure)


def test_every_epoch_has_draws_of_its_own(trial: Compose, run: Run, watch: Silent) -> None:
    execute([foreign(trial, "Listening")], run, watch)
    assert len(set(Listening.heard)) == len(Listening.heard) == 24
