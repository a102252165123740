"""The merged CSV of a figure: its columns, and reading one that may be missing, empty, cut or foreign."""

from __future__ import annotations

import csv
import warnings
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path

import numpy as np
import pandas as pd

from adam_repro.figures import load, spec
from adam_repro.files import write_text

COLUMNS = (
    "figure",  # file name in configs/figure, without .yaml
    "panel",  # empty: in every panel of the figure
    "reading",  # as_printed, dense_grid; empty: in both
    "series",  # the legend's text
    "scale",  # paper, short, smoke
    "lr",
    "grid",  # what else was searched, as "key=value key=value"
    "seed",
    "epoch",  # from 0, as in metrics.csv
    "train_cost",
    "eval_train_cost",  # of the whole training set at the end of the epoch, where it was evaluated
    "test_cost",
    "test_error",
    "seconds",  # of training until the end of this epoch; in a stack, the trial's share
    "status",  # finished, diverged, running, failed
    "identity",
    "selected",  # drawn in the figure, or part of the grid behind it
)
REQUIRED = ("figure", "series", "epoch", "train_cost")  # of any file
#: Of a figure's own file, which the merge writes whole; older ones lack what is evaluated after a pass.
OWN = (*REQUIRED, *(name for name in COLUMNS if name not in (*REQUIRED, spec.EVALUATED)))
NUMBERS = (
    "lr", "seed", "epoch", "train_cost", "eval_train_cost", "test_cost", "test_error", "seconds",
)  # fmt: skip
TOO_LONG = "cells beyond the head"  # of a line: whether it has any
DEFAULTS = {"seed": 0.0, "scale": "unknown", "status": "finished", "selected": True}


@dataclass
class Merged:
    """The rows of one figure that can be trusted, and what is wrong with the others."""

    rows: pd.DataFrame
    problems: list[str] = field(default_factory=list)


def empty() -> pd.DataFrame:
    return pd.DataFrame({column: pd.Series(dtype=object) for column in COLUMNS})


def read(folder: Path, figure: str) -> Merged:
    """``<figure>.csv`` of a folder and the rows on that figure in ``extra/*.csv`` beside it."""
    problems: list[str] = []
    parts = [_file(folder / f"{figure}.csv", figure, problems, own=True)]
    taken = {series.label for series in load.load(figure).series}
    for path in _extra(folder):
        rows = _file(path, figure, problems, own=False)
        for label in sorted(set(rows["series"]) & taken):
            other = f"{label} ({path.stem})"
            problems.append(f"extra/{path.name}: there is a series {label}; drawn as {other}")
            rows["series"] = rows["series"].replace(label, other)
        taken |= set(rows["series"])
        problems += _other_scale(rows, parts[0], f"extra/{path.name}")
        parts.append(rows)
    filled = [part for part in parts if len(part)]
    return Merged(pd.concat(filled, ignore_index=True) if filled else empty(), problems)


def _other_scale(rows: pd.DataFrame, own: pd.DataFrame, name: str) -> list[str]:
    """Rows that were added to a figure of another scale, of which the figure's is told."""
    other = sorted(set(rows["scale"]) - set(own["scale"]) - {DEFAULTS["scale"]})
    if not other or own.empty:
        return []
    its = " and ".join(sorted(set(own["scale"])))
    return [
        f"{name}: rows of scale {', '.join(other)} are drawn beside the figure's of scale {its}"
    ]


def own(folder: Path, figure: str) -> pd.DataFrame:
    """The sound rows of ``<figure>.csv`` alone, without those of ``extra``."""
    return _file(folder / f"{figure}.csv", figure, [], own=True)


def strangers(folder: Path) -> list[str]:
    """What in ``extra/*.csv`` is of no figure there is, in words."""
    told = []
    for path in _extra(folder):
        raw = _raw(path)
        if isinstance(raw, pd.DataFrame) and "figure" in raw:
            unknown = sorted(set(raw["figure"]) - set(load.names()))
            told += [f"extra/{path.name}: there is no figure {name!r}" for name in unknown]
    return told


def _extra(folder: Path) -> list[Path]:
    return sorted((folder / "extra").glob("*.csv"))


def write(rows: pd.DataFrame, path: Path) -> None:
    """Put the merged rows in place, whole or not at all, in a fixed order."""
    order = ["reading", "panel", "series", "selected", "lr", "grid", "seed", "epoch"]
    rows = rows.reindex(columns=list(COLUMNS)).sort_values(order, kind="stable")
    write_text(path, rows.to_csv(index=False, float_format="%.8g", lineterminator="\n"))


def _file(path: Path, figure: str, problems: list[str], own: bool) -> pd.DataFrame:
    name = path.name if own else f"extra/{path.name}"
    raw = _raw(path)
    if isinstance(raw, str):
        problems.append(f"{name} {raw}")
        return empty()
    lacking = [column for column in (OWN if own else REQUIRED) if column not in raw]
    if lacking:
        problems.append(f"{name} lacks the columns {', '.join(lacking)}: nothing of it is used")
        return empty()
    if own and raw.empty:
        problems.append(f"{name} has no rows")
    return _sound(raw, figure, name, problems, own)


