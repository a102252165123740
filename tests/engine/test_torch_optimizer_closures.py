"""Steps that evaluate again or differentiate twice, and parameters that an optimizer lays elsewhere."""

from __future__ import annotations

import random
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

from adam_repro.config import compose
from adam_repro.config.trial import Run, Trial
from adam_repro.errors import TrialFailedError, UserError
from adam_repro.figures.plan import GENERATED
from adam_repro.runs.execute import execute
from adam_repro.runs.folder import TrialFolder
from tests.helpers import Compose, KillAfter, Killed, elsewhere, foreign_trial, metrics_bytes

foreign = partial(foreign_trial, __name__)


class Once(torch.optim.SGD):
    """SGD that demands a closure and calls it once."""

    def step(self, closure: Any) -> Any:
        return super().step(closure)


class Again(torch.optim.SGD):
    """Says that a closure is optional, calls it twice at the same place, and compares."""

    def step(self, closure: Any = None) -> Any:
        if closure is None:
            raise TypeError("a closure, please")
        found = []
        for _ in range(2):
            loss = closure()
            found.append([loss, *(p.grad.clone() for g in self.param_groups for p in g["params"])])
        assert all(map(torch.equal, *found)), "another minibatch, or other draws"
        super().step()


class Sharp(torch.optim.Optimizer):
    """Foret et al. 2021: the gradient at the point uphill."""

    def __init__(self, params: Any, base: Any, lr: float, rho: float = 0.05) -> None:
        super().__init__(params, {"lr": lr, "rho": rho})
        self.base = base(self.param_groups, lr=lr)

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        parameters = [p for group in self.param_groups for p in group["params"]]
        norm = torch.stack([p.grad.norm() for p in parameters]).norm()
        moves = [p.grad * (self.param_groups[0]["rho"] / norm) for p in parameters]
        for p, move in zip(parameters, moves, strict=True):
            p.add_(move)
        with torch.enable_grad():
            closure()
        for p, move in zip(parameters, moves, strict=True):
            p.sub_(move)
        self.base.step()


class Measuring(torch.optim.SGD):
    """Compares the gradient, and its derivative if it has one, with differences of what a closure gives."""

    twice = False
    tolerance = 0.05

    def step(self, closure: Any) -> Any:
        parameters = [p for group in self.param_groups for p in group["params"]]
        gradients = [p.grad for p in parameters]
        norm = torch.stack([one.detach().norm() for one in gradients]).norm()
        way = [one.detach() / norm for one in gradients]
        along = inner(gradients, way)
        found = None
        if self.twice:
            curved = torch.autograd.grad(along, parameters, materialize_grads=True)
            found = inner(curved, way)
        h = 1e-2
        self.check(along, *(self.loss(parameters, way, x, closure) for x in (h, -h)), h)
        if found is not None:
            self.check(found, *(self.slope(parameters, way, x, closure) for x in (h, -h)), h)
        with torch.no_grad():
            for p, g in zip(parameters, gradients, strict=True):
                p.sub_(g.detach(), alpha=self.param_groups[0]["lr"])

    def check(self, derivative: Tensor, above: Tensor, below: Tensor, h: float) -> None:
        rounding = 2e-6 * (above.abs() + 1.0) / h
        difference = (above - below) / (2 * h)
        assert (derivative - difference).abs() <= self.tolerance * difference.abs() + rounding, (
            f"{float(derivative)} and by differences {float(difference)}"
        )

    @staticmethod
    def loss(parameters: Any, way: Any, x: float, closure: Any) -> Tensor:
        with torch.no_grad():
            torch._foreach_add_(parameters, way, alpha=x)
        found = closure()
        with torch.no_grad():
            torch._foreach_sub_(parameters, way, alpha=x)
        return found.detach()

    @classmethod
    def slope(cls, parameters: Any, way: Any, x: float, closure: Any) -> Tensor:
        cls.loss(parameters, way, x, closure)
        return inner([p.grad for p in parameters], way).detach()


class MeasuringTwice(Measuring):
    twice = True


class MeasuringKinks(MeasuringTwice):
    """The same for models of ReLU, whose second derivatives miss what happens at the kinks."""

    tolerance = 0.2


def inner(left: Any, right: Any) -> Tensor:
    return torch.stack([(a * b).sum() for a, b in zip(left, right, strict=True)]).sum()


