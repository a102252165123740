"""Checks of a trial before it runs: settings, optimizer, data."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from adam_repro import data
from adam_repro.config.trial import Hyperparameters, Trial, hyperparameters
from adam_repro.config.validate import Choice
from adam_repro.config.validate import check as check_value
from adam_repro.data.dataset import Dataset, SparseRows, Split
from adam_repro.engine import minibatches, torch_optimizer
from adam_repro.errors import UserError
from adam_repro.optim import OPTIMIZERS, schedules
from adam_repro.runs import metrics, online_tasks
from adam_repro.tasks import MODELS, Classifier, Task, build, own_columns


def check(trial: Trial) -> Task | None:
    """Check a trial before it runs; its task, or ``None`` for a task of online/.

    Raises:
        UserError: naming the option, its value and what is legal.
    """
    check_optimizer(trial.optimizer)
    schedules.find(trial.schedule)
    model = trial.task.get("model")
    check_value("task.model", model, Choice(*MODELS, *online_tasks.COLUMNS, "torch"))
    if model != "torch" and trial.task.get("target") is not None:
        target, name = trial.task["target"], trial.task["name"]
        raise UserError(
            f"task.target={target}: task={name} has a model of its own and takes no target; give "
            f"task=torch task.target={target}"
        )
    if model in online_tasks.COLUMNS:
        online_tasks.check(trial)
        return None
    if "data" not in trial.task:
        raise UserError("task.data: missing; give the name of a data set, as task.data.name=mnist")
    task = build(trial.task)
    own_columns.check_declared(task, metrics.TAKEN)
    task.check_optimizer(trial.optimizer)
    if trial.optimizer["name"] == "sfo":
        from adam_repro.engine import sfo  # no other trial waits for this import

        sfo.check(trial, task)
        return task
    minibatches.check(trial)
    task.check_batch_size(trial.batch_size)
    if trial.optimizer["name"] == "torch":
        torch_optimizer.check_with(task, trial.optimizer, trial.schedule)
    return task


def check_optimizer(optimizer: Hyperparameters) -> None:
    """Check an ``optimizer`` section before anything is written or trained.

    Raises:
        UserError: naming the option, its value and what is legal.
    """
    name = optimizer["name"]
    check_value("optimizer.name", name, Choice(*OPTIMIZERS, "sfo", "torch"))
    if name == "torch":
        torch_optimizer.check(optimizer)
        return
    settings = hyperparameters(optimizer)
    try:
        if name == "sfo":
            from adam_repro.optim.sfo import settings as sfo

            settings.pop(
                "draws", None
            )  # of the task's draws, not of the rule: `engine.sfo` checks it
            sfo.check(settings)
        else:
            OPTIMIZERS[name].check(settings)
    except UserError as error:
        raise UserError(f"optimizer={name}: {error}") from None


def check_data(trials: Sequence[Trial]) -> None:
    """Check trials against their data set, if they share one; it is loaded for training anyhow.

    Raises:
        UserError: data that do not fit a task, or a minibatch that is larger than the training set.
    """
    sets = {json.dumps(trial.task.get("data"), sort_keys=True, default=str) for trial in trials}
    if len(sets) != 1 or any(trial.task["model"] in online_tasks.COLUMNS for trial in trials):
        return
    dataset = dataset_of(trials[0].task)
    for trial in trials:
        check_fit(build(trial.task), dataset)
        if trial.optimizer["name"] != "sfo":
            minibatches.check_size(trial, len(dataset.train))


def dataset_of(task: Mapping[str, Any]) -> Dataset:
    settings = dict(task["data"])
    return data.load(settings.pop("name"), **settings)


def check_fit(task: Task, dataset: Dataset) -> None:
    """Refuse data that the task's model cannot take, as far as the task says what it takes.

    Raises:
        UserError: naming ``task.data.name``, what its examples are, and what the task takes.
    """
    for part, split in (("", dataset.train), ("test ", dataset.test)):
        _check_split(task, dataset, part, split)


def _check_split(task: Task, dataset: Dataset, part: str, split: Split) -> None:
    """``part``: what the examples are called, if not the training set's."""
    named = f"task.data.name={task.config['data']['name']}: its {part}examples are"
    if type(task).costs is Classifier.costs and split.targets.ndim != 1:
        raise UserError(
            f"{named} labelled by targets {list(split.targets.shape)}, and task={task.config['name']} "
            "takes one class an example, [n]; give the numbers of the classes"
        )
    takes = task.input_spec
    if takes is None:
        return
    inputs = split.inputs
    sparse = isinstance(inputs, SparseRows)
    values = math.prod(inputs.shape[1:])
    fits = values <= takes.values if sparse else values == takes.values
    few_enough = takes.classes is None or dataset.classes <= takes.classes
    if sparse == takes.sparse and fits and few_enough:
        return
    raise UserError(
        f"{named} {_kind(sparse)} of {values} values in {dataset.classes} classes, and "
        f"task={task.config['name']} takes {_kind(takes.sparse)} of "
        f"{'at most ' if takes.sparse else ''}{takes.values}"
        + (f" in at most {takes.classes} classes" if takes.classes is not None else "")
        + "; choose another data set, or another task"
    )


def _kind(sparse: bool) -> str:
    return "sparse rows" if sparse else "dense rows"
