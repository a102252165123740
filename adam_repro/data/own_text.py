"""A person's own text files, UTF-8: words stand between white space, and each line end is a word, <eos>."""

from __future__ import annotations

import codecs
import hashlib
from collections.abc import Iterator
from pathlib import Path

from adam_repro.data import array_cache, word_ids
from adam_repro.data.dataset import Array, Dataset
from adam_repro.data.running_text import TextOptions, arrange
from adam_repro.errors import UserError

VERSION = 1


def load(
    train: str | None = None,
    validation: str | None = None,
    test: str | None = None,
    *,
    vocabulary: int | None = None,
    min_count: int = 1,
    layout: str = "windows",
    context: int = 4,
    tracks: int = 20,
    steps: int = 35,
    tokens: int | None = None,
) -> Dataset:
    """Your own text in UTF-8: task.data.train=PATH, test=PATH and, if there is one, validation=PATH.

    It is cut into examples; `running_text.TextOptions` has the options.
    The cache keeps the arrays under the files' sha256, so that a changed file is read again.
    Raises UserError: a path that is missing or wrong, a file without a word or that is no UTF-8.
    """
    options = TextOptions(vocabulary, min_count, layout, context, tracks, steps, tokens)
    files = {"train": train, "validation": validation, "test": test}
    wanted = {
        split: value for split, value in files.items() if (split, value) != ("validation", None)
    }
    paths = {split: _path(split, value) for split, value in wanted.items()}
    return arrange("text", _arrays(paths), options)


def _path(split: str, value: object) -> Path:
    option = f"task.data.{split}"
    if value is None:
        raise UserError(f"{option}: missing; give the path of a text file, as {option}=my_text.txt")
    path = Path(str(value)).expanduser()
    if not path.is_file():
        what = "a folder" if path.is_dir() else "no such file"
        raise UserError(f"{option}={value}: {what}; give the path of a text file in UTF-8")
    return path


def _arrays(paths: dict[str, Path]) -> dict[str, Array]:
    digests = [f"{split} {_sha256(split, path)}" for split, path in paths.items()]
    key = f"text-{hashlib.sha256(' '.join(digests).encode()).hexdigest()[:16]}"
    with array_cache.lock(key):
        cached = array_cache.open_if_valid(key, VERSION)
        if cached is not None:
            return cached.arrays
        arrays = word_ids.index({split: _lines(split, path) for split, path in paths.items()})
        names = [str(path.absolute()) for path in paths.values()]
        written = array_cache.write_file(key, VERSION, arrays, origin=", ".join(names))
    return array_cache.open_file(written).arrays


def _sha256(split: str, path: Path) -> str:
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UserError(f"task.data.{split}={path}: cannot be read: {error.strerror}") from error


def _lines(split: str, path: Path) -> Iterator[list[str]]:
    offset, empty = 0, True  # bytes
    with open(path, "rb") as file:
        for line in file:
            content = line.removeprefix(codecs.BOM_UTF8) if offset == 0 else line
            try:
                words = content.decode("utf-8").split()
            except UnicodeDecodeError as error:
                place = offset + len(line) - len(content) + error.start
                raise UserError(
                    f"task.data.{split}={path}: no UTF-8 at byte {place} ({error.reason}); "
                    "save the file as UTF-8"
                ) from error
            yield [*words, word_ids.END_OF_LINE]
            offset, empty = offset + len(line), empty and not words
    if empty:
        raise UserError(f"task.data.{split}={path}: the file has no word; give a text")
