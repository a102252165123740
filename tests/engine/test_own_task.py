"""Tasks by import path: their mistakes in their own words, and what a resumed trial relies on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from adam_repro.config.trial import Run
from adam_repro.errors import UserError
from adam_repro.runs.execute import execute
from adam_repro.runs.folder import TrialFolder
from adam_repro.sweep import train_all
from adam_repro.tasks import Batch, Classifier
from tests.helpers import Compose


class Base(Classifier):
    """Plain PyTorch, initialised as torch.nn does."""

    def model(self, generator: torch.Generator) -> nn.Module:
        return nn.Sequential(nn.Linear(784, 8), *self.between(), nn.Linear(8, 10))

    def between(self) -> list[nn.Module]:
        return [nn.Tanh()]

    def preprocess(self, inputs: Tensor) -> Tensor:
        return inputs.flatten(1).float().div(255.0)


class Shapes(Base):
    def between(self) -> list[nn.Module]:
        return [nn.Linear(8, 5)]


class Builds(Base):
    def between(self) -> list[nn.Module]:
        raise ValueError("no such layer")


class Draws(Base):
    def between(self) -> list[nn.Module]:
        return [nn.Dropout(0.5)]


class Keeps(Base):
    def between(self) -> list[nn.Module]:
        return [nn.BatchNorm1d(8)]


class Means(Base):
    def costs(self, output: Any, batch: Batch) -> Tensor:
        return super().costs(output, batch).mean()


class Counts(Base):
    def costs(self, output: Any, batch: Batch) -> Tensor:
        return output.argmax(1)


class Misnames(Base):
    def costs(self, output: Any, batch: Batch) -> Tensor:
        return output[batch.target]


class Unused(Base):
    def model(self, generator: torch.Generator) -> nn.Module:
        model = super().model(generator)
        model.register_parameter("extra", nn.Parameter(torch.zeros(3)))
        return model


class Entropy(Base):
    """Its weights come from nowhere that has a seed."""

    def model(self, generator: torch.Generator) -> nn.Module:
        model = super().model(generator)
        with torch.no_grad():
            model[2].weight.normal_(generator=torch.Generator().manual_seed(torch.seed()))
        return model


class Branches(Base):
    class Layer(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x if x.sum() > 0 else -x

    def between(self) -> list[nn.Module]:
        return [Branches.Layer()]


REFUSED = {
    Shapes: r"RuntimeError: mat1 and mat2 shapes cannot be multiplied",
    Builds: r"ValueError: no such layer \(test_own_task.py, line \d+\)",
    Draws: r"two calls with the same minibatch give different costs",
    Keeps: r"a call changes the buffer 1.running_mean",
    Means: r"costs\(\) must give a number for each of the 16 examples, .* it gave float32 \[\]",
    Counts: r"costs\(\) must give a number for each of the 16 examples, .* it gave int64 \[16\]",
    Misnames: r"AttributeError: 'Batch' object has no attribute 'target' \(test_own_task.py, line",
    Unused: r"the cost does not depend on extra",
    Entropy: r"model\(generator\) gave two different 2.weight with the same seed",
}


def own(trial: Compose, kind: type[Base], *words: str) -> Any:
    target = f"task.target={__name__}.{kind.__name__}"
    return trial("task=torch", "optimizer=adam", "batch_size=16", target, *words)


@pytest.mark.parametrize("kind", REFUSED, ids=lambda kind: kind.__name__)
def test_a_mistake_is_one_message_and_leaves_nothing(
    kind: type[Base], trial: Compose, run: Run
) -> None:
    one = own(trial, kind)
    told = rf"task.target={__name__}.{kind.__name__}: {REFUSED[kind]}"
    with pytest.raises(UserError, match=told):
        execute([one], run)
    assert not list(run.results_dir.rglob("*.csv"))


def test_weights_as_torch_nn_has_them_depend_on_the_seed_alone(trial: Compose, run: Run) -> None:
    torch.manual_seed(1)
    models = [Base({"l2": 0.0}).initial_model(seed) for seed in (0, 0, 1)]
    drawn = torch.rand(1)
    first, second, other = (model[0].weight for model in models)
    assert torch.equal(first, second)
    assert not torch.equal(first, other)
    torch.manual_seed(1)
    assert torch.equal(drawn, torch.rand(1))  # the global generator is as before


@pytest.mark.slow
def test_what_vmap_does_not_take_is_trained_one_by_one(trial: Compose, run: Run) -> None:
    trials = [own(trial, Branches, f"optimizer.lr={lr}") for lr in (1e-3, 1e-2)]
    with pytest.raises(UserError, match=r"engine=batched: torch.func.vmap does not take the model"):
        train_all(trials, replace(run, engine="batched"))
    with pytest.warns(RuntimeWarning, match=r"Branches: torch.func.vmap does not take its model"):
        train_all(trials, replace(run, engine="auto"))
    assert [TrialFolder(one, run.results_dir).status() for one in trials] == ["finished"] * 2


@pytest.mark.filterwarnings("error")
def test_what_vmap_takes_is_one_computation(trial: Compose, run: Run) -> None:
    trials = [own(trial, Base, f"optimizer.lr={lr}") for lr in (1e-3, 1e-2)]
    train_all(trials, replace(run, engine="auto"))
