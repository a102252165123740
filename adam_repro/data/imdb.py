"""IMDB: 25,000 + 25,000 film reviews, negative (0) or positive (1) (Maas et al. 2011).

Reviews are read one by one from the archive, and stored as bags of words over the 10,000 most
frequent training words. The checksum is of the labelled reviews in the order of their names, so an
archive that was packed again is valid if it holds every review unchanged.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np

from adam_repro.config import validate
from adam_repro.data import archives, bag_of_words, publisher
from adam_repro.data.dataset import Array, Dataset, SparseRows, Split
from adam_repro.data.sources import DatasetSource, Download, SourceError, fetch, read_file
from adam_repro.files import visible

URL = "https://ai.stanford.edu/~amaas/data/sentiment/aclImdb_v1.tar.gz"
ARCHIVE, DIRECTORY = "aclImdb_v1.tar.gz", "aclImdb"
SIZE = 84_125_825
SHA256 = "c40f74a18d3b61f90feba1e17730e0d38e8b97c05fde7008942e91923d1658fe"
REVIEWS_SHA256 = "608d22e1acbc1a02b1d58cc60215aee9f6b6435f615c1ad269e0774f135a951e"
SPLITS, LABELS = ("train", "test"), ("neg", "pos")
PER_LABEL = 12_500
WORDS = 10_000
MAX_REVIEW = 1 << 20  # bytes; the longest has 14,000
REVIEW_PATH = re.compile(r"(?:.*/)?(train|test)/(neg|pos)/(\d+)_(\d+)\.txt")

T = TypeVar("T")
Review = tuple[str, int, int, bytes]  # split, label (index in LABELS), id, text


def find_files(folder: Path) -> list[Path]:
    """The archive, or the four folders of labelled reviews unpacked from it, or none.

    Raises SourceError when some of the four folders are absent.
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


def read_files(files: list[Path]) -> dict[str, Array]:
    """The arrays to cache, from the archive or the folders; verifies the reviews' number and sha256."""
    reviews = read_reviews(files)
    texts = {s: [r[3].decode("utf-8") for r in reviews if r[0] == s] for s in SPLITS}
    words, *counts = bag_of_words.count_words(texts["train"], texts["test"], WORDS)
    arrays: dict[str, Array] = {"words": np.frombuffer("\n".join(words).encode("utf-8"), np.uint8)}
    for split, matrix in zip(SPLITS, counts, strict=True):
        for key, array in bag_of_words.csr_arrays(matrix).items():
            arrays[f"{split}_{key}"] = array
        arrays[f"{split}_labels"] = np.array([r[1] for r in reviews if r[0] == split], np.uint8)
    return arrays


def read_reviews(files: list[Path]) -> list[Review]:
    """The labelled reviews by split, label and number; SourceError unless all are as published."""
    where = files[0] if len(files) == 1 else files[0].parent.parent
    found = _from_archive(where) if len(files) == 1 else _from_folders(files)
    reviews = sorted(found, key=_sort_key)
    verify_reviews(where, reviews)
    return reviews


def _sort_key(review: Review) -> tuple[int, int, int]:
    split, label, number, _ = review
    return SPLITS.index(split), label, number


def _review(path: str, text: bytes) -> Review:
    match = REVIEW_PATH.fullmatch(path)
    if match is None:
        raise SourceError(f"{path}: not the name of a review (ID_RATING.txt)")
    split, label, number, _ = match.groups()
    return split, LABELS.index(label), int(number), text


def _from_archive(archive: Path) -> Iterator[Review]:
    labelled = archives.stream(archive, lambda name: REVIEW_PATH.fullmatch(name) is not None)
    return (_review(name, text) for name, text in _with_progress_bar(labelled))


def _from_folders(folders: list[Path]) -> Iterator[Review]:
    paths = (path for folder in folders for path in visible(folder, "*.txt"))
    return (
        _review(path.as_posix(), read_file(path, MAX_REVIEW)) for path in _with_progress_bar(paths)
    )


def _with_progress_bar(items: Iterable[T]) -> Iterable[T]:
    from tqdm import tqdm

    return tqdm(items, "imdb: reading", total=4 * PER_LABEL, leave=False, disable=None)


def verify_reviews(where: Path, reviews: list[Review]) -> None:
    """Raises SourceError unless these are the 50,000 published labelled reviews, sorted by `_sort_key`."""
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
    if digest.hexdigest() != REVIEWS_SHA256 and not _is_published_archive(where):
        raise SourceError(
            f"{where}: sha256 of its reviews {digest.hexdigest()}, {REVIEWS_SHA256} expected "
            "(a review was changed)"
        )


def _is_published_archive(where: Path) -> bool:
    """Whether this file is the publisher's archive, byte for byte."""
    if not where.is_file() or where.stat().st_size != SIZE:
        return False
    with open(where, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == SHA256


def verify(arrays: Mapping[str, Array]) -> None:
    """Raises SourceError unless there are 10,000 words and 25,000 bags a split, half positive."""
    if len(vocabulary(arrays)) != WORDS:
        raise SourceError(f"imdb: {len(vocabulary(arrays))} words, {WORDS} expected")
    for split in SPLITS:
        rows, labels = len(arrays[f"{split}_indptr"]) - 1, arrays[f"{split}_labels"]
        if (rows, len(labels), int(labels.sum())) != (2 * PER_LABEL, 2 * PER_LABEL, PER_LABEL):
            raise SourceError(f"imdb: {split} has {rows} reviews, {int(labels.sum())} positive")


def vocabulary(arrays: Mapping[str, Array]) -> list[str]:
    """The word of each column, from the cached arrays."""
    return arrays["words"].tobytes().decode("utf-8").split("\n")


IMDB = DatasetSource(
    name="imdb",
    version=1,
    description="25,000 + 25,000 film reviews as bags of 10,000 words, 2 classes",
    find=find_files,
    read=read_files,
    verify=verify,
    downloads=(
        Download(f"publisher ({URL})", partial(publisher.archive_download, URL, SIZE, SHA256)),
    ),
    instructions=f"put {ARCHIVE} (publisher: {URL}), or {DIRECTORY} unpacked from it, in a folder",
)


def load(values: str = "binary") -> Dataset:
    """Bags of words as SparseRows [25,000, 10,000] and classes uint8; memory-mapped.

    values="binary": uint8 1 for every word that occurs. "counts": how often it occurs, float32.
    Column 0 is the most frequent word. Raises UserError.
    """
    validate.check("task.data.values", values, validate.Choice("binary", "counts"))
    arrays = fetch(IMDB).arrays

    def split(name: str) -> Split:
        counts = arrays[f"{name}_counts"]
        data = np.ones(len(counts), np.uint8) if values == "binary" else counts.astype(np.float32)
        rows = SparseRows(arrays[f"{name}_indptr"], arrays[f"{name}_indices"], data, WORDS)
        return Split(rows, arrays[f"{name}_labels"])

    return Dataset("imdb", split("train"), split("test"), classes=2)
