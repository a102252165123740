"""The files of a comparison, rows.csv, scores.csv and compare.yaml: written, and read again. No torch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import yaml

from adam_repro.comparison.model import (
    ROW_COLUMNS,
    Comparison,
    Entrant,
    Score,
    Setting,
    TaskResult,
    TuningTrial,
)
from adam_repro.config.trial import flat
from adam_repro.errors import UserError
from adam_repro.files import write_text

if TYPE_CHECKING:  # it imports torch
    from adam_repro.comparison.request import Request

ROWS, SCORES, RECORD = "rows.csv", "scores.csv", "compare.yaml"
OF_ONE_TRIAL = ("optimizer", "schedule", "seed")  # settings in which trials of a task differ
MOST_TOLD = 6  # differences in a message
TEXTS = {
    **dict.fromkeys(("task", "optimizer", "schedule", "grid", "identity", "source"), str),
    **dict.fromkeys(("candidate", "rival", "metric", "verdict", "why"), str),
}


def write(comparison: Comparison, folder: Path) -> None:
    """Write the three files; the record last."""
    folder.mkdir(parents=True, exist_ok=True)
    parts = [task.rows.assign(task=task.task) for task in comparison.tasks]
    rows = pd.concat(parts, ignore_index=True)[["task", *ROW_COLUMNS]]
    write_text(folder / ROWS, rows.to_csv(index=False, float_format="%.9g", lineterminator="\n"))
    scores = pd.DataFrame([asdict(one) for one in comparison.scores], columns=_names(Score))
    write_text(
        folder / SCORES, scores.to_csv(index=False, float_format="%.6g", lineterminator="\n")
    )
    text = yaml.safe_dump(_record(comparison), sort_keys=False, allow_unicode=True, width=100)
    write_text(folder / RECORD, text)


def check_free(folder: Path, request: Request) -> None:
    """Check that a request may be written to a folder: nothing is there, or the same comparison.

    One at scale smoke says nothing about the optimizers; any fuller one may replace it.

    Raises:
        UserError: another comparison is there; the message says what differs.
    """
    try:
        record = yaml.safe_load((folder / RECORD).read_text(encoding="utf-8"))
        there, scale = _settings_of_record(record), record["scale"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, yaml.YAMLError):
        return
    here = _settings_of_request(request)
    differing = [
        f"{name} {_shown(there[part].get(name))} there, {_shown(here[part].get(name))} here"
        for part in there
        if part in here
        for name in dict.fromkeys((*there[part], *here[part]))
        if there[part].get(name) != here[part].get(name)
    ]
    if differing and (scale == request.scale or scale != "smoke"):
        more = len(differing) - MOST_TOLD
        told = "; ".join([*differing[:MOST_TOLD], *([f"and {more} more"] if more > 0 else [])])
        raise UserError(
            f"label={request.label}: {folder} holds another comparison, which would be replaced: {told}. "
            f"Give this one another name, as label={request.label}_2, or delete that folder; what is "
            "trained stays either way"
        )


Options = Mapping[str, Any]
Tasks = dict[
    str, tuple[Options, Options]
]  # by name: the task's own options, those of a trial of it
Settings = dict[tuple[str, str], dict[str, Any]]  # a part, what it is of, and its options by name


def _settings(whole: Options, entrants: Iterable[Options], tasks: Tasks) -> Settings:
    """What a comparison is of, in a form that can be compared."""
    entrants = list(entrants)
    candidates, rivals = (
        sorted(one["label"] for one in entrants if one["candidate"] is is_candidate)
        for is_candidate in (True, False)
    )
    names = {"candidates": candidates, "rivals": rivals, "tasks": sorted(tasks)}
    own = {name: whole[name] for name in ("label", "scale", "seeds", "budget")}
    found: Settings = {("", ""): own | names}
    for entrant in entrants:
        options = {
            key: value
            for key, value in entrant.items()
            if key not in ("label", "candidate", "notes")
        }
        found["optimizer", entrant["label"]] = _named(entrant["label"], options)
    for name, (task, trial) in tasks.items():
        found["task", name] = _named(name, task)
        if trial:
            every = {key: value for key, value in trial.items() if key not in OF_ONE_TRIAL}
            found["trial", name] = _named(name, flat(every))
    return found


def _named(prefix: str, options: Options) -> dict[str, Any]:
    return {f"{prefix}: {key}": _plain(value) for key, value in options.items()}


def _settings_of_record(record: Options) -> Settings:
    tasks: Tasks = {
        one["task"]: (
            {name: one[name] for name in ("epochs", "metric", "schedules")},
            next(iter(one["settings"].values()), {}),  # nobody's where all diverged
        )
        for one in record["tasks"]
    }
    return _settings(record, record["entrants"], tasks)


def _settings_of_request(request: Request) -> Settings:
    tasks: Tasks = {}
    for one in request.tasks:
        epochs, schedules = one.epochs_at(request.scale), request.schedules_of(one)
        own = {"epochs": epochs, "metric": one.metric, "schedules": schedules}
        tasks[one.name] = (own, request.settings_of(one))
    return _settings(vars(request), map(asdict, request.entrants), tasks)


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(map(str, value)) or "none"
    return "none" if value in (None, "", {}) else str(value)


def read(folder: Path) -> Comparison:
    """The comparison that was written to a folder.

    Raises:
        UserError: a file is missing or damaged.
    """
    try:
        record = yaml.safe_load((folder / RECORD).read_text(encoding="utf-8"))
        rows = pd.read_csv(folder / ROWS, dtype=TEXTS, keep_default_na=True)
        scores = pd.read_csv(folder / SCORES, dtype=TEXTS)
        return _comparison(record, rows, scores)
    except FileNotFoundError as error:
        raise UserError(
            f"{error.filename}: there is no such file; `adam-repro compare` makes it"
        ) from None
    except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError) as error:
        raise UserError(
            f"{folder}: the comparison cannot be read ({type(error).__name__}: {error}); give the "
            "command again: its trials are there"
        ) from None


def _names(kind: type) -> list[str]:
    return [one.name for one in fields(kind)]


def _record(comparison: Comparison) -> dict[str, Any]:
    return {
        **{
            name: getattr(comparison, name)
            for name in ("label", "command", "scale", "seeds", "budget")
        },
        "provenance": _plain(comparison.provenance),
        "entrants": [_plain(asdict(one)) for one in comparison.entrants],
        "tasks": [_task(one) for one in comparison.tasks],
    }


def _task(task: TaskResult) -> dict[str, Any]:
    others = ("task", "epochs", "metric", "schedules", "cannot", "notes", "settings")
    return {
        **{name: _plain(getattr(task, name)) for name in others},
        "best": {label: _plain(asdict(one)) for label, one in task.best.items()},
        "tuning": {
            label: [[_plain(asdict(one.setting)), one.cost, one.status] for one in several]
            for label, several in task.tuning.items()
        },
        "step_seconds": {label: float(f"{s:.3g}") for label, s in task.step_seconds.items()},
        "state_bytes": dict(task.state_bytes),
    }


def _plain(value: Any) -> Any:
    """The value in the types of YAML."""
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    return value


def _comparison(record: dict[str, Any], rows: pd.DataFrame, scores: pd.DataFrame) -> Comparison:
    rows["grid"] = rows["grid"].fillna("")
    tasks = [_read_task(one, rows) for one in record.pop("tasks")]
    entrants = [Entrant(**_entrant(one)) for one in record.pop("entrants")]
    texts = {"verdict": "", "why": ""}
    found = [Score(**one) for one in scores.fillna(texts).to_dict("records")]
    return Comparison(**record, entrants=tuple(entrants), tasks=tuple(tasks), scores=tuple(found))


def _entrant(section: dict[str, Any]) -> dict[str, Any]:
    found = {key: tuple(one) if isinstance(one, list) else one for key, one in section.items()}
    found["search"] = {key: _values(several) for key, several in section["search"].items()}
    return found


def _values(several: list[Any]) -> tuple[Any, ...]:
    return tuple(tuple(one) if isinstance(one, list) else one for one in several)


def _setting(section: dict[str, Any]) -> Setting:
    others = tuple((key, *_values([value])) for key, value in section["others"])
    return Setting(section["lr"], section["schedule"], others)


def _read_task(section: dict[str, Any], rows: pd.DataFrame) -> TaskResult:
    mine = rows[rows["task"] == section["task"]].drop(columns="task").reset_index(drop=True)
    best = {label: _setting(one) for label, one in section.pop("best").items()}
    tuning = {
        label: tuple(
            TuningTrial(_setting(setting), float(cost), status) for setting, cost, status in several
        )
        for label, several in section.pop("tuning").items()
    }
    notes = {label: tuple(several) for label, several in section.pop("notes").items()}
    schedules = tuple(section.pop("schedules"))
    return TaskResult(
        **section, rows=mine, best=best, tuning=tuning, notes=notes, schedules=schedules
    )
