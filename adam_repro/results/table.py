"""The merged CSV of a figure: its schema; validation of files that are missing, cut or foreign."""

from __future__ import annotations

import csv
import warnings
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path

import numpy as np
import pandas as pd

from adam_repro.figures import load, spec
from adam_repro.files import visible, write_text
from adam_repro.wording import are, counted, suggestion

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
    "status",  # finished or diverged; rows of any other trial are ignored
    "identity",
    "selected",  # plotted in the figure, or part of the grid behind it
)
REQUIRED = ("figure", "series", "epoch", "train_cost")  # in any file
#: Required in <figure>.csv, which the merge writes; older ones lack what is evaluated after a pass.
FIGURE_REQUIRED = (
    *REQUIRED,
    *(name for name in COLUMNS if name not in (*REQUIRED, spec.EVALUATED)),
)
NUMERIC = (
    "lr", "seed", "epoch", "train_cost", "eval_train_cost", "test_cost", "test_error", "seconds",
)  # fmt: skip
TOO_LONG = "line is longer than the header"  # a column of our own: whether it has cells beyond it
COMPLETE = ("finished", "diverged")  # trials whose rows are results
DEFAULTS = {"seed": 0.0, "scale": "unknown", "status": "finished", "selected": True}


@dataclass
class MergedRows:
    """The valid rows of one figure, and messages on the others."""

    rows: pd.DataFrame
    problems: list[str] = field(default_factory=list)


def columns_of(figure: str) -> list[str]:
    """`COLUMNS`, and the columns of the figure's tasks that its panels draw."""
    drawn = {panel.quantity for panel in load.load(figure).panels} - set(COLUMNS)
    before = COLUMNS.index("seconds")
    return [*COLUMNS[:before], *sorted(drawn), *COLUMNS[before:]]


def empty() -> pd.DataFrame:
    return pd.DataFrame({column: pd.Series(dtype=object) for column in COLUMNS})


def read(folder: Path, figure: str) -> MergedRows:
    """``<figure>.csv`` of a folder, and the figure's rows in ``extra/*.csv`` beside it."""
    problems: list[str] = []
    parts = [_read_file(folder / f"{figure}.csv", figure, problems, extra=False)]
    taken = {series.label for series in load.load(figure).series}
    for path in _extra_files(folder):
        rows = _read_file(path, figure, problems, extra=True)
        for label in sorted(set(rows["series"]) & taken):
            renamed = f"{label} ({path.stem})"
            problems.append(f"extra/{path.name}: {label} is a series already; drawn as {renamed}")
            rows["series"] = rows["series"].replace(label, renamed)
        taken |= set(rows["series"])
        problems += _other_scales(rows, parts[0], f"extra/{path.name}")
        parts.append(rows)
    filled = [part for part in parts if len(part)]
    return MergedRows(pd.concat(filled, ignore_index=True) if filled else empty(), problems)


def _other_scales(rows: pd.DataFrame, figure_rows: pd.DataFrame, name: str) -> list[str]:
    """A message if added rows have another scale than the figure's own."""
    other = sorted(set(rows["scale"]) - set(figure_rows["scale"]) - {DEFAULTS["scale"]})
    if not other or figure_rows.empty:
        return []
    own = " and ".join(sorted(set(figure_rows["scale"])))
    return [f"{name}: has rows of scale {', '.join(other)}; the figure is at scale {own}"]


def read_figure_csv(folder: Path, figure: str) -> pd.DataFrame:
    """The valid rows of ``<figure>.csv``, without those of ``extra``."""
    return _read_file(folder / f"{figure}.csv", figure, [], extra=False)


def unknown_figures(folder: Path) -> list[str]:
    """A message for every figure name in ``extra/*.csv`` that does not exist."""
    messages = []
    for path in _extra_files(folder):
        cells = _read_cells(path)
        if isinstance(cells, pd.DataFrame) and "figure" in cells:
            messages += [
                f"extra/{path.name}: unknown figure {name!r}{suggestion(name, load.names())}"
                for name in sorted(set(cells["figure"]) - set(load.names()))
            ]
    return messages


