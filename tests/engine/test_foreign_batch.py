"""Optimizers by import path in a stack: gradients of all trials at once, and each trial's curve as alone."""

from __future__ import annotations

import random
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from adam_repro.config.trial import Run, Trial
from adam_repro.engine.torch_optimizer.batch import ForeignBatch
from adam_repro.errors import TrialFailedError, UserError
from adam_repro.runs.execute import execute
from adam_repro.runs.folder import TrialFolder
from adam_repro.sweep import grouping, train_all
from tests.helpers import Compose, KillAfter, Killed, elsewhere, foreign_trial, metrics_bytes

RATES = (0.01, 0.03, 0.1)
foreign = partial(foreign_trial, __name__)


class Drawing(torch.optim.SGD):
    """Draws from all three global generators, at some stepsizes only."""

    def step(self, closure: Any = None) -> Any:
        group = self.param_groups[0]
        if group["lr"] != RATES[1]:
            for p in group["params"]:
                draw = random.random() + float(np.random.rand())
                p.grad += 0.01 * draw * torch.randn(p.shape)
        return super().step(closure)


class Counting(torch.optim.SGD):
    """Counts the steps of all its objects, and steps by the count."""

    count = 0

    def step(self, closure: Any = None) -> Any:
        Counting.count += 1
        for p in self.param_groups[0]["params"]:
            p.grad *= 1 + Counting.count % 7
        return super().step(closure)


class Fragile(torch.optim.SGD):
    """Fails in its 12th step at the largest stepsize."""

    def step(self, closure: Any = None) -> Any:
        state = self.state[self.param_groups[0]["params"][0]]
        state["n"] = state.get("n", 0) + 1
        if self.param_groups[0]["lr"] == RATES[-1] and state["n"] == 12:
            raise ValueError("no further")
        return super().step(closure)


def stack_of(trial: Compose, target: str, *words: str) -> list[Trial]:
    words = ("task=logreg", "epochs=2", *words)
    return [
        trial("optimizer=torch", f"optimizer.target={target}", f"optimizer.lr={lr}", *words)
        for lr in RATES
    ]


def own(name: str) -> str:
    return f"{__name__}.{name}"


def curve(trial: Trial, run: Run) -> pd.DataFrame:
    return pd.read_csv(TrialFolder(trial, run.results_dir).metrics)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("torch.optim.Adam", ()),
        (
            "torch.optim.SGD",
            ("+optimizer.kwargs.momentum=0.9", "clip_norm=0.5", "schedule=inv_sqrt_iteration"),
        ),
        ("torch.optim.LBFGS", ("+optimizer.kwargs.max_iter=2", "task.l2=1e-3")),
        (own("Drawing"), ()),
    ],
)
def test_a_trial_is_as_alone(
    trial: Compose, run: Run, monkeypatch: pytest.MonkeyPatch, target: str, words: tuple[str, ...]
) -> None:
    """Bit for bit as alone in a batch; to rounding as in a loop."""
    lengths = []
    begin = ForeignBatch.start_epoch

    def start_epoch(batch: ForeignBatch, rows: int) -> None:
        lengths.append(len(batch.trials))
        begin(batch, rows)

    monkeypatch.setattr(ForeignBatch, "start_epoch", start_epoch)
    stack = stack_of(trial, target, *words)
    together = elsewhere(run, "together", engine="auto")
    assert set(execute(stack, together).values()) == {"finished"}
    assert lengths == [len(RATES)] * 2
    one = stack[-1]
    alone, looped = (
        elsewhere(run, "alone", engine="auto"),
        elsewhere(run, "looped", engine="looped"),
    )
    for apart in (alone, looped):
        execute([one], apart)
    assert metrics_bytes(one, together) == metrics_bytes(one, alone)
    pd.testing.assert_frame_equal(curve(one, together), curve(one, looped), rtol=1e-3)
    assert len({curve(each, together)["train_cost"].iloc[-1] for each in stack}) == len(RATES)


@pytest.mark.slow
def test_a_killed_stack_goes_on_to_the_same_bytes(trial: Compose, run: Run) -> None:
    stack = stack_of(trial, own("Drawing"), "epochs=3")
    whole, broken = (elsewhere(run, name, engine="auto") for name in ("whole", "broken"))
    execute(stack, whole)
    with pytest.raises(Killed):
        execute(stack, broken, [KillAfter(2)])
    assert set(execute(stack, broken).values()) == {"finished"}
    for one in stack:
        assert metrics_bytes(one, whole) == metrics_bytes(one, broken)


@pytest.mark.slow
def test_code_that_would_mix_the_trials_trains_them_apart(trial: Compose, run: Run) -> None:
    stack = stack_of(trial, own("Counting"), "epochs=1")
    Counting.count = 0
    execute(stack[:1], alone := elsewhere(run, "alone", engine="auto"))
    Counting.count = 0
    execute(stack, together := elsewhere(run, "together", engine="auto"))
    for one in stack:
        assert TrialFolder(one, together.results_dir).status() == "finished"
    difference = curve(stack[0], together)["train_cost"] / curve(stack[0], alone)["train_cost"]
    assert abs(difference.item() - 1) < 0.01  # the count went on from what was tried before


@pytest.mark.slow
def test_one_that_fails_does_not_stop_the_others(trial: Compose, run: Run) -> None:
    run = elsewhere(run, "failing", engine="auto")
    stack = stack_of(trial, own("Fragile"))
    with pytest.raises(TrialFailedError, match=r"its step 12 failed .* no further") as failure:
        train_all(stack, run)
    assert "more" not in str(failure.value)
    statuses = [TrialFolder(one, run.results_dir).status() for one in stack]
    assert statuses == ["finished", "finished", "failed"]


def test_trials_of_one_target_are_a_stack(trial: Compose) -> None:
    adam, sgd = stack_of(trial, "torch.optim.Adam"), stack_of(trial, "torch.optim.SGD")
    ours = [trial("task=logreg", "epochs=2", "optimizer=adam")]
    twice = stack_of(trial, "torch.optim.Adam", "optimizer.create_graph=true")
    found = grouping.group([*adam, *ours, *sgd, *twice])
    assert sorted(len(stack) for stack in found) == [1, 3, 3, 3]


def test_a_second_derivative_has_no_stacked_form(trial: Compose, run: Run) -> None:
    stack = stack_of(trial, "torch.optim.Adam", "optimizer.create_graph=true")
    with pytest.raises(UserError, match=r"engine=batched: torch.optim.Adam has no stacked form"):
        execute(stack, elsewhere(run, "refused", engine="batched"))