class Rebinding(torch.optim.SGD):
    """Puts new tensors in the place of its parameters' data, also while it looks around."""

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        for group in self.param_groups:
            for p in group["params"]:
                p.data = p.data - group["lr"] * p.grad


class Idle(torch.optim.SGD):
    """Does nothing."""

    def step(self, closure: Any = None) -> Any:
        return None


class Scribbling(torch.optim.SGD):
    """Writes into the gradients when it has used them."""

    def step(self, closure: Any = None) -> Any:
        super().step(closure)
        for group in self.param_groups:
            for p in group["params"]:
                p.grad.fill_(7.0)


class Global(torch.optim.SGD):
    """Draws from the generators of Python and NumPy."""

    def step(self, closure: Any = None) -> Any:
        for p in self.param_groups[0]["params"]:
            p.grad = p.grad * (random.random() + float(np.random.rand()) + float(torch.rand(())))
        return super().step(closure)


def rows(one: Trial, run: Run) -> pd.DataFrame:
    return pd.read_csv(TrialFolder(one, run.results_dir).metrics)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "calls"), [("Once", 1), ("Again", 2)])
def test_a_closure_at_the_same_place_gives_the_same(
    trial: Compose, run: Run, name: str, calls: int
) -> None:
    plain, closing = (foreign(trial, one, "clip_norm=2") for one in ("torch.optim.SGD", name))
    execute([plain, closing], run)
    expected, found = rows(plain, run), rows(closing, run)
    assert found.pop("evaluations").tolist() == [calls * 8, calls * 16, calls * 24]
    pd.testing.assert_frame_equal(found, expected)


def sharp(trial: Compose, *words: str) -> Trial:
    path = "++optimizer.kwargs.base={_target_: hydra.utils.get_class, path: torch.optim.SGD}"
    return foreign(trial, "Sharp", path, "optimizer.lr=0.1", *words)


@pytest.mark.slow
def test_a_wrapper_evaluates_elsewhere_and_goes_on_from_its_checkpoint(
    trial: Compose, run: Run
) -> None:
    one = sharp(trial)
    plain = foreign(trial, "torch.optim.SGD", "optimizer.lr=0.1")
    execute([one, plain], elsewhere(run, "whole"))
    with pytest.raises(Killed):
        execute([one], run, [KillAfter(20)])  # in the third epoch
    execute([one], run)
    assert metrics_bytes(one, run) == metrics_bytes(one, elsewhere(run, "whole"))
    found, other = (rows(t, elsewhere(run, "whole")) for t in (one, plain))
    assert found["evaluations"].tolist() == [16, 32, 48]
    assert found["grad_norm"][2] != other["grad_norm"][2]
    assert found["train_cost"][2] < found["train_cost"][0]


def small(task: str, target: str, *words: str) -> Trial:
    given = [f"task={task}", "optimizer=torch", f"optimizer.target={__name__}.{target}"]
    return compose.trial([*given, *GENERATED[task], "epochs=1", "optimizer.lr=1e-3", *words])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("task", "twice"),
    [
        (task, twice)
        for task in sorted(GENERATED)
        for twice in (False, True)
        if task != "bigram"  # its cost is scaled, and its gradient is not
        and not (twice and task.startswith("cnn"))  # its max pooling has kinks everywhere
    ],
)
def test_every_task_gives_the_gradient_of_its_cost_again(task: str, twice: bool, run: Run) -> None:
    """With the same draws, the same recurrent state and the L2 term; and the gradient's derivative."""
    second = "MeasuringKinks" if task.startswith("mlp") else "MeasuringTwice"
    name = second if twice else "Measuring"
    words = ["optimizer.create_graph=true"] if twice else []
    one = small(task, name, "task.epoch_examples=null", *words)
    execute([one], run)


@pytest.mark.slow
def test_a_gradient_that_can_be_differentiated_again_is_the_same(trial: Compose, run: Run) -> None:
    words = ("task=mlp_deterministic", "clip_norm=0.5", "epochs=2", "optimizer.lr=1e-3")
    given = (*words, "optimizer=torch", "optimizer.target=torch.optim.SGD")
    plain, graph = trial(*given), trial(*given, "optimizer.create_graph=true")
    execute([plain, graph], run)
    for column in ("train_cost", "grad_norm"):
        assert rows(graph, run)[column].tolist() == pytest.approx(
            rows(plain, run)[column].tolist(), rel=1e-4
        )


