"""What trials of optimizers by import path keep in a checkpoint, and of whose code they are."""

from __future__ import annotations

import itertools
import warnings
from collections import deque
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from adam_repro.config.trial import Run, Trial
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
    """Keeps its momentum where no state_dict looks."""

    def __init__(self, params: Any, lr: float) -> None:
        super().__init__(params, lr)
        self.memory = [torch.zeros_like(p) for p in self.param_groups[0]["params"]]

    def step(self, closure: Any = None) -> Any:
        for m, p in zip(self.memory, self.param_groups[0]["params"], strict=True):
            p.grad = m.add_(p.grad).clone()
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


class Narrow(torch.optim.SGD):
    """Has a momentum in double precision, which load_state_dict casts to that of the parameter."""

    def step(self, closure: Any = None) -> Any:
        for p in self.param_groups[0]["params"]:
            m = self.state[p].setdefault("m", torch.zeros_like(p, dtype=torch.float64))
            p.grad = m.mul_(0.9).add_(p.grad).float()
        return super().step(closure)


class Sharing(torch.optim.SGD):
    """Keeps a view of each parameter, which a checkpoint makes a copy of."""

    def step(self, closure: Any = None) -> Any:
        for p in self.param_groups[0]["params"]:
            view = self.state[p].setdefault("view", p.detach())
            p.grad.add_(view, alpha=0.1)
        return super().step(closure)


class Slotted(torch.optim.SGD):
    """Counts its steps in a slot."""

    __slots__ = ("count",)

    def __init__(self, params: Any, lr: float) -> None:
        super().__init__(params, lr)
        self.count = 0

    def step(self, closure: Any = None) -> Any:
        self.count += 1
        return scaled(self, 1.0 / self.count, closure)


class OfTheClass(torch.optim.SGD):
    """Counts the steps of all of its kind."""

    count = 0

    def step(self, closure: Any = None) -> Any:
        OfTheClass.count += 1
        return scaled(self, 1.0 / self.count, closure)


counts = {"OfTheModule": 0}


class OfTheModule(torch.optim.SGD):
    """Counts its steps in its module."""

    def step(self, closure: Any = None) -> Any:
        counts["OfTheModule"] += 1
        return scaled(self, 1.0 / counts["OfTheModule"], closure)


def _counting() -> Any:
    count = itertools.count(1)
    return lambda optimizer, closure: scaled(optimizer, 1.0 / next(count), closure)


class OfAClosure(torch.optim.SGD):
    """Counts its steps in a function's closure."""

    counting = staticmethod(_counting())

    def step(self, closure: Any = None) -> Any:
        return self.counting(self, closure)


class OfTheParameter(torch.optim.SGD):
    """Counts its steps in an attribute of each parameter."""

    def step(self, closure: Any = None) -> Any:
        for p in self.param_groups[0]["params"]:
            p.count = getattr(p, "count", 0) + 1
            p.grad = p.grad / p.count
        return super().step(closure)


class Unloadable(torch.optim.SGD):
    """Writes what it cannot read."""

    def load_state_dict(self, state_dict: Any) -> None:
        raise KeyError("moments")


class Unsaving(torch.optim.SGD):
    """Has a state that it cannot give."""

    def state_dict(self) -> Any:
        raise LookupError("no parameter 3")


class Harmless(torch.optim.SGD):
    """Changes attributes that no step reads, and one that its own state_dict holds."""

    def __init__(self, params: Any, lr: float) -> None:
        super().__init__(params, lr)
        self.k = self.seen = 0
        self.cache: dict[int, Any] = {}
        self.owner = SimpleNamespace(back=self)

    def state_dict(self) -> Any:
        return {**super().state_dict(), "k": self.k}

    def load_state_dict(self, state_dict: Any) -> None:
        self.k = state_dict.pop("k")
        super().load_state_dict(state_dict)

    def step(self, closure: Any = None) -> Any:
        self.seen += 1
        self.k += 1
        self.cache[self.seen] = self.param_groups
        return scaled(self, 1.0 / self.k, closure)


def scaled(optimizer: Any, factor: float, closure: Any) -> Any:
    for p in optimizer.param_groups[0]["params"]:
        p.grad = p.grad * factor
    return torch.optim.SGD.step(optimizer, closure)


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


