"""configs/compare.yaml: the tasks of a comparison at each scale, the rivals, the budget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cache
from typing import Any

import yaml

from adam_repro.config.validate import Choice, known, suggestion
from adam_repro.config.validate import check as check_value
from adam_repro.errors import UserError
from adam_repro.figures.plan import on_generated_data
from adam_repro.files import config_folder

SMOKE_EPOCHS = 2
COSTS = ("train_cost", "eval_train_cost")


@dataclass(frozen=True)
class TaskSpec:
    """One task of a comparison; the fields are the keys of the file, but for ``name``.

    ``search``: by name of an optimizer of ours, in place of what the file searches on every task.
    """

    name: str
    epochs: Mapping[str, int]
    task: str = ""
    overrides: tuple[str, ...] = ()
    seconds: float = 1.0
    schedules: tuple[str, ...] = ("constant",)
    metric: str = "train_cost"
    part_of_all: bool = True
    search: Mapping[str, Mapping[str, Sequence[Any]]] = field(default_factory=dict)

    @property
    def group(self) -> str:
        """Its name among ``task=``."""
        return self.task or self.name

    def epochs_at(self, scale: str) -> int:
        return SMOKE_EPOCHS if scale == "smoke" else self.epochs[scale]

    def words(self, scale: str) -> list[str]:
        """The words after ``adam-repro run`` that give the task, without optimizer and schedule."""
        own = list(self.overrides)
        if scale == "smoke":
            own = [word for word in own if not word.startswith("task.epoch_examples=")]
            own = on_generated_data(self.group, own)
        return [f"task={self.group}", f"epochs={self.epochs_at(scale)}", *own]


@dataclass(frozen=True)
class Spec:
    """The whole file."""

    against: tuple[str, ...]
    scale: str
    seeds: int
    budget: Mapping[str, int]
    search: Mapping[str, Mapping[str, Sequence[Any]]]
    quick: tuple[str, ...]
    tasks: Mapping[str, TaskSpec]

    def resolve(self, words: Sequence[str]) -> tuple[TaskSpec, ...]:
        """The tasks that ``words`` name, each once; ``quick`` and ``all`` stand for several.

        Raises:
            UserError: for a name that no task has.
        """
        every = [name for name, task in self.tasks.items() if task.part_of_all]
        groups = {"quick": list(self.quick), "all": every}
        found = [name for word in words for name in groups.get(word, [word])]
        for name in found:
            if name not in self.tasks:
                legal = [*groups, *self.tasks]
                raise UserError(
                    f"tasks={name}: must be one of {', '.join(legal)}{suggestion(name, legal)}"
                )
        return tuple(self.tasks[name] for name in dict.fromkeys(found))

    def searched(self, optimizer: str, task: TaskSpec) -> dict[str, tuple[Any, ...]]:
        """What is searched of an optimizer of ours on a task beside stepsize and schedule."""
        found = task.search.get(optimizer, self.search.get(optimizer, {}))
        return {key: tuple(values) for key, values in found.items()}


@cache
def load() -> Spec:
    """The file, validated.

    Raises:
        UserError: for a key that it cannot have.
    """
    raw = yaml.safe_load((config_folder() / "compare.yaml").read_text(encoding="utf-8"))
    known(raw, [one.name for one in fields(Spec)], "compare.yaml: ")
    tasks = {name: _task(name, section) for name, section in raw.pop("tasks").items()}
    return Spec(tasks=tasks, **_tuples(raw))


def _task(name: str, section: Mapping[str, Any]) -> TaskSpec:
    known(section, [one.name for one in fields(TaskSpec)], f"compare.yaml: tasks.{name}.")
    task = TaskSpec(name=name, **_tuples(section))
    check_value(f"compare.yaml: tasks.{name}.metric", task.metric, Choice(*COSTS))
    return task


def _tuples(section: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: tuple(value) if isinstance(value, list) else value for key, value in section.items()
    }
