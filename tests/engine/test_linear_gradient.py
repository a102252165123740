"""Gradients of linear models in closed form: those of autograd, for one trial and for a stack."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from adam_repro.engine.linear_gradient import LinearGradient
from adam_repro.engine.parameter_layout import ParameterLayout
from adam_repro.tasks import Batch, Task, build
from adam_repro.tasks.logreg import LogisticRegression
from tests.helpers import Compose

TRIALS, N = 11, 128


def batch() -> Batch:
    source = torch.Generator().manual_seed(1)
    inputs = torch.rand(N, 784, generator=source, dtype=torch.float64)
    return Batch(inputs, torch.randint(0, 10, (N,), generator=source))


def parameters(trials: int) -> Tensor:
    source = torch.Generator().manual_seed(2)
    return 0.3 * torch.randn(trials, 7850, generator=source, dtype=torch.float64)


@pytest.fixture
def task(trial: Compose) -> Task:
    return build(trial("task=logreg").task)


@pytest.fixture
def linear(task: Task) -> LinearGradient:
    return made(task, nn.Linear(784, 10), alone=False)


def made(task: Task, model: nn.Module, alone: bool) -> LinearGradient:
    found = LinearGradient.of(task, model, ParameterLayout(model), alone)
    assert found is not None
    return found


@pytest.mark.parametrize(("trials", "alone"), [(1, True), (1, False), (TRIALS, False)])
def test_costs_errors_and_gradients_are_those_of_autograd(
    task: Task, trials: int, alone: bool
) -> None:
    here = batch()
    theta = parameters(trials)
    weight = torch.rand(N, dtype=torch.float64)
    costs, errors, (gradient,) = made(task, nn.Linear(784, 10), alone).step(theta, here, weight)
    assert gradient.shape == theta.shape
    for row in range(trials):
        w = theta[row, :7840].view(10, 784).clone().requires_grad_()
        b = theta[row, 7840:].clone().requires_grad_()
        output = nn.functional.linear(here.inputs, w, b)  # type: ignore[arg-type]
        expected = task.costs(output, here)
        torch.testing.assert_close(costs[row], expected.detach(), rtol=1e-12, atol=1e-12)
        assert torch.equal(errors[row], task.errors(output, here))
        of_w, of_b = torch.autograd.grad(expected, (w, b), weight)
        torch.testing.assert_close(gradient[row, :7840], of_w.flatten(), rtol=1e-10, atol=1e-12)
        torch.testing.assert_close(gradient[row, 7840:], of_b, rtol=1e-10, atol=1e-12)


def test_measuring_gives_what_a_step_sees(linear: LinearGradient) -> None:
    theta, here = parameters(TRIALS), batch()
    costs, errors, _ = linear.step(theta, here, torch.ones(N, dtype=torch.float64))
    measured = linear.measure(theta, here)
    assert torch.equal(measured[0], costs)
    assert torch.equal(measured[1], errors)


def test_among_equal_outputs_the_first_class_is_the_answer(
    task: Task, linear: LinearGradient
) -> None:
    here = batch()
    _, errors, _ = linear.measure(torch.zeros(2, 7850, dtype=torch.float64), here)
    assert torch.equal(errors, (here.targets != 0).expand(2, N))
    assert torch.equal(errors[0], task.errors(torch.zeros(N, 10), here))


def test_huge_outputs_have_finite_costs(linear: LinearGradient) -> None:
    theta, here = 1e30 * parameters(1), batch()
    costs, _, (gradient,) = linear.step(theta, here, torch.ones(N, dtype=torch.float64))
    assert costs.isfinite().all()
    assert gradient.isfinite().all()


class Deep(LogisticRegression):
    def model(self, generator: torch.Generator) -> nn.Module:
        return nn.Sequential(nn.Linear(784, 20), nn.Linear(20, 10))


class OtherCost(LogisticRegression):
    def costs(self, output: Tensor, batch: Batch) -> Tensor:
        return super().costs(output, batch) ** 2


class Unstated(Task):
    def model(self, generator: torch.Generator) -> nn.Module:
        return nn.Linear(784, 10)

    def costs(self, output: Any, batch: Batch) -> Tensor:
        return nn.functional.cross_entropy(output, batch.targets, reduction="none")


@pytest.mark.parametrize(
    ("kind", "model"),
    [
        (Deep, nn.Sequential(nn.Linear(784, 20), nn.Linear(20, 10))),
        (Unstated, nn.Linear(784, 10)),
        (OtherCost, nn.Linear(784, 10)),
        (LogisticRegression, nn.Linear(784, 10, bias=False)),
        (LogisticRegression, nn.utils.parametrizations.weight_norm(nn.Linear(784, 10))),
    ],
)
def test_other_models_are_left_to_autograd(
    trial: Compose, kind: type[Any], model: nn.Module
) -> None:
    task = kind(trial("task=logreg").task)
    assert LinearGradient.of(task, model, ParameterLayout(model), alone=True) is None