def assert_goes_on(one: Trial, run: Run) -> None:
    """Killed in its third epoch, a trial goes on from its checkpoint and ends with the same bytes."""
    execute([one], elsewhere(run, "whole"))
    with pytest.raises(Killed):
        execute([one], run, [KillAfter(20)])  # in the third epoch
    again = CountingCallback()
    execute([one], run, [again])
    assert len(again.epochs) < one.epochs
    assert metrics_bytes(one, run) == metrics_bytes(one, elsewhere(run, "whole"))


@pytest.mark.slow
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


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("Outside", "memory"),
        ("Inner", "inner"),
        ("Diced", "dice"),
        ("Narrow", r"state\['m'\]"),
        ("Sharing", "another step"),
        ("Slotted", "count"),
        ("OfTheParameter", "another step"),
        ("Unloadable", r"its load_state_dict\(\) fails \(KeyError: 'moments'\)"),
        ("Unsaving", r"its state_dict\(\) fails \(LookupError: no parameter 3\)"),
    ],
)
def test_a_checkpoint_that_leads_elsewhere_is_told_and_begun_again(
    trial: Compose, run: Run, name: str, part: str
) -> None:
    one = foreign(trial, name, "optimizer.lr=0.1")
    told = rf"target={__name__}.{name}: .*{part}.*no checkpoint is kept"
    with pytest.warns(RuntimeWarning, match=told):
        execute([one], elsewhere(run, "whole"))
    with pytest.warns(RuntimeWarning, match=told), pytest.raises(Killed):
        execute([one], run, [KillAfter(20)])  # in the third epoch
    assert not TrialFolder(one, run.results_dir).checkpoint.exists()
    again = CountingCallback()
    with pytest.warns(RuntimeWarning, match=told):
        execute([one], run, [again])
    assert len(again.epochs) == one.epochs
    assert metrics_bytes(one, run) == metrics_bytes(one, elsewhere(run, "whole"))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["OfTheClass", "OfTheModule", "OfAClosure"])
def test_what_a_new_process_would_not_know_is_found(trial: Compose, run: Run, name: str) -> None:
    one = foreign(trial, name)
    with pytest.warns(RuntimeWarning, match=f"{name}: from its checkpoint it takes another step"):
        execute([one], run)


@pytest.mark.filterwarnings("error")
def test_attributes_that_change_no_step_do_not_keep_a_trial_from_its_checkpoint(
    trial: Compose, run: Run
) -> None:
    one = foreign(trial, "Harmless", "optimizer.lr=0.1")
    assert_goes_on(one, run)


def test_a_checkpoint_that_was_not_tried_yet_is_not_gone_on_from(trial: Compose, run: Run) -> None:
    one = foreign(trial, "torch.optim.NAdam")
    with pytest.raises(Killed):
        execute([one], run, [KillAfter(9)])  # in the second epoch, before its steps are compared
    again = CountingCallback()
    execute([one], run, [again])
    assert len(again.epochs) == one.epochs


@pytest.mark.slow
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
        execute([begun], run, [KillAfter(17)])  # in the third epoch
    file.write_text(SOURCE.format(factor=2.0))
    for was in ("begun; its rows stay, and it goes on", "trained; the old rows stay"):
        with pytest.warns(RuntimeWarning, match=rf"changing.py has changed since \S+ was {was}"):
            execute([begun], run, [CountingCallback()])  # its rows are of two versions
    assert len(TrialFolder(begun, run.results_dir).provenance()["optimizer_source"].split()) == 2


class Young(torch.optim.SGD):
    """Has no state to give before its first step."""

    ready = False

    def state_dict(self) -> Any:
        if not self.ready:
            raise LookupError("nothing yet")
        return super().state_dict()

    def step(self, closure: Any = None) -> Any:
        self.ready = True
        return super().step(closure)


@pytest.mark.slow
@pytest.mark.filterwarnings("error")
def test_one_without_a_state_before_its_first_step_goes_on_too(trial: Compose, run: Run) -> None:
    one = foreign(trial, "Young")
    assert_goes_on(one, run)
