"""What `adam-repro data list | fetch | verify` does."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from adam_repro.data import cifar10, imdb, mnist, sources, store
from adam_repro.errors import UserError

RECIPES = {
    recipe.name: recipe for recipe in (mnist.MNIST, mnist.FASHION_MNIST, cifar10.CIFAR10, imdb.IMDB)
}


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


def _state(recipe: sources.Recipe) -> str:
    try:
        stored = store.read(store.path_of(recipe.name))
    except (FileNotFoundError, NotADirectoryError):
        try:
            return "in your folder" if sources.user_files(recipe) else "not fetched"
        except UserError:
            return "in your folder, damaged"
    except store.CorruptError as error:
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
    for path in store.files_of(name):
        _verify_cache(recipe, path)
        verified.append(str(path))
    if not verified:
        raise UserError(f"{name}: not fetched yet; run `adam-repro data fetch {name}`")
    return f"{name}: good: {', '.join(verified)}"


def _verify_cache(recipe: sources.Recipe, path: Path) -> None:
    try:
        stored = store.read(path)
        store.check_payload(stored)
        if path == store.path_of(recipe.name):
            recipe.check(stored.arrays)
    except (store.CorruptError, sources.SourceError) as error:
        raise UserError(
            f"{path}: {error}. Remove it and run `adam-repro data fetch {recipe.name}`."
        ) from error


def _recipe(name: str) -> sources.Recipe:
    if name not in RECIPES:
        raise UserError(f"data set {name!r} is unknown; legal: {', '.join(sorted(RECIPES))}")
    return RECIPES[name]
