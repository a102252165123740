"""Checksums of a trial's CSVs, by column: they find a changed value, and allow a column more or less."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

CHECKSUMS = "checksums"  # in the trial.yaml of a complete trial: those of each CSV, by its name


def of_columns(content: bytes, rows: int | None = None) -> dict[str, str]:
    """A checksum of the numbers in each column of a CSV, by the column's name.

    Line ends, a byte order mark and the order of the columns make no difference. ``rows``: of the first
    rows alone. Empty where these are not whole.
    """
    lines = content.removeprefix(b"\xef\xbb\xbf").splitlines()  # of text, more would end a line
    first = lines[: None if rows is None else rows + 1]
    cells = [line.decode("utf-8", "replace").split(",") for line in first]
    if not cells or len({len(row) for row in cells}) > 1 or (rows and len(cells) <= rows):
        return {}
    return {column[0].strip(): _checksum(column[1:]) for column in zip(*cells, strict=True)}


def _checksum(cells: tuple[str, ...]) -> str:
    numbers = "\n".join(_number(cell.strip()) for cell in cells)
    return hashlib.sha256(numbers.encode()).hexdigest()[:16]


def _number(cell: str) -> str:
    try:
        return repr(float(cell or "nan"))  # some programs leave a NaN empty
    except ValueError:
        return cell


def differ(now: Mapping[str, str], then: Mapping[str, str]) -> bool:
    """Whether a column that both have was changed, or one was renamed; one more or less is no change."""
    renamed = bool(then.keys() - now.keys()) and bool(now.keys() - then.keys())
    return not now or renamed or any(now[name] != then[name] for name in now.keys() & then.keys())


def changed_csvs(folder: Path, checksums: object) -> list[Path]:
    """The CSVs of a complete trial that are not as its trial.yaml says; none of one that says nothing."""
    found = []
    for name, then in checksums.items() if isinstance(checksums, Mapping) else ():
        path = folder / Path(str(name)).name
        content = path.read_bytes() if path.is_file() else b""
        if not isinstance(then, Mapping) or differ(of_columns(content), then):
            found.append(path)
    return found
