"""A trial's metrics.csv and timing.csv: their columns, and the rows that are whole.

Rows are read by the names in the file's own header, so that a file from before a column was added,
or with one more, is as good as a new one. A damaged disk or hand may have cut the last row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import takewhile
from pathlib import Path

from adam_repro.config.trial import Trial
from adam_repro.engine.protocol import Row
from adam_repro.files import write_bytes
from adam_repro.runs.online_tasks import COLUMNS as ONLINE_COLUMNS
from adam_repro.tasks import MODELS

COLUMNS = (
    "epoch",
    "step",
    "examples",
    "train_cost",
    "train_error",
    "eval_train_cost",
    "test_cost",
    "test_error",
    "stepsize",
    "grad_norm",
)
AVERAGE_COLUMNS = ("average_eval_train_cost", "average_test_cost", "average_test_error")
TIMING_COLUMNS = ("epoch", "seconds")


def columns(trial: Trial) -> tuple[str, ...]:
    """The columns of a trial's metrics.csv: every trial's, those of an average, the task's own."""
    model = trial.task["model"]
    own = MODELS[model].columns if model in MODELS else ONLINE_COLUMNS.get(model, ())
    averages = AVERAGE_COLUMNS if trial.averaging["name"] != "none" else ()
    return (*COLUMNS, *averages, *own)


class CsvRows:
    """The rows of one CSV, as far as they are whole."""

    def __init__(self, path: Path, needed: Sequence[str]) -> None:
        self.path = path
        self.columns: tuple[str, ...] = ()  # of the file
        self.rows: list[bytes] = []  # each with its line end
        try:
            head, *lines = path.read_bytes().splitlines(keepends=True)
        except (OSError, ValueError):  # not there, or empty
            return
        found = tuple(head.decode(errors="replace").strip().split(","))
        if head.endswith(b"\n") and set(needed) <= set(found) and len(set(found)) == len(found):
            self.columns = found
            self.rows = list(takewhile(lambda line: _is_row(line, len(found)), lines))

    def nothing_follows(self) -> bool:
        """Whether the last whole row is the end of the file."""
        return bool(self.rows) and self.path.read_bytes().endswith(self.rows[-1])

    def keep(self, count: int, columns: Sequence[str]) -> tuple[str, ...]:
        """Cut the file to its first ``count`` rows; the columns that it has from then on.

        Those are its own and all of ``columns``; a row that lacks a column has an empty cell there.
        """
        if not self.columns:
            self.columns = tuple(columns)
        missing = [name for name in columns if name not in self.columns]
        cells = b"," * len(missing)
        rows = [row[:-1] + cells + b"\n" if missing else row for row in self.rows[:count]]
        self.columns = (*self.columns, *missing)
        write_bytes(self.path, (",".join(self.columns) + "\n").encode() + b"".join(rows))
        return self.columns


def line(columns: Sequence[str], row: Mapping[str, float | int | None] | Row) -> str:
    """A row as text, with its line end; what was not measured is left empty."""
    return ",".join(_text(row.get(column)) for column in columns) + "\n"


def append(path: Path, text: str) -> None:
    """Add a row."""
    with path.open("a", newline="", encoding="utf-8") as file:
        file.write(text)


def _text(value: float | int | None) -> str:
    if value is None:
        return ""
    return str(value) if isinstance(value, int) else f"{value:.9g}"


def _is_row(line: bytes, cells: int) -> bool:
    found = line.split(b",")
    if len(found) != cells or not line.endswith(b"\n"):
        return False
    try:
        for cell in found:
            float(cell.strip() or 0)
    except ValueError:
        return False
    return True