def _extra_files(folder: Path) -> list[Path]:
    return visible(folder / "extra", "*.csv")


def write(rows: pd.DataFrame, path: Path) -> None:
    """Write the merged rows of the figure that names the file, in a fixed order, atomically."""
    order = ["reading", "panel", "series", "selected", "lr", "grid", "seed", "epoch"]
    rows = rows.reindex(columns=columns_of(path.stem)).sort_values(order, kind="stable")
    write_text(path, rows.to_csv(index=False, float_format="%.8g", lineterminator="\n"))


def _read_file(path: Path, figure: str, problems: list[str], extra: bool) -> pd.DataFrame:
    name = f"extra/{path.name}" if extra else path.name
    cells = _read_cells(path)
    if isinstance(cells, str):
        problems.append(f"{name} {cells}")
        return empty()
    required = REQUIRED if extra else FIGURE_REQUIRED
    missing = [column for column in required if column not in cells]
    if missing:
        problems.append(f"{name} lacks the columns {', '.join(missing)}: the file is ignored")
        return empty()
    if not extra and cells.empty:
        problems.append(f"{name} has no rows")
    return _valid_rows(cells, figure, name, problems, extra)


def _read_cells(path: Path) -> pd.DataFrame | str:
    """The cells of a CSV as text, with the column `TOO_LONG`; or why the file cannot be read."""
    try:
        return _read_by_pandas(path)
    except FileNotFoundError:
        return "is missing"
    except pd.errors.EmptyDataError:
        return "is empty"
    except (csv.Error, UnicodeDecodeError, OSError) as error:
        return f"cannot be read as CSV ({type(error).__name__})"


def _read_by_pandas(path: Path) -> pd.DataFrame:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)  # the first row is too long
            cells = pd.read_csv(
                path, dtype=str, keep_default_na=False, index_col=False, encoding="utf-8"
            )
        return cells.assign(**{TOO_LONG: False})
    except (pd.errors.ParserError, pd.errors.ParserWarning):
        return _read_by_line(path)


def _read_by_line(path: Path) -> pd.DataFrame:
    """The same for lines of any length. pandas would cut or skip them, or take an index from them."""
    with path.open(newline="", encoding="utf-8-sig") as file:
        header, *lines = (line for line in csv.reader(file, strict=True) if line)
    columns = zip_longest(header, *lines, fillvalue="")
    by_name = {name: column for name, *column in list(columns)[: len(header)]}
    cells = pd.DataFrame(by_name, dtype=str)
    return cells.assign(**{TOO_LONG: [any(line[len(header) :]) for line in lines]})


def _valid_rows(
    cells: pd.DataFrame, figure: str, name: str, problems: list[str], extra: bool
) -> pd.DataFrame:
    """The rows that match the schema, with their types; the others are counted in ``problems``."""
    of_figure = cells["figure"] == figure
    if not extra and not of_figure.all():
        count = int((~of_figure).sum())
        problems.append(f"{name}: {counted(count, 'row')} of another figure {are(count)} ignored")
    rows = cells[of_figure].copy()
    # A truncated line lacks its last cells; every complete line says whether it is selected.
    complete = (rows["series"] != "") & ~rows[TOO_LONG]
    if "selected" in rows:
        rows["selected"] = rows["selected"].str.capitalize()
        complete &= rows["selected"].isin(("True", "False"))
    columns = columns_of(figure)
    rows = rows.reindex(columns=columns, fill_value="")
    not_numeric = pd.Series(False, index=rows.index)
    for column in (*NUMERIC, *(one for one in columns if one not in COLUMNS)):
        numbers = pd.to_numeric(rows[column], errors="coerce")
        not_numeric |= numbers.isna() & ~rows[column].str.lower().isin(("", "nan"))
        rows[column] = numbers
    valid = complete & ~not_numeric & _is_whole_number(rows["epoch"])
    valid &= rows["seed"].isna() | _is_whole_number(rows["seed"])
    valid &= rows["train_cost"].notna() | (rows["status"] == "diverged")
    if not valid.all():
        count = int((~valid).sum())
        problems.append(
            f"{name}: {counted(count, 'row')} {are(count)} incomplete or not numeric: ignored"
        )
    rows = _with_defaults(_of_known_panels(rows[valid], figure, name, problems))
    rows = _of_complete_trials(rows, name, problems)
    rows = _drop_duplicates(rows, name, problems)
    problems += _duplicate_trials(rows, figure, name)
    return rows


