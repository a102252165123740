"""``adam-repro data list | fetch | verify``."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from adam_repro.config.validate import suggestion
from adam_repro.data import array_cache, cifar10, imdb, mnist, sources
from adam_repro.errors import UserError

RECIPES = {
    recipe.name: recipe for recipe in (mnist.MNIST, mnist.FASHION_MNIST, cifar10.CIFAR10, imdb.IMDB)
}


def main(arguments: Sequence[str]) -> int:
    """List, fetch or verify; 0, or 2 when any data set could not be had or is damaged.

    Raises:
        UserError: for an unknown verb or data set.
    """
    verb, *names = arguments
    if verb not in ("list", "fetch", "verify"):
        raise UserError(f"there is no {verb!r}; use list, fetch or verify")
    rows = list_datasets()
    known = [row.name for row in rows]
    for name in names:
        if name not in known:
            raise UserError(
                f"there is no data set {name!r}; use one of {', '.join(known)}{suggestion(name, known)}"
            )
    if verb == "list":
        if names:
            raise UserError(f"list takes no names, got {' '.join(names)}")
        width = max(34, *(len(row.state) + 2 for row in rows))
        for row in rows:
            print(f"{row.name:<15}{row.state:<{width}}{row.contents}")
        return 0
    here = [row.name for row in rows if row.state != "not fetched"]
    if verb == "fetch":
        return _each(fetch, names or known)
    if not names and not here:
        print("nothing is here yet; `adam-repro data fetch` gets the data sets")
    return _each(verify, names or here)


def _each(act: Callable[[str], str], names: Sequence[str]) -> int:
    """Do all, though some fail; the status says whether any did."""
    status = 0
    for name in names:
        try:
            print(act(name))
        except UserError as error:
            print(error, file=sys.stderr)
            status = 2
    return status


@dataclass(frozen=True)
class Row:
    """One line of `data list`."""

    name: str
    contents: str
    state: str


def list_datasets() -> list[Row]:
    """Every data set, what it holds, and whether it is cached; fetches nothing.

    What is wrong with one of them does not hide the others. Raises UserError when the user's folder
    is not there.
    """
    sources.user_folder()
    return [Row(recipe.name, recipe.contents, _state(recipe)) for recipe in RECIPES.values()]


def _state(recipe: sources.DatasetSource) -> str:
    try:
        stored = array_cache.read(array_cache.path_of(recipe.name))
    except (FileNotFoundError, NotADirectoryError):
        try:
            return "in your folder" if sources.user_files(recipe) else "not fetched"
        except UserError:
            return "in your folder, damaged"
    except array_cache.CorruptError as error:
        return f"cache corrupt: {error}"
    except UserError as error:
        return str(error)
    return f"cached, {stored.path.stat().st_size / 1e6:.0f} MB, from {stored.header['origin']}"


def fetch(name: str) -> str:
    """Brings the data set into the cache unless it is there; a line that says where it is.

    Raises UserError as `adam_repro.data.load` does.
    """
    stored = sources.obtain(_recipe(name))
    return f"{name}: {stored.path} ({stored.header['origin']})"


def verify(name: str) -> str:
    """Reads every byte of the cached set and of the user's own files, against the checksums.

    Returns a line that says what was verified. Raises UserError when something is wrong, or when
    there is nothing to verify.
    """
    recipe = _recipe(name)
    verified = []
    files = sources.user_files(recipe)
    if files:
        sources.read_user(recipe, files)
        verified.append(f"{len(files)} file(s) in {sources.user_folder()}")
    for path in array_cache.files_of(name):
        _verify_cache(recipe, path)
        verified.append(str(path))
    if not verified:
        raise UserError(f"{name}: not fetched yet; run `adam-repro data fetch {name}`")
    return f"{name}: good: {', '.join(verified)}"


def _verify_cache(recipe: sources.DatasetSource, path: Path) -> None:
    try:
        stored = array_cache.read(path)
        array_cache.check_payload(stored)
        if path == array_cache.path_of(recipe.name):
            recipe.check(stored.arrays)
    except (array_cache.CorruptError, sources.SourceError) as error:
        raise UserError(
            f"{path}: {error}. Remove it and run `adam-repro data fetch {recipe.name}`."
        ) from error


def _recipe(name: str) -> sources.DatasetSource:
    if name not in RECIPES:
        raise UserError(f"data set {name!r} is unknown; legal: {', '.join(sorted(RECIPES))}")
    return RECIPES[name]
