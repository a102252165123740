"""List, fetch and verify the data sets, for `adam-repro data`."""

from __future__ import annotations

from pathlib import Path

from adam_repro import data
from adam_repro.data import array_cache, sources
from adam_repro.data.sources import DatasetSource
from adam_repro.errors import UserError
from adam_repro.wording import suggestion

NOT_FETCHED = "not fetched"


def _sources() -> dict[str, DatasetSource]:
    return {name: entry.source for name, entry in data.DATASETS.items() if entry.source}


def source_of(name: str) -> DatasetSource:
    """The source of a data set; UserError when there is none of that name, or it is generated."""
    known = _sources()
    if name in data.DATASETS and name not in known:
        raise UserError(f"{name}: {_without_source(name)}, there is nothing to fetch or verify")
    if name not in known:
        raise UserError(
            f"there is no data set {name!r}; use one of {', '.join(known)}{suggestion(name, known)}"
        )
    return known[name]


def states() -> dict[str, str]:
    """Where each data set with a source is, by its name; fetches nothing.

    A damaged data set does not hide the others. Raises UserError when the user's folder is missing.
    """
    sources.user_folder()
    return {name: _state(source) for name, source in _sources().items()}


def _state(source: DatasetSource) -> str:
    try:
        cached = array_cache.open_file(array_cache.path_of(source.name))
    except (FileNotFoundError, NotADirectoryError):
        try:
            return "in your folder" if sources.user_files(source) else NOT_FETCHED
        except UserError:
            return "in your folder, damaged"
    except array_cache.CorruptError as error:
        return f"cache corrupt: {error}"
    except UserError as error:
        return str(error)
    return f"cached, {cached.path.stat().st_size / 1e6:.0f} MB, from {cached.header['origin']}"


def without_source() -> dict[str, tuple[str, str]]:
    """State and description of each data set that has no source, by its name."""
    import inspect  # imported here because the command line waits for this module

    return {
        name: (_without_source(name), (inspect.getdoc(entry.load) or "").split("\n")[0])
        for name, entry in data.DATASETS.items()
        if not entry.source
    }


def _without_source(name: str) -> str:
    return "generated" if data.DATASETS[name].generated else "your own files"


def fetch(name: str) -> array_cache.CacheFile:
    """Bring the data set into the cache, unless it is there.

    Raises UserError as `adam_repro.data.load` does.
    """
    return sources.fetch(source_of(name))


def verify(name: str) -> list[str]:
    """Verify every byte of the user's files and of the cache; return what was verified.

    Raises UserError when a file is damaged, and when there is no file.
    """
    source = source_of(name)
    verified = []
    files = sources.user_files(source)
    if files:
        sources.read_user_files(source, files)
        verified.append(f"{len(files)} file(s) in {sources.user_folder()}")
    for path in array_cache.files_of(name):
        _verify_cache(source, path)
        verified.append(str(path))
    if not verified:
        raise UserError(f"{name}: not fetched yet; run `adam-repro data fetch {name}`")
    return verified


def _verify_cache(source: DatasetSource, path: Path) -> None:
    try:
        cached = array_cache.open_file(path)
        array_cache.verify_payload(cached)
        if path == array_cache.path_of(source.name):
            source.verify(cached.arrays)
    except (array_cache.CorruptError, sources.SourceError) as error:
        raise UserError(
            f"{path}: {error}. Remove it and run `adam-repro data fetch {source.name}`."
        ) from error
