"""Softmax regression with rare classes: its cost by group, and its gradient."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from adam_repro import data
from adam_repro.config.trial import Run
from adam_repro.errors import UserError
from adam_repro.runs.execute import execute
from adam_repro.runs.folder import TrialFolder
from adam_repro.tasks import Batch, Task, build
from tests.helpers import Compose

SMALL = ["task=rare_classes", "task.data.groups=3", "batch_size=24"]


def small_task(trial: Compose) -> Task:
    task = build(trial(*SMALL, tiny=False).task)
    task.prepare(data.load("class_sizes", groups=3))
    return task


def batch_of(task: Task) -> Batch:
    split = data.load("class_sizes", groups=3).train
    inputs = task.preprocess(torch.tensor(split.inputs))
    assert isinstance(inputs, torch.Tensor)
    return Batch(inputs, torch.tensor(split.targets))


def test_the_gradient_by_hand_is_autograds(trial: Compose) -> None:
    task = small_task(trial)
    batch = batch_of(task)
    outputs = torch.randn(2, 7, 24, dtype=torch.float64, requires_grad=True)
    costs, errors, slopes = task.output_gradients(outputs, batch)
    for one in range(2):
        expected = task.costs(outputs[one].T, batch)
        torch.testing.assert_close(costs[one], expected)
        assert torch.equal(errors[one], task.errors(outputs[one].T, batch))
        (gradient,) = torch.autograd.grad(expected.sum(), outputs)
        torch.testing.assert_close(slopes[one].detach(), gradient[one])


def test_a_group_is_of_classes_of_one_size(trial: Compose) -> None:
    task = small_task(trial)
    batch = batch_of(task)
    sizes = torch.bincount(batch.targets)[batch.targets]
    assert torch.equal(8 // 2 ** task.groups(batch), sizes)


def test_the_costs_of_the_groups_are_logged(trial: Compose, run: Run) -> None:
    one = trial(*SMALL, "epochs=4", "optimizer.lr=0.01", tiny=False)
    assert set(execute([one], run).values()) == {"finished"}
    rows = pd.read_csv(TrialFolder(one, run.results_dir).metrics)
    groups = rows[[f"group_cost_{g}" for g in (1, 2, 3)]]
    np.testing.assert_allclose(groups.mean(axis=1), rows["train_cost"], rtol=1e-6)
    assert rows["group_cost_4"].isna().all()
    first = task_costs(trial).view(3, 8).mean(1)
    np.testing.assert_allclose(groups.iloc[0], first, rtol=1e-5)
    assert rows["train_cost"].iloc[-1] < rows["train_cost"].iloc[0]


def task_costs(trial: Compose) -> torch.Tensor:
    """The cost of every example at the initial weights, in the order of the classes."""
    from adam_repro.random_streams import generator

    task = small_task(trial)
    batch = batch_of(task)
    with torch.no_grad():
        return task.costs(task.model(generator(0, "init"))(batch.inputs), batch)


def test_data_without_class_counts_are_refused(trial: Compose) -> None:
    with pytest.raises(UserError, match="in classes of at most 11 different sizes"):
        small_task(trial).prepare(data.load("synthetic"))
