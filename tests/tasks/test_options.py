"""Options of a task that nobody reads: a warning with the one that is meant, and no false alarm."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from adam_repro.config import compose
from adam_repro.config.trial import Run
from adam_repro.errors import UserError
from adam_repro.files import config_folder, visible
from adam_repro.runs import online_tasks
from adam_repro.runs.check import check
from adam_repro.runs.execute import execute
from adam_repro.tasks import Batch, Classifier, build
from tests.helpers import Compose


class Base(Classifier):
    def model(self, generator: torch.Generator) -> nn.Module:
        return nn.Linear(784, 10)

    def preprocess(self, inputs: Tensor) -> Tensor:
        return inputs.flatten(1).float().div(255.0)


class AtFirst(Base):
    def __init__(self, config: Mapping[str, Any]) -> None:
        super().__init__(config)
        self.rate = config.get("dropout", 0.1)


class FromItself(Base):
    def __init__(self, config: Mapping[str, Any]) -> None:
        super().__init__(config)
        self.rate = 0.1
        if "dropout" in self.config:
            self.rate = self.config["dropout"]


class ByItsName(Base):
    def __init__(self, config: Mapping[str, Any]) -> None:
        super().__init__(config)
        self.rate = config.get("".join(["drop", "out"]), 0.1)


class All(Base):
    def __init__(self, config: Mapping[str, Any]) -> None:
        super().__init__({**config})
        self.options = dict(config.items())


class Later(Base):
    def costs(self, output: Any, batch: Batch) -> Tensor:
        return super().costs(output, batch) * (1 + self.config.get("dropout", 0.1))


class InPreprocess(Base):
    def preprocess(self, inputs: Tensor) -> Tensor:
        return super().preprocess(inputs) * (1 + self.config.get("dropout", 0.1))


READERS = [AtFirst, FromItself, ByItsName, All, Later, InPreprocess]


def own(trial: Compose, kind: type, *words: str) -> Any:
    target = f"task.target={__name__}.{kind.__name__}"
    return trial("task=torch", "optimizer=adam", "batch_size=16", "epochs=1", target, *words)


@pytest.mark.parametrize("kind", READERS, ids=lambda kind: kind.__name__)
def test_an_option_that_is_read_is_not_told(kind: type, trial: Compose, run: Run) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for seed in (0, 1):  # the second stack has the data of the first
            execute([own(trial, kind, "+task.dropout=0.5", f"seed={seed}")], run)


@pytest.mark.parametrize("kind", [AtFirst, Later], ids=lambda kind: kind.__name__)
def test_an_option_that_is_spelt_wrong_is_told(kind: type, trial: Compose, run: Run) -> None:
    told = r"task.dropuot=0.5: nothing reads .*=name .*did you mean task.dropout\?"
    with pytest.warns(RuntimeWarning, match=told.replace("=name", f"={kind.__name__}")):
        execute([own(trial, kind, "+task.dropuot=0.5")], run)


@pytest.mark.parametrize("optimizer", ["adam", "sfo"])
def test_one_of_our_tasks_tells_it_too(optimizer: str, trial: Compose, run: Run) -> None:
    one = trial("task=logreg", f"optimizer={optimizer}", "+task.dropuot=0.5", "epochs=1")
    with pytest.warns(RuntimeWarning, match="task.dropuot=0.5: nothing reads this .* task=logreg"):
        execute([one], run)


def test_a_task_of_section_4_refuses_it(trial: Compose) -> None:
    with pytest.raises(UserError, match=r"task.radus: .*did you mean task.radius\?"):
        check(trial("task=regret", "+task.radus=2", tiny=False))


TASKS = [path.stem for path in visible(config_folder() / "task", "*.yaml") if path.stem != "torch"]


@pytest.mark.parametrize("name", TASKS)
def test_every_option_of_our_tasks_is_read(name: str) -> None:
    task = compose.trial([f"task={name}"]).task
    if task["model"] in online_tasks.COLUMNS:
        check(compose.trial([f"task={name}"]))
    else:
        assert build(task).config.unread() == []


@pytest.mark.parametrize("task", ["logreg", "regret"])
def test_a_target_beside_a_task_that_has_a_model_is_refused(task: str, trial: Compose) -> None:
    one = trial(f"task={task}", "+task.target=my_task.Mine", tiny=False)
    with pytest.raises(
        UserError, match=r"task.target=my_task.Mine: .* give task=torch task.target"
    ):
        check(one)
