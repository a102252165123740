"""Where a data set comes from: the user's folder, the cache, then downloads; each one verified."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from adam_repro.data import array_cache
from adam_repro.data.dataset import Array
from adam_repro.errors import UserError

DATA_VARIABLE = "ADAM_REPRO_DATA"


class SourceError(Exception):
    """One source cannot give the data set; the message names the file and what is wrong with it."""


@dataclass(frozen=True)
class Download:
    """A way to get the publisher's files: `get(folder)` lays them out in it as published."""

    name: str
    get: Callable[[Path], None]


@dataclass(frozen=True)
class DatasetSource:
    """How one data set is found, read, verified and downloaded.

    find: the files of the set in a folder laid out as the publisher does; none if it lacks the set.
    read: the arrays to cache, from those files; raises SourceError unless every checksum agrees.
    check: raises SourceError unless the arrays hold what the publisher published.
    provide: how a person provides the files, for error messages.
    """

    name: str
    version: int
    contents: str
    find: Callable[[Path], list[Path]]
    read: Callable[[list[Path]], dict[str, Array]]
    check: Callable[[Mapping[str, Array]], None]
    downloads: tuple[Download, ...]
    provide: str


def user_folder() -> Path | None:
    """The folder that $ADAM_REPRO_DATA names; UserError when there is no such folder."""
    chosen = os.environ.get(DATA_VARIABLE)
    if not chosen:
        return None
    folder = Path(chosen).expanduser()
    if not folder.is_dir():
        raise UserError(
            f"{DATA_VARIABLE}={chosen}: no such folder. Point it at the folder that holds the "
            "publishers' files, or unset it to use the cache and downloads."
        )
    return folder


def user_files(recipe: DatasetSource) -> list[Path]:
    """The set's files in the user's folder; none when it is not set or lacks the set."""
    folder = user_folder()
    if folder is None:
        return []
    try:
        return recipe.find(folder)
    except (SourceError, OSError) as error:
        raise bad_user_file(recipe, error) from error


def bad_user_file(recipe: DatasetSource, error: Exception) -> UserError:
    return UserError(
        f"{recipe.name}: {error}. To get a good copy: {recipe.provide}. "
        f"Or remove the file from {DATA_VARIABLE} to have the set downloaded."
    )


def read_user(recipe: DatasetSource, files: list[Path]) -> dict[str, Array]:
    """The arrays of the user's own files; UserError naming the file when one of them is bad."""
    try:
        return recipe.read(files)
    except (SourceError, OSError) as error:
        raise bad_user_file(recipe, error) from error


def obtain(recipe: DatasetSource) -> array_cache.Stored:
    """The verified data set from the first source that has it, by way of the cache.

    A cache made from the very files that the user's folder holds (same paths, sizes and times) is
    opened without reading them again. Raises UserError: a bad file in the user's folder, an
    unwritable cache, or no source at all.
    """
    files = user_files(recipe)
    stored = _cached(recipe, files)
    if stored is not None:
        return stored
    with array_cache.lock(recipe.name):
        stored = _cached(recipe, files)
        if stored is not None:
            return stored
        if files:
            seen = stamps(files)
            arrays, origin = read_user(recipe, files), str(user_folder())
        else:
            seen = []
            arrays, origin = download(recipe)
        path = array_cache.write(recipe.name, recipe.version, arrays, origin=origin, files=seen)
    return array_cache.read(path)


def stamps(files: list[Path]) -> list[list[object]]:
    """Path, size and time of each file: equal stamps mean unchanged files."""
    return [[str(f.absolute()), f.stat().st_size, f.stat().st_mtime_ns] for f in files]


def _cached(recipe: DatasetSource, files: list[Path]) -> array_cache.Stored | None:
    stored = array_cache.open_cached(recipe.name, recipe.version)
    if stored is not None and files and stored.header["files"] != stamps(files):
        return None
    return stored


def download(recipe: DatasetSource) -> tuple[dict[str, Array], str]:
    """The arrays and the origin's name from the first download that works.

    Works in a folder beside the cache that never outlives the call; one left by a killed process
    is removed first (the caller holds the lock). Raises UserError naming every failure.
    """
    folder = array_cache.cache_dir() / f"{recipe.name}.download"
    failures = []
    for source in recipe.downloads:
        try:
            with array_cache.writable():
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir()
            array_cache.notice(f"{recipe.name}: fetching from {source.name}")
            source.get(folder)
            files = recipe.find(folder)
            if not files:
                raise SourceError("it brought no file of the set")
            return recipe.read(files), source.name
        except (SourceError, OSError) as error:
            failures.append(f"\n  {source.name}: {error}")
            array_cache.notice(f"{recipe.name}: {source.name} failed: {error}")
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    where = user_folder()
    own = f"{where} holds none of its files" if where else "not set"
    raise UserError(
        f"{recipe.name}: no source has it. Tried:\n  {DATA_VARIABLE}: {own}"
        f"\n  cache {array_cache.path_of(recipe.name)}: not there{''.join(failures)}"
        f"\nTo provide the files: {recipe.provide}, and set {DATA_VARIABLE} to the folder."
    )


def check_md5(name: str, content: bytes | memoryview, md5: str, size: int | None = None) -> None:
    """Raises SourceError naming the file unless its size and md5 are the publisher's."""
    if size is not None and len(content) != size:
        raise SourceError(f"{name}: {len(content)} bytes, {size} expected (truncated or not it)")
    found = hashlib.md5(content, usedforsecurity=False).hexdigest()
    if found != md5:
        raise SourceError(f"{name}: md5 {found}, {md5} expected (corrupt or not the published one)")
