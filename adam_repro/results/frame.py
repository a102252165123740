"""Any trials as one tidy pandas frame: a row an epoch, the settings of its trial as columns.

The folders are read as they are: those that are damaged are named and left out.
"""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from adam_repro.config.trial import Trial, flat, identity_of
from adam_repro.errors import UserError
from adam_repro.results import checksums
from adam_repro.results.provenance import Loader
from adam_repro.results.sweep_folder import SWEEP, trials_of_sweep

FIRST = ("task", "optimizer", "seed", "status", "epoch")  # the columns that come first
COMPLETE = ("finished", "diverged")


@dataclass(frozen=True)
class _TrialFiles:
    """What the files of one trial say. ``rows``: the lines of metrics.csv; ``seconds`` [epochs]: of each."""

    settings: dict[str, Any]  # a cell a column
    header: str
    rows: list[str]
    seconds: np.ndarray


_Parsed = tuple[Sequence[_TrialFiles], pd.DataFrame]  # trials, and their rows below each other


class _DamagedError(Exception):
    """A trial's files that cannot be read; its text says why."""


def load(results: str | Path | Sequence[str | Path]) -> pd.DataFrame:
    """Every trial below these folders as one frame, with a row an epoch.

    ``results``: a folder of a trial, any folder above trials, a folder of a sweep, or several of them.

    The columns: ``task``, ``optimizer`` (the class of one by import path), ``seed``, ``status``
    (running, finished, diverged or failed), ``epoch`` from 0; those of metrics.csv, as ``train_cost``
    in nats per example; ``seconds`` of training until the end of the epoch (in a stack, the trial's
    share); every setting by its dotted name, as ``optimizer.lr``; ``identity``, ``hardware``,
    ``folder``. A cell is empty where a setting is null, or a trial has no such setting or quantity.

    A folder that is damaged is left out, with a warning that names it.

    Raises:
        UserError: a folder that is not there, or no trial below any of them.
    """
    places = [results] if isinstance(results, str | Path) else list(results)
    frame, problems = read([Path(place) for place in places])
    for problem in problems:
        warnings.warn(problem, RuntimeWarning, stacklevel=2)
    return frame


def read(places: Sequence[Path]) -> tuple[pd.DataFrame, list[str]]:
    """The frame of :func:`load`, and a message on each folder that is left out.

    Raises:
        UserError: as :func:`load`.
    """
    folders, problems = _folders(places)
    if not folders and not problems:
        raise UserError(
            f"there is no trial in {' or '.join(map(str, places))}; give the folder of a trial, one above "
            "trials, as results/runs, or one of a sweep, as results/sweeps/DATE"
        )
    return _frame(folders, problems)


def is_setting(column: str) -> bool:
    """Whether a column of the frame is a setting, as ``optimizer.lr`` or ``schedule``."""
    return column.split(".")[0] in Trial.__dataclass_fields__


def _folders(places: Iterable[Path]) -> tuple[list[Path], list[str]]:
    """The trials' folders, each once, and what is missing of sweeps."""
    found: dict[str, Path] = {}
    problems: list[str] = []
    for place in places:
        if not place.is_dir():
            what = "is a file" if place.exists() else "there is no such folder"
            raise UserError(f"{place}: {what}; give folders of trials or of sweeps")
        if (place / SWEEP).is_file():
            here, missing = trials_of_sweep(place)
            problems += missing
        else:
            here = list(_below(place))
            for sweep in sorted(place.rglob(SWEEP)) if not here else ():
                more, missing = trials_of_sweep(sweep.parent)
                here += more
                problems += missing
        found |= {os.path.realpath(folder): folder for folder in here}
    return list(found.values()), list(dict.fromkeys(problems))


def _below(place: Path) -> Iterator[Path]:
    """The folders of trials below ``place``, or ``place`` itself, in the order of their names."""
    for folder, subfolders, files in os.walk(place):
        if "trial.yaml" in files or {"metrics.csv", "timing.csv"} <= set(files):
            subfolders.clear()
            yield Path(folder)
        subfolders.sort()


def _frame(folders: Sequence[Path], problems: list[str]) -> tuple[pd.DataFrame, list[str]]:
    found: dict[str, _TrialFiles] = {}
    for folder in folders:
        try:
            one = _read_trial(folder)
        except _DamagedError as reason:
            problems.append(f"{folder}: {reason}; left out")
            continue
        identity = one.settings["identity"]
        if identity in found:
            first = found[identity].settings["folder"]
            problems.append(f"{folder}: is the trial of {first} again; left out")
            continue
        found[identity] = one
    groups = [
        parsed
        for header in dict.fromkeys(one.header for one in found.values())
        for parsed in _parse([one for one in found.values() if one.header == header], problems)
    ]
    if not groups:
        raise UserError("no trial can be read:\n  " + "\n  ".join(problems))
    frame = _joined(groups)
    return frame[_order(frame)], problems


