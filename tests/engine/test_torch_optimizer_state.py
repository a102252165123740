"""What trials of optimizers by import path keep in a checkpoint, and of whose code they are."""

from __future__ import annotations

import warnings
from collections import deque
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from adam_repro.config.trial import Run
from adam_repro.runs.execute import execute
from adam_repro.runs.folder import TrialFolder
from adam_repro.sweep import train_all
from tests.helpers import (
    Compose,
    CountingCallback,
    KillAfter,
    Killed,
    elsewhere,
    foreign_trial,
    metrics_bytes,
)

foreign = partial(foreign_trial, __name__)


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


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("Rambling", r"state_dict\(\)\['state'\]\[0\]\['last'\], a collections.deque"),
        ("Secretive", r"state_dict\(\)\['param_groups'\]\[0\]\['rule'\], a builtins.function"),
    ],
)
def test_a_state_that_cannot_be_read_back_is_told_and_begun_again(
    trial: Compose, run: Run, name: str, part: str
) -> None:
    one = foreign(trial, name)
    with pytest.warns(RuntimeWarning, match=rf"target={__name__}.{name}: .*{part}") as told:
        execute([one], elsewhere(run, "whole"))
    assert len(told) == 1
    with pytest.warns(RuntimeWarning, match="loses its epochs"), pytest.raises(Killed):
        execute([one], run, [KillAfter(20)])  # in the third epoch
    assert not TrialFolder(one, run.results_dir).checkpoint.exists()
    again = CountingCallback()
    with pytest.warns(RuntimeWarning):
        assert execute([one], run, [again]) == {one.identity: "finished"}
    assert len(again.epochs) == one.epochs
    assert metrics_bytes(one, run) == metrics_bytes(one, elsewhere(run, "whole"))


@pytest.mark.filterwarnings("error")
def test_of_a_state_that_can_be_read_back_nothing_is_said(trial: Compose, run: Run) -> None:
    one = foreign(trial, "torch.optim.NAdam")
    with pytest.raises(Killed):
        execute([one], run, [KillAfter(9)])
    assert TrialFolder(one, run.results_dir).checkpoint.exists()


@pytest.mark.parametrize(
    ("name", "part"),
    [("Outside", "memory"), ("Inner", "inner"), ("Diced", "dice"), ("Late", "clock")],
)
def test_a_state_outside_of_the_state_dict_is_told_and_begun_again(
    trial: Compose, run: Run, name: str, part: str
) -> None:
    one = foreign(trial, name)
    told = rf"target={__name__}.{name}: {part} changes and is not in its state_dict\(\)"
    with pytest.warns(RuntimeWarning, match=told):
        execute([one], elsewhere(run, "whole"))
    with pytest.warns(RuntimeWarning, match=told), pytest.raises(Killed):
        execute([one], run, [KillAfter(20)])  # in the third epoch
    assert not TrialFolder(one, run.results_dir).checkpoint.exists()
    with pytest.warns(RuntimeWarning, match=told):
        execute([one], run)
    assert metrics_bytes(one, run) == metrics_bytes(one, elsewhere(run, "whole"))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", ["NAdam", "RAdam", "Rprop", "ASGD", "Adafactor", "Adamax"])
def test_pytorchs_own_keep_nothing_outside(trial: Compose, run: Run, name: str) -> None:
    one = foreign(trial, f"torch.optim.{name}")
    with pytest.raises(Killed):
        execute([one], run, [KillAfter(9)])
    assert TrialFolder(one, run.results_dir).checkpoint.exists()


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
    before = metrics_bytes(trials[0], run)
    file.write_text(SOURCE.format(factor=10.0))
    with pytest.warns(
        RuntimeWarning, match=r"changing.py has changed since .* and 1 more was"
    ) as told:
        train_all(trials, run)
    assert len(told) == 1
    assert metrics_bytes(trials[0], run) == before
    begun = foreign(trial, "changing.Mine", "optimizer.lr=0.3")
    with pytest.raises(Killed):
        execute([begun], run, [KillAfter(9)])  # in the second epoch
    file.write_text(SOURCE.format(factor=2.0))
    for _ in range(2):  # its rows are of two versions, also when they are whole
        with pytest.warns(RuntimeWarning, match="changing.py has changed since"):
            execute([begun], run, [CountingCallback()])
    assert len(TrialFolder(begun, run.results_dir).provenance()["optimizer_source"].split()) == 2
