"""The configuration of a run: what is trained (a :class:`Trial`) and how it is executed (:class:`Run`).

A trial's identity is a hash of what it trains: task, optimizer, schedule, averaging, seed, epochs,
batch size. Where and how it runs (device, engine, folders) is not part of it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from adam_repro.config.validate import Choice, Flag, FolderName, Range, Whole, check, known
from adam_repro.errors import UserError

ORDERS = ("once", "every_pass", "file", "by_length")
AVERAGES = ("none", "polyak", "exponential")
ENGINES = ("auto", "batched", "looped")
LOGGERS = ("none", "tensorboard", "mlflow", "wandb")
#: Options of ``optimizer=torch`` that came later: at these values they are left out of the section, and
#: the identities of before stay valid.
LATER_OPTIONS: dict[str, Any] = {"lr_name": None, "create_graph": False}
DECAY = Range(ge=0, lt=1)
CLIP_NORM = Range(gt=0)


@dataclass(frozen=True)
class Trial:
    """One training run, as science sees it."""

    task: Mapping[str, Any]
    optimizer: Mapping[str, Any]
    averaging: Mapping[str, Any]
    schedule: str
    seed: int
    epochs: int
    batch_size: int
    eval_train_every: int
    clip_norm: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "optimizer", _without_later_options(self.optimizer))
        object.__setattr__(self, "task", _with_name(self.task))
        check("task.name", self.task.get("name"), FolderName())
        check("optimizer.name", self.optimizer.get("name"), FolderName())
        _data(self.task)
        check("task.order", self.task.get("order"), Choice(*ORDERS))
        check("averaging.name", self.averaging.get("name"), Choice(*AVERAGES))
        check("seed", self.seed, Whole(0, counts=False))
        check("epochs", self.epochs, Whole(1))
        check("batch_size", self.batch_size, Whole(1))
        check("eval_train_every", self.eval_train_every, Whole(0))
        if self.clip_norm is not None:
            check("clip_norm", self.clip_norm, CLIP_NORM)
        for key in ("epoch_examples", "cost_examples"):
            if self.task.get(key) is not None:
                check(f"task.{key}", self.task[key], Whole(1))
        exponential = self.averaging["name"] == "exponential"
        known(self.averaging, ("name", "decay") if exponential else ("name",), "averaging.")
        if exponential and "decay" not in self.averaging:
            raise UserError(
                f"averaging.decay: missing; averaging.name=exponential needs {DECAY}: "
                "averaging=exponential gives both"
            )
        check("averaging.decay", self.averaging.get("decay", 0.0), DECAY)

    @property
    def settings(self) -> dict[str, Any]:
        """The resolved scientific configuration, as ``trial.yaml`` keeps it.

        An option that came later is left out at its default: the identities of before stay valid.
        """
        found = asdict(self)
        if self.clip_norm is None:
            del found["clip_norm"]
        return found

    @cached_property
    def identity(self) -> str:
        """Twelve hexadecimal digits that name these settings and no others."""
        return identity_of(self.settings)

    def folder(self, results: Path) -> Path:
        """Where this trial's files live below ``results``."""
        return results / "runs" / self.task["name"] / self.optimizer["name"] / self.identity


@dataclass(frozen=True)
class Run:
    """How trials are executed; none of it may change a result beyond rounding.

    ``tf32`` makes that rounding coarse: products on a GPU then take inputs of 10 bits.
    """

    device: str = "auto"
    engine: str = "auto"
    tf32: bool = False
    results_dir: Path = Path("results")
    keep_checkpoint: bool = False
    progress: bool = True
    logger: str = "none"
    sweep: str = ""  # the name by which a logger groups the trials; no option

    def __post_init__(self) -> None:
        check("engine", self.engine, Choice(*ENGINES))
        check("logger", self.logger, Choice(*LOGGERS))


