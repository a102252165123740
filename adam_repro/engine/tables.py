"""The rows of a trial's CSVs, as far as they are whole: a damaged disk or hand may have cut them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile
from pathlib import Path


def header(columns: Sequence[str]) -> bytes:
    return (",".join(columns) + "\n").encode()


def whole_rows(path: Path, columns: Sequence[str]) -> list[bytes]:
    """The lines below the header, up to the first that is no row of numbers; none without the header."""
    try:
        first, *lines = path.read_bytes().splitlines(keepends=True)
    except (OSError, ValueError):  # not there, or empty
        return []
    if first != header(columns):
        return []
    return list(takewhile(lambda line: _is_row(line, len(columns)), lines))


def ends_with(path: Path, row: bytes) -> bool:
    """Whether nothing follows that row."""
    return path.read_bytes().endswith(row)


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