def test_lbfgs_trains(trial: Compose, run: Run) -> None:
    one = foreign(trial, "torch.optim.LBFGS", "optimizer.lr=0.1", "optimizer.kwargs.max_iter=3")
    execute([one], run)
    found = rows(one, run)
    assert found["train_cost"][2] < 0.9 * found["train_cost"][0]
    assert found["evaluations"][2] > 2 * found["step"][2]


def test_parameters_that_are_laid_elsewhere_are_brought_back(trial: Compose, run: Run) -> None:
    mine, plain = (
        foreign(trial, name, "optimizer.lr=0.1") for name in ("Rebinding", "torch.optim.SGD")
    )
    execute([mine, plain], run)
    for column in ("train_cost", "test_cost"):
        assert rows(mine, run)[column].tolist() == pytest.approx(rows(plain, run)[column].tolist())


def test_the_norm_is_that_of_the_gradient_that_was_given(trial: Compose, run: Run) -> None:
    mine, plain = (foreign(trial, name) for name in ("Scribbling", "torch.optim.SGD"))
    execute([mine, plain], run)
    assert metrics_bytes(mine, run) == metrics_bytes(plain, run)


def test_steps_that_change_nothing_fail(trial: Compose, run: Run) -> None:
    idle = foreign(trial, "Idle")
    told = r"Idle: its first 8 steps changed no parameter \(given lr=0.001\)"
    with pytest.raises(TrialFailedError, match=told):
        execute([idle], run)
    none = foreign(trial, "torch.optim.SGD", "optimizer.lr=0.0")
    assert execute([none], run) == {none.identity: "finished"}  # as one asked for


def test_all_global_generators_are_the_trials_and_then_ours_again(trial: Compose, run: Run) -> None:
    one = foreign(trial, "Global", "optimizer.lr=0.1")
    before = random.getstate(), np.random.get_state()[1].tolist()
    torch.manual_seed(1)
    execute([one], elsewhere(run, "first"))
    assert before == (random.getstate(), np.random.get_state()[1].tolist())
    random.seed(5)
    np.random.seed(5)
    torch.manual_seed(5)
    execute([one], elsewhere(run, "second"))
    first, second = (metrics_bytes(one, elsewhere(run, place)) for place in ("first", "second"))
    assert first == second


def ungrouped(params: Any, power: float = 0.1) -> torch.optim.Optimizer:
    optimizer = torch.optim.SGD(params, power)
    for group in optimizer.param_groups:
        group["power"] = group["lr"]
        del group["lr"]
    optimizer.step = lambda: None  # type: ignore[method-assign]
    return optimizer


class Wrapping(torch.optim.Optimizer):
    """Hides an optimizer, its groups and its state."""

    def __init__(self, params: Any, lr: float) -> None:
        self.hidden = torch.optim.SGD(params, lr)

    def step(self, closure: Any = None) -> Any:
        return self.hidden.step(closure)

    def state_dict(self) -> Any:
        return self.hidden.state_dict()

    def load_state_dict(self, state_dict: Any) -> None:
        self.hidden.load_state_dict(state_dict)


@pytest.mark.filterwarnings("error")
def test_a_wrapper_without_groups_trains(trial: Compose, run: Run) -> None:
    mine, plain = (foreign(trial, name) for name in ("Wrapping", "torch.optim.SGD"))
    execute([mine, plain], run)
    assert metrics_bytes(mine, run) == metrics_bytes(plain, run)
    with pytest.raises(UserError, match=r"schedule=inv_sqrt_iteration: .* have no 'lr'"):
        execute([foreign(trial, "Wrapping", "schedule=inv_sqrt_iteration")], run)


def test_a_schedule_needs_a_stepsize_to_change(trial: Compose, run: Run) -> None:
    words = ("schedule=inv_sqrt_iteration", "optimizer.lr=0.1", "optimizer.lr_name=power")
    execute([foreign(trial, "leaves", *words[:1])], run)
    named = foreign(trial, "ungrouped", *words, "optimizer.lr=0.0")
    assert execute([named], run) == {named.identity: "finished"}
    with pytest.raises(UserError, match=r"schedule=inv_sqrt_iteration: .* have no 'lr'"):
        execute([foreign(trial, "ungrouped", words[0], "optimizer.lr=null")], run)


def leaves(model: torch.nn.Module, lr: float) -> torch.optim.Optimizer:
    for p in model.parameters():
        assert isinstance(p, torch.nn.Parameter)
        assert p.requires_grad
        assert p.is_leaf
    return torch.optim.SGD(model.parameters(), lr)
