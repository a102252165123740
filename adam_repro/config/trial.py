"""The configuration of a run: what is trained (a :class:`Trial`) and how it is executed (:class:`Run`).

A trial's identity is a hash of what it trains: task, optimizer, schedule, averaging, seed, epochs,
batch size. Where and how it runs (device, engine, folders) is not part of it.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from adam_repro.errors import UserError

SCHEDULES = ("constant", "inv_sqrt_iteration", "inv_sqrt_pass", "inv_pass")
EXPONENTIAL = "exponential_"  # followed by the factor of a pass, as exponential_0.95
ORDERS = ("once", "every_pass", "file")
AVERAGES = ("none", "polyak", "exponential")
ENGINES = ("auto", "batched", "looped")


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

    def __post_init__(self) -> None:
        _folder("task.name", self.task.get("name"))
        _folder("optimizer.name", self.optimizer.get("name"))
        _data(self.task)
        _schedule(self.schedule)
        _one_of("task.order", self.task.get("order"), ORDERS)
        _one_of("averaging.name", self.averaging.get("name"), AVERAGES)
        _whole("seed", self.seed, 0)
        _whole("epochs", self.epochs, 1)
        _whole("batch_size", self.batch_size, 1)
        _whole("eval_train_every", self.eval_train_every, 0)
        if self.task.get("epoch_examples") is not None:
            _whole("task.epoch_examples", self.task["epoch_examples"], 1)
        if self.task.get("cost_examples") is not None:
            _whole("task.cost_examples", self.task["cost_examples"], 1)
        own = ("name", "decay") if self.averaging["name"] == "exponential" else ("name",)
        _known("averaging.", self.averaging, own)
        decay = self.averaging.get("decay", 0.0)
        if self.averaging["name"] == "exponential" and "decay" not in self.averaging:
            raise UserError(
                "averaging.decay: missing; averaging.name=exponential needs a number in [0, 1): "
                "averaging=exponential gives both"
            )
        if not _is_number(decay) or not 0.0 <= decay < 1.0:
            raise UserError(f"averaging.decay={decay}: must be a number in [0, 1)")

    @property
    def settings(self) -> dict[str, Any]:
        """The resolved scientific configuration, as ``trial.yaml`` keeps it."""
        return asdict(self)

    @cached_property
    def identity(self) -> str:
        """Twelve hexadecimal digits that name these settings and no others."""
        text = json.dumps(_canonical(self.settings), sort_keys=True, allow_nan=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

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

    def __post_init__(self) -> None:
        _one_of("engine", self.engine, ENGINES)


def read(config: Mapping[str, Any]) -> tuple[Trial, Run]:
    """The trial and the run of a resolved configuration (plain mappings, as Hydra composes it)."""
    for key in (*Trial.__dataclass_fields__, *Run.__dataclass_fields__):
        if key not in config:
            raise UserError(f"{key}: missing; every run needs it, do not delete it with ~{key}")
    _known("", config, (*Trial.__dataclass_fields__, *Run.__dataclass_fields__))
    trial = Trial(
        **{key: config[key] for key in Trial.__dataclass_fields__},
    )
    run = Run(
        device=str(config["device"]),
        engine=str(config["engine"]),
        tf32=_flag("tf32", config["tf32"]),
        results_dir=_path("results_dir", config["results_dir"]),
        keep_checkpoint=_flag("keep_checkpoint", config["keep_checkpoint"]),
        progress=_flag("progress", config["progress"]),
    )
    return trial, run


def _canonical(value: Any) -> Any:
    """``value`` with numbers that are equal written alike, so that lr=1 and lr=1.0 are one trial."""
    if isinstance(value, Mapping):
        return {key: _canonical(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_canonical(item) for item in value]
    if isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    return value


def _one_of(option: str, value: Any, legal: tuple[str, ...]) -> None:
    if value not in legal:
        raise UserError(f"{option}={value}: must be one of {', '.join(legal)}")


def _known(prefix: str, section: Mapping[str, Any], legal: tuple[str, ...]) -> None:
    for key in section:
        if key not in legal:
            raise UserError(
                f"{prefix}{key}: there is no such option; legal here: "
                + ", ".join(prefix + name for name in legal)
            )


def _schedule(value: Any) -> None:
    if value in SCHEDULES:
        return
    word = value.removeprefix(EXPONENTIAL) if isinstance(value, str) else ""
    try:
        legal = word != value and 0.0 < float(word) < 1.0
    except ValueError:
        legal = False
    if not legal:
        raise UserError(
            f"schedule={value}: must be one of {', '.join(SCHEDULES)}, or {EXPONENTIAL}GAMMA with "
            f"GAMMA above 0 and below 1, as {EXPONENTIAL}0.95"
        )


def _folder(option: str, value: Any) -> None:
    """Refuse what cannot name a folder of its own among the results."""
    if not isinstance(value, str) or value in ("", ".", "..") or set(value) & set("/\\\0"):
        raise UserError(f"{option}={value}: must be a word that can name a folder, without slashes")


def _path(option: str, value: Any) -> Path:
    # The command line reads a folder that is called 2014 as a number.
    if isinstance(value, bool) or not isinstance(value, (str, int, Path)):
        raise UserError(f"{option}={value}: must be the path of a folder, as {option}=results")
    return Path(str(value))


def _data(task: Mapping[str, Any]) -> None:
    data = task.get("data", {"name": ""})  # a task of theory may have none
    if not isinstance(data, Mapping):
        raise UserError(
            f"task.data={data}: must be a name with options; to choose another data set, "
            f"give task.data.name={data}"
        )
    if not isinstance(data.get("name"), str):
        raise UserError(f"task.data.name={data.get('name')}: must be the name of a data set")


def _whole(option: str, value: Any, minimum: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < minimum:
        raise UserError(f"{option}={value}: must be a whole number, at least {minimum}")


def _flag(option: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise UserError(f"{option}={value}: must be true or false")
    return value


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


Hyperparameters = Mapping[str, Any]


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
