"""Where a data set comes from: the user's folder, the cache, then downloads; each is verified."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from adam_repro.data import array_cache
from adam_repro.data.dataset import Array
from adam_repro.data.sha256 import SHA256
from adam_repro.errors import UserError

DATA_VARIABLE = "ADAM_REPRO_DATA"


class SourceError(Exception):
    """One source cannot give the data set; the message names the file and its fault."""


@dataclass(frozen=True)
class Download:
    """One way to get the publisher's files: `get(folder)` puts them there in the publisher's layout."""

    name: str
    get: Callable[[Path], None]


@dataclass(frozen=True)
class DatasetSource:
    """How one data set is found, read, verified and downloaded.

    find: the files of the set in a folder with the publisher's layout; none if the set is absent.
    read: the arrays to cache, from those files; raises SourceError unless every checksum agrees.
    verify: raises SourceError unless the arrays are what the publisher published.
    instructions: how a person provides the files, for error messages.
    layout: the dtype and the shape of each array, where they are known beforehand.
    """

    name: str
    version: int
    description: str
    find: Callable[[Path], list[Path]]
    read: Callable[[list[Path]], dict[str, Array]]
    verify: Callable[[Mapping[str, Array]], None]
    downloads: tuple[Download, ...]
    instructions: str
    layout: Mapping[str, tuple[str, tuple[int, ...]]] = field(default_factory=dict)


def user_folder() -> Path | None:
    """The folder that $ADAM_REPRO_DATA names; UserError when it does not exist."""
    value = os.environ.get(DATA_VARIABLE)
    if not value:
        return None
    try:
        folder = Path(value).expanduser()
    except RuntimeError:  # ~ without a home, or ~name of nobody
        raise UserError(
            f"{DATA_VARIABLE}={value}: there is no such home folder; give an absolute path"
        ) from None
    if not folder.is_dir():
        raise UserError(
            f"{DATA_VARIABLE}={value}: no such folder. Set it to the folder that holds the "
            "publishers' files, or unset it to use the cache and downloads."
        )
    return folder


@contextlib.contextmanager
def _explain_bad_file(source: DatasetSource) -> Iterator[None]:
    try:
        yield
    except (SourceError, OSError) as error:
        raise UserError(
            f"{source.name}: {error}. To get a good copy: {source.instructions}. "
            f"Or remove the file from {DATA_VARIABLE} to have the set downloaded."
        ) from error


def user_files(source: DatasetSource) -> list[Path]:
    """The set's files in the user's folder; none when there is no folder or it lacks the set."""
    folder = user_folder()
    with _explain_bad_file(source):
        files = source.find(folder) if folder else []
        for path in files:
            if not path.is_dir():
                check_regular(path)
        return files


def check_regular(path: Path) -> None:
    """Raises SourceError for a pipe, a device or a socket: to read one may never end."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise SourceError(f"{path}: not a regular file (but a pipe, a device or a socket)")


def read_file(path: Path, most: int) -> bytes:
    """A file's content, up to one byte beyond the ``most`` that it may have.

    Raises SourceError where it is not a regular file.
    """
    check_regular(path)
    with path.open("rb") as file:
        return file.read(most + 1)


def read_user_files(source: DatasetSource, files: list[Path]) -> dict[str, Array]:
    """The arrays of the user's own files; UserError naming the file when one of them is damaged."""
    with _explain_bad_file(source):
        return source.read(files)


def fetch(source: DatasetSource) -> array_cache.CacheFile:
    """The verified data set from the first source that has it, through the cache.

    A cache file made from the user's files is opened without reading them again while their
    fingerprints are the same. Raises UserError: a bad file in the user's folder, an unwritable
    cache, or no source that has the set.
    """
    files = user_files(source)
    cached = _open_cached(source, files)
    if cached is not None:
        return cached
    with array_cache.lock(source.name):
        cached = _open_cached(source, files)  # another process may have written it meanwhile
        if cached is not None:
            return cached
        seen = fingerprints(files)  # before the files are read
        if files:
            arrays, origin = read_user_files(source, files), str(user_folder())
        else:
            arrays, origin = _download(source)
        path = array_cache.write_file(
            source.name, source.version, arrays, origin=origin, files=seen
        )
    return array_cache.open_file(path)


def fingerprints(files: list[Path]) -> list[list[object]]:
    """Path, size and modification time of each file: a changed file has another fingerprint."""
    return [[str(f.absolute()), f.stat().st_size, f.stat().st_mtime_ns] for f in files]


def _open_cached(source: DatasetSource, files: list[Path]) -> array_cache.CacheFile | None:
    cached = array_cache.open_if_valid(source.name, source.version)
    if cached is None:
        return None
    found = {key: (array.dtype.str, array.shape) for key, array in cached.arrays.items()}
    if any(found.get(key) != wanted for key, wanted in source.layout.items()):
        array_cache.log_to_stderr(f"{cached.path}: other arrays than expected; made again")
        return None
    return None if files and cached.header.get("files") != fingerprints(files) else cached


def _download(source: DatasetSource) -> tuple[dict[str, Array], str]:
    """The arrays, and the name of the first download that works.

    Works in a folder beside the cache and removes it at the end, and first removes the folder of a
    killed process (the caller holds the lock). Raises UserError naming every failure.
    """
    folder = array_cache.cache_dir() / f"{source.name}.download"
    failures = []
    for download in source.downloads:
        try:
            with array_cache.explain_write_errors():
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir()
            array_cache.log_to_stderr(f"{source.name}: fetching from {download.name}")
            download.get(folder)
            files = source.find(folder)
            if not files:
                raise SourceError("it brought no file of the set")
            return source.read(files), download.name
        except (SourceError, OSError) as error:
            failures.append(f"\n  {download.name}: {error}")
            array_cache.log_to_stderr(f"{source.name}: {download.name} failed: {error}")
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    where = user_folder()
    in_folder = f"{where} holds none of its files" if where else "not set"
    raise UserError(
        f"{source.name}: no source has it. Tried:\n  {DATA_VARIABLE}: {in_folder}"
        f"\n  cache {array_cache.path_of(source.name)}: not there{''.join(failures)}"
        f"\nTo provide the files: {source.instructions}, and set {DATA_VARIABLE} to the folder."
    )


def verify_md5(name: str, content: bytes | memoryview, md5: str, size: int | None = None) -> None:
    """Raises SourceError naming the file unless it has the publisher's size and md5.

    Where :data:`SHA256` has one for that md5, it must have that too: files of one md5 can be made.
    """
    if size is not None and len(content) != size:
        raise SourceError(f"{name}: {len(content)} bytes, {size} expected (truncated or not it)")
    found = hashlib.md5(content, usedforsecurity=False).hexdigest()
    if found != md5:
        raise SourceError(f"{name}: md5 {found}, {md5} expected (corrupt or not the published one)")
    sha256 = hashlib.sha256(content).hexdigest() if md5 in SHA256 else ""
    if sha256 != SHA256.get(md5, ""):
        raise SourceError(
            f"{name}: sha256 {sha256}, {SHA256[md5]} expected (made to look published)"
        )
