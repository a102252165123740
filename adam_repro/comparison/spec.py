"""configs/compare.yaml: the tasks of a comparison at each scale, the rivals, the budget."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cache
from typing import Any

from adam_repro import config_folders, import_path
from adam_repro.config import compose
from adam_repro.config.validate import Choice, FolderName, Whole, known
from adam_repro.config.validate import check as check_value
from adam_repro.errors import UserError
from adam_repro.figures.plan import GENERATED, on_generated_data
from adam_repro.files import config_folder, parse_yaml
from adam_repro.wording import suggestion

SMOKE_EPOCHS = 2
OWN = "torch"  # task=torch: a task by import path
OWN_EPOCHS = 20  # of one that does not say, as in configs/task/torch.yaml
OWN_KEYS = ("target", "name", "overrides", "epochs", "seconds", "schedules", "metric")
COSTS = ("train_cost", "eval_train_cost")


@dataclass(frozen=True)
class TaskSpec:
    """One task of a comparison; the fields are the keys of the file, but for ``name``.

    ``search``: by name of an optimizer of ours, in place of what the file searches on every task.
    """

    name: str
    epochs: Mapping[str, int]
    about: str = ""
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
        if scale == "smoke" and self.group in GENERATED:
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

    def resolve(self, asked: Sequence[str | Mapping[str, Any]]) -> tuple[TaskSpec, ...]:
        """The tasks that are asked for, each once; ``quick`` and ``all`` stand for several.

        An import path is a task of one's own; so is a mapping with the keys `OWN_KEYS`.

        Raises:
            UserError: for a name that no task has.
        """
        every = [name for name, task in self.tasks.items() if task.part_of_all]
        groups = {"quick": list(self.quick), "all": every}
        found: dict[str, TaskSpec] = {}
        for one in asked:
            if not isinstance(one, str):
                task = own_task(one)
                found[task.name] = task
                continue
            for name in groups.get(one, [one]):
                task = own_task({"target": name}) if "." in name else self._task(name, groups)
                found[task.name] = task
        return tuple(found.values())

    def _task(self, name: str, groups: Iterable[str]) -> TaskSpec:
        if name not in self.tasks:
            legal = [*groups, *self.tasks]
            if config_folders.find("task", name) in config_folders.own_files("task"):
                return configured_task(name)
            raise UserError(
                f"tasks={name}: must be one of {', '.join(legal)}, or an import path"
                f"{suggestion(name, legal)}"
            )
        return self.tasks[name]

    def searched(self, optimizer: str, task: TaskSpec) -> dict[str, tuple[Any, ...]]:
        """What is searched of an optimizer of ours on a task beside stepsize and schedule."""
        found = task.search.get(optimizer, self.search.get(optimizer, {}))
        return {key: tuple(values) for key, values in found.items()}


def own_task(section: Mapping[str, Any]) -> TaskSpec:
    """A task by import path.

    Raises:
        UserError: for a path that leads nowhere, or a key or value that is not legal.
    """
    known(map(str, section), OWN_KEYS, "tasks.")
    path = str(section.get("target", ""))
    import_path.find("tasks", path, "a Task class", "my_module.TwoLayer")
    epochs = check_value("tasks.epochs", section.get("epochs", OWN_EPOCHS), Whole(1))
    metric = check_value("tasks.metric", section.get("metric", COSTS[0]), Choice(*COSTS))
    name = section.get("name", path.rpartition(".")[2])
    return TaskSpec(
        name=check_value("tasks.name", name, FolderName()),
        epochs=dict.fromkeys(("paper", "short"), epochs),
        task=OWN,
        overrides=(f"task.target={path}", f"task.name={name}", *section.get("overrides", ())),
        seconds=float(section.get("seconds", 1.0)),
        schedules=tuple(section.get("schedules", ("constant",))),
        metric=metric,
    )


def configured_task(name: str) -> TaskSpec:
    """A task of the user's own folder of configurations."""
    epochs = int(compose.settings([f"task={name}", "optimizer=torch"])["epochs"])
    return TaskSpec(name, {"paper": epochs, "short": epochs})


@cache
def load() -> Spec:
    """The file, validated.

    Raises:
        UserError: for a key that it cannot have.
    """
    path = config_folder() / "compare.yaml"
    raw = parse_yaml(path.read_text(encoding="utf-8"), path)
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