def _raw(path: Path) -> pd.DataFrame | str:
    """The cells of a CSV as text and which lines are too long, or what is wrong with it as a whole."""
    try:
        return _cells(path)
    except FileNotFoundError:
        return "is missing"
    except pd.errors.EmptyDataError:
        return "is empty"
    except (csv.Error, UnicodeDecodeError, OSError) as error:
        return f"cannot be read as CSV ({type(error).__name__})"


def _cells(path: Path) -> pd.DataFrame:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)  # the first row is too long
            raw = pd.read_csv(path, dtype=str, keep_default_na=False, index_col=False)
        return raw.assign(**{TOO_LONG: False})
    except (pd.errors.ParserError, pd.errors.ParserWarning):
        return _line_by_line(path)


def _line_by_line(path: Path) -> pd.DataFrame:
    """The same for lines of any length, which pandas would cut, skip or take an index from."""
    with path.open(newline="", encoding="utf-8-sig") as file:
        head, *lines = (line for line in csv.reader(file, strict=True) if line)
    columns = zip_longest(head, *lines, fillvalue="")
    cells = {name: column for name, *column in list(columns)[: len(head)]}
    raw = pd.DataFrame(cells, dtype=str)
    return raw.assign(**{TOO_LONG: [any(line[len(head) :]) for line in lines]})


def _sound(
    raw: pd.DataFrame, figure: str, name: str, problems: list[str], own: bool
) -> pd.DataFrame:
    """The rows that say what a row must say, typed; the others counted."""
    mine = raw["figure"] == figure
    if own and not mine.all():
        problems.append(f"{name}: {(~mine).sum()} rows are of another figure and are left out")
    rows = raw[mine].copy()
    # A line cut short loses its last cells; every whole line says whether it is selected.
    whole = (rows["series"] != "") & ~rows[TOO_LONG]
    if "selected" in rows:
        rows["selected"] = rows["selected"].str.capitalize()
        whole &= rows["selected"].isin(("True", "False"))
    rows = rows.reindex(columns=list(COLUMNS), fill_value="")
    unreadable = pd.Series(False, index=rows.index)
    for column in NUMBERS:
        numbers = pd.to_numeric(rows[column], errors="coerce")
        unreadable |= numbers.isna() & ~rows[column].str.lower().isin(("", "nan"))
        rows[column] = numbers
    died = rows["status"] == "diverged"
    sound = whole & ~unreadable & _whole_number(rows["epoch"])
    sound &= rows["seed"].isna() | _whole_number(rows["seed"])
    sound &= rows["train_cost"].notna() | died
    if not sound.all():
        problems.append(f"{name}: {(~sound).sum()} rows are cut off or no numbers, and left out")
    rows = _once(_typed(_placed(rows[sound], figure, name, problems)), name, problems)
    problems += _rivals(rows, figure, name)
    return rows


def _placed(rows: pd.DataFrame, figure: str, name: str, problems: list[str]) -> pd.DataFrame:
    """The rows of a reading and a panel that the figure has."""
    one = load.load(figure)
    for column, legal in (
        ("reading", one.readings),
        ("panel", tuple(panel.name for panel in one.panels)),
    ):
        strange = ~rows[column].isin(("", *legal))
        if strange.any():
            found = ", ".join(sorted(set(rows.loc[strange, column])))
            problems.append(
                f"{name}: {strange.sum()} rows are of no {column} of this figure ({found}) and left "
                f"out; legal: {', '.join(legal)}"
            )
        rows = rows[~strange]
    return rows


def _once(rows: pd.DataFrame, name: str, problems: list[str]) -> pd.DataFrame:
    """The last of rows that say the same epoch of the same trial."""
    keys = ["reading", "panel", "series", "lr", "grid", "seed", "epoch", "selected", "identity"]
    again = rows.duplicated(keys, keep="last")
    if again.any():
        problems.append(f"{name}: {again.sum()} rows stand there twice; the last of each counts")
    return rows[~again]


def _rivals(rows: pd.DataFrame, figure: str, name: str) -> list[str]:
    """What of the rows to be drawn is there from several trials, where only one can be, in words."""
    keys = ["reading", "panel", "series", "seed", "epoch"]
    if load.load(figure).every_lr_is_drawn:
        keys.append("lr")  # every lr is drawn
    drawn = rows[rows["selected"]]
    twice = drawn[drawn.duplicated(keys)]
    return [
        f"{name}: {label}: {count} rows are of another trial than one of the same seed and epoch"
        for label, count in twice["series"].value_counts().sort_index().items()
    ]


def _whole_number(column: pd.Series) -> pd.Series:
    return column.between(0, 2**53) & (column == np.floor(column))  # above, floats skip some


def _typed(rows: pd.DataFrame) -> pd.DataFrame:
    rows = rows.copy()
    for column, value in DEFAULTS.items():
        blank = rows[column].isna() if column in NUMBERS else rows[column] == ""
        rows[column] = rows[column].where(~blank, value)
    rows["selected"] = rows["selected"].astype(str) == "True"
    rows[["epoch", "seed"]] = rows[["epoch", "seed"]].astype(int)
    return rows
