"""Where configurations are read from: the package's folder, and one of the user's own (``--config-dir``)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from adam_repro.errors import UserError
from adam_repro.files import config_folder, visible

_own: list[Path] = []


def own() -> Path | None:
    """The user's own folder, if one was given."""
    return _own[0] if _own else None


def use(folder: Path | None) -> None:
    """Read from this folder too, from now on; from none but the package's for ``None``.

    Raises:
        UserError: it is not a folder.
    """
    if folder is not None and not folder.is_dir():
        raise UserError(f"--config-dir {folder}: there is no such folder")
    _own[:] = [] if folder is None else [folder.resolve()]


def names(group: str) -> Iterator[str]:
    """The configurations of a group, as ``figure``.

    Raises:
        UserError: one of the user's has the name of one of the package's.
    """
    found = {path.stem for path in visible(config_folder() / group, "*.yaml")}
    yield from sorted(found)
    for path in own_files(group):
        if path.stem in found:
            raise UserError(f"{path}: {group} {path.stem} is there already; choose another name")
        yield path.stem


def own_files(group: str) -> list[Path]:
    """The user's own configurations of a group."""
    return visible(_own[0] / group, "*.yaml") if _own else []


def find(group: str, name: str) -> Path:
    """The file of a configuration, in the user's own folder where the package has none of that name."""
    path = config_folder() / group / f"{name}.yaml"
    return path if path.exists() or not _own else _own[0] / group / f"{name}.yaml"
