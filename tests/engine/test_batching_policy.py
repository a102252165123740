"""How a stack is executed, and what happens when it does not fit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import nn

from adam_repro.config.trial import Run
from adam_repro.engine import batching_policy
from adam_repro.engine.protocol import TrialStack
from adam_repro.engine.trial_groups import BatchedTrials
from adam_repro.errors import UserError
from adam_repro.runs.execute import execute
from adam_repro.runs.folder import TrialFolder
from adam_repro.tasks import build
from tests.helpers import Compose, CountingCallback, elsewhere, metrics_bytes

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("device", "model", "trials", "expected"),
    [
        (CPU, nn.Linear(784, 10), 16, True),
        (CPU, nn.Linear(784, 10), 1, True),
        (CPU, nn.Linear(1000, 1796), 16, False),
        (CUDA, nn.Linear(1000, 1796), 16, True),
        (CUDA, nn.Conv2d(3, 64, 5), 16, False),
        (CPU, nn.LSTM(4, 4), 16, False),
        (CUDA, nn.Sequential(nn.GRU(4, 4)), 16, False),
    ],
)
def test_auto_goes_by_measurement(
    trial: Compose, device: torch.device, model: nn.Module, trials: int, expected: bool
) -> None:
    stack = [trial("task=logreg", f"seed={i}") for i in range(trials)]
    task = build(stack[0].task)
    assert batching_policy.batched(stack, "auto", device, task, model) is expected
    assert batching_policy.batched(stack, "looped", device, task, model) is False
    assert batching_policy.batched(stack, "batched", device, task, model) is True


def test_a_model_without_stacked_form_refuses_it(
    trial: Compose, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack = [trial("task=logreg")]
    task = build(stack[0].task)
    monkeypatch.setattr(type(task), "batchable", False)
    with pytest.raises(UserError, match=r"engine=batched: the model of task=logreg has no stacked"):
        batching_policy.batched(stack, "batched", CPU, task, nn.Linear(784, 10))


def test_memory_bounds_the_length_of_a_stack(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batching_policy, "available_bytes", lambda device: 10**9)
    assert batching_policy.max_stack_size(10**6, 10**5, CPU) == 700_000_000 // 24_500_000
    assert batching_policy.max_stack_size(10**9, 10**5, CPU) == 1
    monkeypatch.setattr(batching_policy, "available_bytes", lambda device: None)
    assert batching_policy.max_stack_size(10**9, 10**5, CPU) > 10**6


class Lengths(CountingCallback):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[int] = []

    def on_stack_start(self, stack: TrialStack, epochs: int) -> None:
        self.found.append(len(stack.trials))


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["batched", "looped"])
def test_a_stack_too_long_for_the_memory_is_trained_in_parts_to_the_same_curves(
    trial: Compose, run: Run, monkeypatch: pytest.MonkeyPatch, engine: str
) -> None:
    stack = [trial("task=logreg", "optimizer=adam", f"optimizer.lr={lr}") for lr in (1, 2, 3, 4, 5)]
    whole = elsewhere(run, "whole", engine=engine)
    execute(stack, whole)
    monkeypatch.setattr("adam_repro.engine.stack.max_stack_size", lambda *_: 2)
    parts = elsewhere(run, "parts", engine=engine)
    lengths = Lengths()
    execute(stack, parts, [lengths])
    assert sorted(lengths.found) == [1, 2, 2]
    for one in stack:
        assert metrics_bytes(one, whole) == metrics_bytes(one, parts)


@pytest.mark.slow
def test_a_stack_that_runs_out_of_memory_is_halved_without_losing_a_step(
    trial: Compose, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack = [trial("task=logreg", "optimizer=adam", f"optimizer.lr={lr}") for lr in (1, 2, 3, 4, 5)]
    free, tight = (
        elsewhere(run, "free", engine="batched"),
        elsewhere(run, "tight", engine="batched"),
    )
    execute(stack, free)
    step = BatchedTrials.step

    def limited(self: BatchedTrials, *arguments: Any) -> Any:
        if len(self.trials) > 2 and arguments[3] == 10:  # in the middle of the second epoch
            raise torch.OutOfMemoryError("CUDA out of memory")
        return step(self, *arguments)

    monkeypatch.setattr(BatchedTrials, "step", limited)
    assert set(execute(stack, tight).values()) == {"finished"}
    for one in stack:
        assert metrics_bytes(one, free) == metrics_bytes(one, tight)


def out_at_save(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory runs out while checkpoint ``number``, from 1, is being made; the others are written."""
    save, made = TrialFolder.save, iter(range(1, 1000))

    def limited(self: TrialFolder, state: Mapping[str, Any]) -> None:
        if next(made) == number:
            raise torch.OutOfMemoryError("CUDA out of memory")
        save(self, state)

    monkeypatch.setattr(TrialFolder, "save", limited)


def test_memory_that_runs_out_between_checkpoints_leaves_every_trial_its_curve(
    trial: Compose, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack = [trial("task=logreg", "optimizer=adam", f"optimizer.lr={lr}") for lr in (1, 2, 3)]
    free, tight = elsewhere(run, "free"), elsewhere(run, "tight")
    execute(stack, free)
    out_at_save(5, monkeypatch)  # the first trial has its second checkpoint, the others their first
    assert set(execute(stack, tight).values()) == {"finished"}
    for one in stack:
        assert metrics_bytes(one, free) == metrics_bytes(one, tight)


def test_a_trial_that_diverged_before_memory_ran_out_is_left_alone(
    trial: Compose, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack = [trial("task=logreg", "optimizer=sgd", f"optimizer.lr={lr}") for lr in (1, 1e38, 2)]
    free, tight = elsewhere(run, "free"), elsewhere(run, "tight")
    wanted = execute(stack, free)
    assert sorted(wanted.values()) == ["diverged", "finished", "finished"]
    out_at_save(4, monkeypatch)
    assert execute(stack, tight) == wanted
    for one in stack:
        assert metrics_bytes(one, free) == metrics_bytes(one, tight)


def test_one_trial_that_does_not_fit_is_told(
    trial: Compose, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: BatchedTrials, *arguments: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(BatchedTrials, "step", full)
    one = trial("task=logreg")
    with pytest.raises(UserError, match="not enough memory for one trial of task=logreg"):
        execute([one], elsewhere(run, "full", engine="batched"))
