"""A trial's metrics.csv and timing.csv: their columns, and the rows that are whole.

Rows are read by the names in the file's own header, so that a file from before a column was added,
or with one more, is as good as a new one. A damaged disk or hand may have cut the last row.
"""

from __future__ import annotations

import codecs
from collections.abc import Mapping, Sequence
from itertools import takewhile
from pathlib import Path

from adam_repro.config.trial import Trial
from adam_repro.engine.protocol import Row
from adam_repro.files import write_bytes
from adam_repro.runs.online_tasks import COLUMNS as ONLINE_COLUMNS
from adam_repro.tasks import kind

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
#: Columns of the trials that have a value for them: minibatch gradients so far, where a step may
#: compute several.
OWN_COLUMNS = ("evaluations",)
AVERAGE_COLUMNS = ("average_eval_train_cost", "average_test_cost", "average_test_error")
TIMING_COLUMNS = ("epoch", "seconds")
#: Names that a task's own column cannot have: they are in metrics.csv, or in a table that holds its rows
#: too, as a figure's merged CSV.
TAKEN = (
    *COLUMNS, *OWN_COLUMNS, *AVERAGE_COLUMNS, *TIMING_COLUMNS, *Trial.__dataclass_fields__,
    "figure", "panel", "reading", "series", "scale", "lr", "grid", "status", "identity", "selected",
    "hardware", "folder",
)  # fmt: skip


def columns(trial: Trial) -> tuple[str, ...]:
    """The columns of a trial's metrics.csv: every trial's, those of an average, the task's own."""
    model = trial.task["model"]
    own = ONLINE_COLUMNS[model] if model in ONLINE_COLUMNS else kind(trial.task).columns
    averages = AVERAGE_COLUMNS if trial.averaging["name"] != "none" else ()
    return (*COLUMNS, *averages, *own)


class CsvRows:
    """The rows of one CSV, as far as they are whole."""

    def __init__(self, path: Path, needed: Sequence[str]) -> None:
        self.path = path
        self.columns: tuple[str, ...] = ()  # of the file
        self.rows: list[bytes] = []  # each with its line end
        self.flaw = ""  # what is wrong with the file, as far as it is known
        try:
            head, *lines = _as_written(path.read_bytes()).splitlines(keepends=True)
        except (OSError, ValueError):  # not there, or empty
            return
        found = tuple(head.decode(errors="replace").strip().split(","))
        if head.endswith(b"\n") and set(needed) <= set(found) and len(set(found)) == len(found):
            self.columns = found
            at = found.index("epoch")
            numbered = takewhile(
                lambda row: _is_row(row[1], len(found), at, row[0]), enumerate(lines)
            )
            self.rows = [line for _, line in numbered]
        self._ended = len(self.rows) == len(lines)
        self.flaw = (
            "" if self.rows and self._ended else _flaw(head, lines[len(self.rows) :], needed)
        )

    def nothing_follows(self) -> bool:
        """Whether the last whole row is the end of the file."""
        return bool(self.rows) and self._ended

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
    return ",".join(cell(row.get(column)) for column in columns) + "\n"


def append(path: Path, text: str) -> None:
    """Add a row."""
    with path.open("a", newline="", encoding="utf-8") as file:
        file.write(text)


def cell(value: float | int | None) -> str:
    """A value as it stands in metrics.csv; empty for ``None``."""
    if value is None:
        return ""
    return str(value) if isinstance(value, int) else f"{value:.9g}"


def _as_written(content: bytes) -> bytes:
    """The bytes before an editor, a version control or a copy changed the line ends, or added a mark."""
    return content.removeprefix(codecs.BOM_UTF8).replace(b"\r\n", b"\n")


def _is_row(line: bytes, cells: int, at: int, epoch: int) -> bool:
    """Whether a line is the whole row of an epoch, whose number is in the cell ``at``."""
    found = line.split(b",")
    if len(found) != cells or not line.endswith(b"\n"):
        return False
    try:
        return [float(cell.strip() or 0) for cell in found][at] == epoch
    except ValueError:
        return False


def _flaw(head: bytes, rest: Sequence[bytes], needed: Sequence[str]) -> str:
    """What a person or a program did to a file that is not as it was written; empty if unknown."""
    if b";" in head or b"\t" in head:
        return "its cells are not separated by commas"
    if b"\r" in head:
        return "its lines end in CR alone"
    if b"\0" in head:
        return "it is not UTF-8"
    names = head.decode(errors="replace").strip().split(",")
    if not set(needed) <= set(names):
        return f"its first line lacks {', '.join(name for name in needed if name not in names)}"
    if len(rest) == 1 and not rest[0].endswith(b"\n"):
        return "its last line has no end, and may be cut"
    if rest:
        return f"this line is no row that could follow: {rest[0][:60].decode(errors='replace').strip()!r}"
    return ""