def identity_of(settings: Mapping[str, Any]) -> str:
    """The identity of the trial that has these :attr:`Trial.settings`."""
    text = json.dumps(_canonical(settings), sort_keys=True, allow_nan=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def read(config: Mapping[str, Any]) -> tuple[Trial, Run]:
    """The trial and the run of a resolved configuration (plain mappings, as Hydra composes it)."""
    config = {"clip_norm": None, **config}  # a trial.yaml leaves it out at its default
    legal = [
        key for key in (*Trial.__dataclass_fields__, *Run.__dataclass_fields__) if key != "sweep"
    ]
    for key in legal:
        if key not in config:
            raise UserError(f"{key}: missing; every run needs it, do not delete it with ~{key}")
    for key in config:
        if key not in legal and (places := within_groups(config, key)):
            raise UserError(f"{key}: there is no such option; did you mean {' or '.join(places)}?")
    known(config, legal)
    trial = Trial(
        **{key: config[key] for key in Trial.__dataclass_fields__},
    )
    run = Run(
        device=str(config["device"]),
        engine=str(config["engine"]),
        tf32=check("tf32", config["tf32"], Flag()),
        results_dir=_path("results_dir", config["results_dir"]),
        keep_checkpoint=check("keep_checkpoint", config["keep_checkpoint"], Flag()),
        progress=check("progress", config["progress"], Flag()),
        logger=str(config["logger"]),
    )
    return trial, run


def _canonical(value: Any) -> Any:
    """``value`` with numbers that are equal written alike, so that lr=1 and lr=1.0 are one trial."""
    if isinstance(value, Mapping):
        return {key: _canonical(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_canonical(item) for item in value]
    if isinstance(value, int) and not isinstance(value, bool):
        return _canonical_int(value)
    return value


def _canonical_int(value: int) -> int | float:
    """A whole number as a float if that is the same number, else as it is: above 2^53 floats skip some."""
    try:
        return float(value) if int(float(value)) == value else value
    except OverflowError:  # hundreds of digits
        return value


def _path(option: str, value: Any) -> Path:
    # The command line reads a folder that is called 2014 as a number.
    if isinstance(value, bool) or not isinstance(value, (str, int, Path)) or value == "":
        raise UserError(f"{option}={value}: must be the path of a folder, as {option}=results")
    return home_expanded(option, str(value))


def home_expanded(option: str, path: str) -> Path:
    """A path in which ``~`` stands for the home folder, as a shell would have it.

    Raises:
        UserError: there is no such home folder, or the path holds a null character.
    """
    if "\0" in path:
        raise UserError(f"{option}={path!r}: must be the path of a folder, as {option}=results")
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise UserError(
            f"{option}={path}: there is no such home folder; give a path without ~"
        ) from None


def _data(task: Mapping[str, Any]) -> None:
    data = task.get("data", {"name": ""})  # a task of theory may have none
    if not isinstance(data, Mapping):
        raise UserError(
            f"task.data={data}: must be a name with options; to choose another data set, "
            f"give task.data.name={data}"
        )
    if not isinstance(data.get("name"), str):
        raise UserError(f"task.data.name={data.get('name')}: must be the name of a data set")


def _without_later_options(optimizer: Mapping[str, Any]) -> Mapping[str, Any]:
    if optimizer.get("name") != "torch":
        return optimizer
    return {
        key: value
        for key, value in optimizer.items()
        if key not in LATER_OPTIONS or value != LATER_OPTIONS[key]
    }


def _with_name(task: Mapping[str, Any]) -> Mapping[str, Any]:
    """A task by import path that was given no name has its class's."""
    if task.get("model") != "torch" or task.get("name") is not None:
        return task
    if not task.get("target"):
        raise UserError(
            f"task.target={task.get('target')}: give the import path of a Task class, "
            "e.g. task.target=my_module.TwoLayer"
        )
    return {**task, "name": str(task["target"]).rpartition(".")[2]}


def shown_name(section: Mapping[str, Any]) -> str:
    """What an ``optimizer`` section is called in texts and drawings: its name, or its target's."""
    target = section.get("target") if section.get("name") == "torch" else None
    return str(target).rpartition(".")[2] if target else str(section["name"])


def within_groups(config: Mapping[str, Any], key: str) -> list[str]:
    """The options in the groups of a configuration that end so: ``optimizer.lr`` for ``lr``."""
    return [name for name in flat(config) if name.endswith(f".{key}")]


Hyperparameters = Mapping[str, Any]  # of one optimizer, by name


def hyperparameters(optimizer: Hyperparameters) -> dict[str, Any]:
    """The section without the name of the method."""
    return {key: value for key, value in optimizer.items() if key != "name"}


def flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings with dotted keys."""
    found: dict[str, Any] = {}
    for key, value in settings.items():
        if isinstance(value, Mapping) and value:
            found |= flat(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = value
    return found
