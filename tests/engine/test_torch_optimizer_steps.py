"""Draws, modes and stepsizes of optimizers by import path."""

from __future__ import annotations

from functools import partial
from typing import Any, ClassVar

import pandas as pd
import pytest
import torch

from adam_repro.config.trial import Run
from adam_repro.runs.execute import execute
from adam_repro.runs.folder import TrialFolder
from tests.helpers import (
    Compose,
    KillAfter,
    Killed,
    elsewhere,
    foreign_trial,
    metrics_bytes,
)

foreign = partial(foreign_trial, __name__)


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


class Listening(torch.optim.SGD):
    """Writes down what it draws."""

    heard: ClassVar[list[float]] = []

    def step(self, closure: Any = None) -> Any:
        self.heard.append(float(torch.rand(())))
        return super().step(closure)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["Noisy", "Interpolating"])
def test_draws_and_modes_are_the_same_again_and_after_a_restart(
    trial: Compose, run: Run, name: str
) -> None:
    one, other = (foreign(trial, name, f"seed={seed}") for seed in (0, 1))
    execute([one, other], elsewhere(run, "whole"))
    torch.manual_seed(99)
    with pytest.raises(Killed):
        execute([one], run, [KillAfter(11)])  # in the second epoch
    torch.manual_seed(7)
    assert execute([one], run) == {one.identity: "finished"}
    assert metrics_bytes(one, run) == metrics_bytes(one, elsewhere(run, "whole"))
    assert metrics_bytes(one, run) != metrics_bytes(other, elsewhere(run, "whole"))


def test_every_epoch_has_draws_of_its_own(trial: Compose, run: Run) -> None:
    execute([foreign(trial, "Listening")], run)
    assert len(set(Listening.heard)) == len(Listening.heard) == 24


def test_what_is_evaluated_are_the_parameters_of_eval(trial: Compose, run: Run) -> None:
    """One step of the averaged SGD is one of SGD; after that the mean of z is evaluated."""
    words = ("task.epoch_examples=64", "task.init=zeros", "optimizer.lr=1e-3")
    averaged, plain = (foreign(trial, n, *words) for n in ("Interpolating", "torch.optim.SGD"))
    execute([averaged, plain], run)
    mine, theirs = (
        pd.read_csv(TrialFolder(one, run.results_dir).metrics) for one in (averaged, plain)
    )
    assert mine["test_cost"][0] == pytest.approx(theirs["test_cost"][0], rel=1e-6)
    assert mine["train_cost"][1] == pytest.approx(theirs["train_cost"][1], rel=1e-6)
    assert mine["test_cost"][2] > theirs["test_cost"][2] + 1e-4  # the mean lags behind


def test_a_stepsize_that_an_optimizer_adapts_is_left_to_it(trial: Compose, run: Run) -> None:
    """With lr 1/2 + 1/4 + … it hardly moves after a few steps; a schedule sets it at every step."""
    adapts = foreign(trial, "Slowing", "schedule=constant", "optimizer.lr=0.1")
    set_anew = foreign(trial, "Slowing", "schedule=inv_sqrt_iteration", "optimizer.lr=0.1")
    execute([adapts, set_anew], run)
    own, other = (
        pd.read_csv(TrialFolder(one, run.results_dir).metrics)["test_cost"]
        for one in (adapts, set_anew)
    )
    assert own[2] == pytest.approx(own[1], abs=1e-5)
    assert other[2] < other[1] - 1e-2