def _of_known_panels(
    rows: pd.DataFrame, figure: str, name: str, problems: list[str]
) -> pd.DataFrame:
    """The rows whose reading and panel the figure has."""
    described = load.load(figure)
    rows = rows.assign(reading=rows["reading"].map(spec.reading_of))
    for column, legal in (
        ("reading", described.readings),
        ("panel", tuple(panel.name for panel in described.panels)),
    ):
        unknown = ~rows[column].isin(("", *legal))
        if unknown.any():
            found = ", ".join(sorted(set(rows.loc[unknown, column])))
            count = int(unknown.sum())
            problems.append(
                f"{name}: {counted(count, 'row')} with an unknown {column} ({found}) {are(count)} "
                f"ignored; legal: {', '.join(spec.READING_TITLES.get(one, one) for one in legal)}"
            )
        rows = rows[~unknown]
    return rows


def _of_complete_trials(rows: pd.DataFrame, name: str, problems: list[str]) -> pd.DataFrame:
    """The rows of trials that finished or diverged: the last cost of any other is no result."""
    complete = rows["status"].isin(COMPLETE)
    if not complete.all():
        found = ", ".join(sorted(set(rows.loc[~complete, "status"])))
        count = int((~complete).sum())
        problems.append(
            f"{name}: {counted(count, 'row')} of trials that are not complete ({found}) "
            f"{are(count)} ignored"
        )
    return rows[complete]


def _drop_duplicates(rows: pd.DataFrame, name: str, problems: list[str]) -> pd.DataFrame:
    """One row for each epoch of a trial: the last."""
    keys = ["reading", "panel", "series", "lr", "grid", "seed", "epoch", "selected", "identity"]
    duplicate = rows.duplicated(keys, keep="last")
    if duplicate.any():
        count = counted(int(duplicate.sum()), "duplicate row")
        problems.append(f"{name}: {count}; the last of each is used")
    return rows[~duplicate]


def _duplicate_trials(rows: pd.DataFrame, figure: str, name: str) -> list[str]:
    """A message for each series that has two plotted trials where one is possible."""
    keys = ["reading", "panel", "series", "seed", "epoch"]
    if load.load(figure).every_lr_is_drawn:
        keys += ["lr", "grid"]  # all are drawn
    plotted = rows[rows["selected"]]
    duplicate = plotted[plotted.duplicated(keys)]
    return [
        f"{name}: {label}: {counted(count, 'row')} with the seed and epoch of another trial"
        for label, count in duplicate["series"].value_counts().sort_index().items()
    ]


def _is_whole_number(column: pd.Series) -> pd.Series:
    return column.between(0, 2**53) & (column == np.floor(column))  # above, floats skip some


def _with_defaults(rows: pd.DataFrame) -> pd.DataFrame:
    """Empty cells filled from `DEFAULTS`; columns of whole numbers and truth values typed."""
    rows = rows.copy()
    for column, value in DEFAULTS.items():
        blank = rows[column].isna() if column in NUMERIC else rows[column] == ""
        rows[column] = rows[column].where(~blank, value)
    rows["selected"] = rows["selected"].astype(str) == "True"
    rows[["epoch", "seed"]] = rows[["epoch", "seed"]].astype(int)
    return rows