def _joined(groups: Sequence[_Parsed]) -> pd.DataFrame:
    """The rows of all groups, with the settings of the trial that each is of."""
    trials = [one for several, _ in groups for one in several]
    rows = pd.concat([part for _, part in groups], ignore_index=True)
    rows = rows.astype(
        {name: int for name in ("epoch", "step") if name in rows and rows[name].notna().all()}
    )
    settings = pd.DataFrame([one.settings for one in trials])
    repeats = np.repeat(np.arange(len(trials)), [len(one.rows) for one in trials])
    settings = settings.iloc[repeats].reset_index(drop=True)
    # A quantity of a task that is called as a setting is: the setting has the name.
    own = rows.drop(columns=[name for name in rows if name in settings])
    return pd.concat([settings, own], axis=1)


def _order(frame: pd.DataFrame) -> list[str]:
    last = ("identity", "hardware", "folder")
    settings = [c for c in frame if is_setting(c) and c not in FIRST]
    metrics = [c for c in frame if c not in (*FIRST, *settings, *last)]
    return [*FIRST, *metrics, *settings, *last]


def _read_trial(folder: Path) -> _TrialFiles:
    """One trial's files.

    Raises:
        _DamagedError: why they cannot be used.
    """
    record = _record(folder / "trial.yaml")
    status, config = record["status"], record["config"]
    header, rows = _csv(folder / "metrics.csv")
    asked = config["epochs"]
    if status in COMPLETE:
        lacks = len(rows) < (asked if status == "finished" else 1)
        if lacks or checksums.changed_csvs(folder, record.get(checksums.CHECKSUMS)):
            raise _DamagedError(f"its CSVs are not as they were when the trial {status}")
    elif not rows:
        raise _DamagedError(f"the trial is {status}, and no epoch of it is there")
    provenance = record.get("provenance")
    hardware = provenance.get("hardware") if isinstance(provenance, dict) else None
    settings = {key: _cell(value) for key, value in flat(config).items()}
    target = settings.get("optimizer.target") or settings["optimizer.name"]
    names = {
        "task": settings["task.name"],
        "optimizer": str(target).rsplit(".", 1)[-1],
        "status": status,
    }
    place = {"identity": record["identity"], "hardware": hardware, "folder": str(folder)}
    return _TrialFiles(
        names | settings | place, header, rows, _seconds(folder / "timing.csv", len(rows))
    )


def _record(path: Path) -> dict[str, Any]:
    """trial.yaml, which must be of the settings that its identity is a hash of."""
    try:
        record: Any = yaml.load(path.read_text(encoding="utf-8"), Loader)
        config = record["config"]
        named = all("name" in config[section] for section in ("task", "optimizer"))
        if named and identity_of(config) == record["identity"] and "status" in record:
            return dict(record)
    except OSError:
        raise _DamagedError("trial.yaml is not there, or not readable") from None
    except (ValueError, TypeError, KeyError, AttributeError, yaml.YAMLError):
        pass
    raise _DamagedError("trial.yaml is damaged")


def _csv(path: Path) -> tuple[str, list[str]]:
    """The first line of a CSV, and the whole rows after it, without their ends.

    What follows a line that is no row is left out: the last may be in the making, or be cut off.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n")
    except (OSError, UnicodeDecodeError):
        raise _DamagedError(f"{path.name} is not there, or not readable") from None
    header, *lines = text.split("\n")
    names = header.split(",")
    if "epoch" not in names or len(set(names)) < len(names):
        raise _DamagedError(f"{path.name} has no header with the column epoch")
    at = names.index("epoch")
    rows: list[str] = []
    for line in lines[:-1]:  # after the last line end is nothing, or a part of a row
        cells = line.split(",")
        if len(cells) != len(names) or cells[at] != str(len(rows)):
            break
        rows.append(line)
    return header, rows


def _seconds(path: Path, epochs: int) -> np.ndarray:
    """Seconds of training until the end of each epoch, [epochs]; NaN where they are not known."""
    found = np.full(epochs, np.nan)
    try:
        header, rows = _csv(path)
        at = header.split(",").index("seconds")
        known = np.cumsum([float(row.split(",")[at]) for row in rows[:epochs]])
        found[: len(known)] = known
    except (_DamagedError, ValueError):
        pass
    return found


def _cell(value: Any) -> Any:
    """A setting in a form that can be grouped by: a list becomes text, and so does an empty mapping."""
    return str(value) if isinstance(value, list | Mapping) else value


def _parse(trials: Sequence[_TrialFiles], problems: list[str]) -> Iterator[_Parsed]:
    """The rows of trials whose CSVs have the same columns.

    All are parsed at once. Where that fails, each is parsed alone, and those that fail are told.
    """
    try:
        yield trials, _numbers(trials)
    except ValueError:
        for one in trials:
            try:
                yield [one], _numbers([one])
            except ValueError:
                problems.append(
                    f"{one.settings['folder']}: metrics.csv has a cell that is no number; left out"
                )


def _numbers(trials: Sequence[_TrialFiles]) -> pd.DataFrame:
    """The rows of metrics.csv as numbers, and the seconds.

    Raises:
        ValueError: a cell that is none.
    """
    lines = [trials[0].header, *(row for one in trials for row in one.rows), ""]
    rows = pd.read_csv(io.StringIO("\n".join(lines)), dtype=float, index_col=False)
    rows["seconds"] = np.concatenate([one.seconds for one in trials])
    return rows
