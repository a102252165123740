"""Files: where the package's own are, and atomic writes."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from adam_repro.errors import UserError

PACKAGE = Path(__file__).resolve().parent


def config_folder() -> Path:
    """The folder of the configurations: beside the package in a checkout, inside it when installed."""
    inside = PACKAGE / "configs"
    return inside if inside.is_dir() else PACKAGE.parent / "configs"


def committed_folder() -> Path:
    """The folder of the figures' merged CSVs: ``results/paper`` in a checkout, inside when installed."""
    inside = PACKAGE / "committed"
    return inside if inside.is_dir() else PACKAGE.parent / "results" / "paper"


def visible(folder: Path, pattern: str) -> list[Path]:
    """The paths in a folder that match a pattern, sorted; none whose name begins with a dot.

    macOS leaves a file ``._NAME`` beside each NAME, and a ``.DS_Store``, where it copies or unpacks.
    """
    return sorted(path for path in folder.glob(pattern) if not path.name.startswith("."))


def committed_comparison() -> Path:
    """The folder of a comparison of our own optimizers on the tasks of ``tasks=quick``."""
    inside = PACKAGE / "committed" / "ours"
    return inside if inside.is_dir() else PACKAGE.parent / "results" / "compare" / "ours"


@contextmanager
def atomic_write(
    path: Path, shared: bool = False, sync: bool = False, backup: Path | None = None
) -> Iterator[BinaryIO]:
    """A file to write to, which is put at ``path`` when the block ends, and removed if it fails.

    A reader sees the old file or the new one, never a part. The part has a random name, and is opened
    so that a link of that name is not followed. ``shared``: another process may write the same file at
    the same time; else parts that a killed process left behind are removed. ``sync``: the new file also
    survives a power cut. ``backup``: where the old file goes, if there is one.
    """
    if not shared:
        _remove_partials(path)
    temporary = path.with_name(f"{path.name}.{os.urandom(8).hex()}.partial")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
    try:
        with os.fdopen(os.open(temporary, flags, 0o666), "wb") as file:
            yield file
            if sync:
                file.flush()
                os.fsync(file.fileno())
        if backup is not None:
            with suppress(FileNotFoundError):
                path.replace(backup)
        temporary.replace(path)
        if sync:
            sync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def _remove_partials(path: Path) -> None:
    for left in path.parent.glob(f"{glob.escape(path.name)}.*partial"):
        left.unlink(missing_ok=True)


def sync_file(path: Path) -> None:
    """Have what was written to a file on the disk before a power cut, if there is one."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Have a folder's entries, new or renamed, on the disk; nothing where the file system refuses."""
    with suppress(OSError):
        opened = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)


def write_text(path: Path, text: str, shared: bool = False, sync: bool = False) -> None:
    """Write a text file atomically."""
    with atomic_write(path, shared, sync) as file:
        file.write(text.encode())


def write_bytes(path: Path, content: bytes | memoryview) -> None:
    """Write a file atomically."""
    with atomic_write(path) as file:
        file.write(content)


def parse_yaml(text: str, path: Path | str) -> Any:
    """What a text of YAML holds; ``path``: of the file that it is from.

    Raises:
        UserError: naming the file, the line and the column of a mistake.
    """
    import yaml  # which not every command needs

    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise UserError(f"{path}: cannot be read: {yaml_flaw(error)}") from None


def yaml_flaw(error: Exception, named: bool = False) -> str:
    """What is wrong with a YAML file, and where, in one line; the text of an error that is not of YAML.

    ``named``: begin with the file, which the error knows where a file was read and no text.
    """
    mark, begun = (getattr(error, f"{which}_mark", None) for which in ("problem", "context"))
    if mark is None:
        return " ".join(str(error).split())
    context = getattr(error, "context", None)
    since = f", from line {begun.line + 1} on" if begun and begun.line != mark.line else ""
    where = f"line {mark.line + 1}, column {mark.column + 1}"
    where = f"{mark.name}: cannot be read: {where}" if named else where
    return f"{where}: {getattr(error, 'problem', '')}" + (f" ({context}{since})" if context else "")


def set_aside(path: Path) -> Path:
    """Rename a file to the first of ``<name>.old1``, ``.old2``, … that is free; its new path."""
    number = 1
    while (kept := path.with_name(f"{path.name}.old{number}")).exists():
        number += 1
    path.rename(kept)
    return kept


def check_results_folder(folder: Path) -> None:
    """Refuse a results folder in which nothing can be made; it need not be there yet.

    Raises:
        UserError: naming the nearest folder that is there, and what stands in the way.
    """
    nearest = next(path for path in (folder, *folder.parents) if os.path.lexists(path))
    if not os.path.isdir(nearest):
        raise not_writable(nearest, "it is not a folder")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise not_writable(nearest, "it is read-only")


def not_writable(path: Path, reason: str) -> UserError:
    """The error for a path below results_dir that cannot be written."""
    return UserError(
        f"results_dir: cannot write to {path}: {reason}; choose a folder you can write to"
    )
