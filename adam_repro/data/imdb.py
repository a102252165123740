"""IMDB: 25,000 + 25,000 film reviews, negative (0) or positive (1) (Maas et al. 2011).

The archive is read as a stream, review by review; only bags of words over the 10,000 most frequent
training words are kept. The checksum is of the labelled reviews themselves, in the order of their
names, so an archive packed anew counts as long as it holds every one of them unchanged.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np

from adam_repro.data import archives, bag_of_words, publisher
from adam_repro.data.dataset import Array, Dataset, SparseRows, Split
from adam_repro.data.sources import DatasetSource, Download, SourceError, obtain
from adam_repro.errors import UserError

URL = "https://ai.stanford.edu/~amaas/data/sentiment/aclImdb_v1.tar.gz"
ARCHIVE, DIRECTORY = "aclImdb_v1.tar.gz", "aclImdb"
SIZE = 84_125_825
SHA256 = "c40f74a18d3b61f90feba1e17730e0d38e8b97c05fde7008942e91923d1658fe"
REVIEWS_SHA256 = "608d22e1acbc1a02b1d58cc60215aee9f6b6435f615c1ad269e0774f135a951e"
SPLITS, LABELS = ("train", "test"), ("neg", "pos")
PER_LABEL = 12_500
WORDS = 10_000
NAME = re.compile(r"(?:.*/)?(train|test)/(neg|pos)/(\d+)_(\d+)\.txt")

T = TypeVar("T")
Review = tuple[str, int, int, bytes]  # split, label (index in LABELS), id, text


def find(folder: Path) -> list[Path]:
    """The archive, or the four folders of labelled reviews unpacked from it; none without either.

    Raises SourceError when some of the four folders are missing.
    """
    if (folder / ARCHIVE).exists():
        return [folder / ARCHIVE]
    root = folder / DIRECTORY
    if not root.is_dir():
        return []
    paths = [root / split / label for split in SPLITS for label in LABELS]
    missing = [str(path.relative_to(folder)) for path in paths if not path.is_dir()]
    if missing:
        raise SourceError(f"{root} has no labelled reviews: it lacks {', '.join(missing)}")
    return paths


def read(files: list[Path]) -> dict[str, Array]:
    """The cached arrays of the reviews in these files, verified by number and sha256."""
    where = files[0] if len(files) == 1 else files[0].parent.parent
    reviews = sorted(_from_archive(where) if len(files) == 1 else _from_folders(files), key=_order)
    check_reviews(where, reviews)
    texts = {s: [r[3].decode("utf-8") for r in reviews if r[0] == s] for s in SPLITS}
    words, *counts = bag_of_words.bags(texts["train"], texts["test"], WORDS)
    arrays: dict[str, Array] = {"words": np.frombuffer("\n".join(words).encode(), np.uint8)}
    for split, matrix in zip(SPLITS, counts, strict=True):
        for key, array in bag_of_words.csr_arrays(matrix).items():
            arrays[f"{split}_{key}"] = array
        arrays[f"{split}_labels"] = np.array([r[1] for r in reviews if r[0] == split], np.uint8)
    return arrays


def _order(review: Review) -> tuple[int, int, int]:
    split, label, number, _ = review
    return SPLITS.index(split), label, number


def _review(path: str, text: bytes) -> Review:
    match = NAME.fullmatch(path)
    if match is None:
        raise SourceError(f"{path}: not named as a review is (ID_RATING.txt)")
    split, label, number, _ = match.groups()
    return split, LABELS.index(label), int(number), text


def _from_archive(archive: Path) -> Iterator[Review]:
    labelled = archives.stream(archive, lambda name: NAME.fullmatch(name) is not None)
    return (_review(name, text) for name, text in _bar(labelled))


def _from_folders(folders: list[Path]) -> Iterator[Review]:
    paths = (path for folder in folders for path in folder.glob("*.txt"))
    return (_review(path.as_posix(), path.read_bytes()) for path in _bar(paths))


def _bar(items: Iterable[T]) -> Iterable[T]:
    from tqdm import tqdm

    return tqdm(items, "imdb: reading", total=4 * PER_LABEL, leave=False, disable=None)


def check_reviews(where: Path, reviews: list[Review]) -> None:
    """Raises SourceError unless these are the 50,000 published labelled reviews, in `_order`."""
    for split in SPLITS:
        for label, name in enumerate(LABELS):
            number = sum(review[:2] == (split, label) for review in reviews)
            if number != PER_LABEL:
                raise SourceError(
                    f"{where}: {split}/{name} holds {number} labelled reviews, {PER_LABEL} expected"
                )
    digest = hashlib.sha256()
    for split, label, number, text in reviews:
        digest.update(f"{split}/{LABELS[label]}/{number} {len(text)}\n".encode())
        digest.update(text)
    if digest.hexdigest() != REVIEWS_SHA256 and not _published(where):
        raise SourceError(
            f"{where}: sha256 of its reviews {digest.hexdigest()}, {REVIEWS_SHA256} expected "
            "(a review was changed)"
        )


def _published(where: Path) -> bool:
    """Whether this is the publisher's own archive, byte for byte."""
    if not where.is_file() or where.stat().st_size != SIZE:
        return False
    with open(where, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == SHA256


def check(arrays: Mapping[str, Array]) -> None:
    """Raises SourceError unless there are 10,000 words and 25,000 bags a split, half positive."""
    if len(vocabulary(arrays)) != WORDS:
        raise SourceError(f"imdb: {len(vocabulary(arrays))} words, {WORDS} expected")
    for split in SPLITS:
        rows, labels = len(arrays[f"{split}_indptr"]) - 1, arrays[f"{split}_labels"]
        if (rows, len(labels), int(labels.sum())) != (2 * PER_LABEL, 2 * PER_LABEL, PER_LABEL):
            raise SourceError(f"imdb: {split} has {rows} reviews, {int(labels.sum())} positive")


def vocabulary(arrays: Mapping[str, Array]) -> list[str]:
    """The word of each column, from the cached arrays."""
    return arrays["words"].tobytes().decode().split("\n")


IMDB = DatasetSource(
    name="imdb",
    version=1,
    contents="25,000 + 25,000 film reviews as bags of 10,000 words, 2 classes",
    find=find,
    read=read,
    check=check,
    downloads=(
        Download(f"publisher ({URL})", partial(publisher.archive_download, URL, SIZE, SHA256)),
    ),
    provide=f"put {ARCHIVE} (publisher: {URL}), or {DIRECTORY} unpacked from it, in a folder",
)


def load(values: str = "binary") -> Dataset:
    """Bags of words as SparseRows [25,000, 10,000] and classes uint8; memory-mapped.

    values="binary": uint8 1 for a word that stands in the review; "counts": how often it stands
    there, float32. Column 0 is the most frequent word. Raises UserError.
    """
    if values not in ("binary", "counts"):
        raise UserError(f"values={values!r} is unknown; legal: binary, counts")
    arrays = obtain(IMDB).arrays

    def split(name: str) -> Split:
        counts = arrays[f"{name}_counts"]
        filled = np.ones(len(counts), np.uint8) if values == "binary" else counts.astype(np.float32)
        rows = SparseRows(arrays[f"{name}_indptr"], arrays[f"{name}_indices"], filled, WORDS)
        return Split(rows, arrays[f"{name}_labels"])

    return Dataset("imdb", split("train"), split("test"), classes=2)
