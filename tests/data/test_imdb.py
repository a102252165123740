from __future__ import annotations

import hashlib
import tarfile
from pathlib import Path

import numpy as np
import pytest

from adam_repro.data import SparseRows, array_cache, imdb, load, sources
from adam_repro.errors import UserError
from tests.data.helpers import write_tar_gz

REVIEWS = {
    "train/neg/0_1.txt": "bad bad film",
    "train/neg/1_2.txt": "a dull film",
    "train/pos/0_9.txt": "good film",
    "train/pos/1_10.txt": "good good good",
    "test/neg/0_3.txt": "dull, unseen word",
    "test/neg/1_1.txt": "bad",
    "test/pos/0_8.txt": "good\u2026 caf\u00e9",
    "test/pos/1_7.txt": "film",
}


@pytest.fixture(autouse=True)
def few_reviews(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two reviews in each class and three words, except for the tests of the real set."""
    if "imdb_arrays" in request.fixturenames:
        return
    digest = hashlib.sha256()
    for split in ("train", "test"):
        for label in ("neg", "pos"):
            for name, text in REVIEWS.items():
                if name.startswith(f"{split}/{label}"):
                    content = text.encode()
                    number = name.split("/")[2].split("_")[0]
                    digest.update(f"{split}/{label}/{number} {len(content)}\n".encode() + content)
    monkeypatch.setattr(imdb, "PER_LABEL", 2)
    monkeypatch.setattr(imdb, "WORDS", 3)
    monkeypatch.setattr(imdb, "REVIEWS_SHA256", digest.hexdigest())


def pack(path: Path, reviews: dict[str, str]) -> Path:
    """An archive like the publisher's, with unlabelled reviews and features."""
    others = {"README": "read me", "train/unsup/0_0.txt": "no label", "train/labeledBow.feat": "0"}
    files = {f"aclImdb/{name}": text.encode() for name, text in {**others, **reviews}.items()}
    return write_tar_gz(path, files)


def dense(rows: SparseRows) -> list[list[float]]:
    out = np.zeros(rows.shape)
    for row, (start, end) in enumerate(zip(rows.indptr[:-1], rows.indptr[1:], strict=True)):
        out[row, rows.indices[start:end]] = rows.values[start:end]
    return out.tolist()


def test_reviews_become_bags_of_the_most_frequent_words(folder: Path) -> None:
    pack(folder / imdb.ARCHIVE, REVIEWS)
    data = load("imdb", values="counts")
    # good 4, film 3, bad 2; negative reviews first
    assert imdb.vocabulary(sources.fetch(imdb.IMDB).arrays) == ["good", "film", "bad"]
    assert dense(data.train.inputs) == [[0, 1, 2], [0, 1, 0], [1, 1, 0], [3, 0, 0]]
    assert dense(data.test.inputs) == [[0, 0, 0], [0, 0, 1], [1, 0, 0], [0, 1, 0]]
    assert data.train.targets.tolist() == data.test.targets.tolist() == [0, 0, 1, 1]
    binary = load("imdb").train.inputs
    assert dense(binary) == [[0, 1, 1], [0, 1, 0], [1, 1, 0], [1, 0, 0]]
    assert binary.values.dtype == np.uint8


def test_the_archives_order_does_not_matter(folder: Path) -> None:
    pack(folder / imdb.ARCHIVE, dict(reversed(REVIEWS.items())))
    assert dense(load("imdb").train.inputs)[3] == [1, 0, 0]


def test_an_unpacked_archive_is_read_without_the_files_that_macos_adds(folder: Path) -> None:
    with tarfile.open(pack(folder / "other.tar.gz", REVIEWS)) as tar:
        tar.extractall(folder, filter="data")
    for path in list((folder / "aclImdb").rglob("*.txt")):
        path.with_name(f"._{path.name}").write_bytes(b"\x00\x05\x16\x07Mac OS X")
    assert dense(load("imdb").train.inputs)[3] == [1, 0, 0]


def without(*names: str) -> dict[str, str]:
    return {name: text for name, text in REVIEWS.items() if not name.startswith(names)}


@pytest.mark.parametrize(
    ("reviews", "says"),
    [
        (without("train/pos", "train/neg"), "train/neg holds 0 labelled reviews, 2 expected"),
        (without("test/pos/1"), "test/pos holds 1 labelled reviews, 2 expected"),
        ({**REVIEWS, "test/pos/1_7.txt": "Film"}, "a review was changed"),
    ],
    ids=["no labels", "one missing", "one changed"],
)
def test_an_archive_without_every_review_is_rejected(folder: Path, reviews, says: str) -> None:
    path = pack(folder / imdb.ARCHIVE, reviews)
    with pytest.raises(UserError, match=says) as error:
        load("imdb")
    assert str(path) in str(error.value)
    assert imdb.URL in str(error.value)


@pytest.mark.parametrize("damage", [lambda b: b[: len(b) // 2], lambda b: b"<html>", lambda b: b""])
def test_a_corrupt_archive_is_named(folder: Path, damage) -> None:
    path = pack(folder / imdb.ARCHIVE, REVIEWS)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(UserError, match=r"aclImdb_v1\.tar\.gz \(\d+ bytes\): not a whole") as error:
        load("imdb")
    assert imdb.URL in str(error.value)


def test_a_folder_without_labels_is_rejected(folder: Path) -> None:
    (folder / "aclImdb" / "train" / "unsup").mkdir(parents=True)
    (folder / "aclImdb" / "test" / "neg").mkdir(parents=True)
    with pytest.raises(UserError, match="no labelled reviews: it lacks aclImdb/train/neg"):
        load("imdb")


def test_the_publishers_archive_is_valid_by_its_own_checksum(folder: Path, monkeypatch) -> None:
    path = pack(folder / imdb.ARCHIVE, REVIEWS)
    monkeypatch.setattr(imdb, "REVIEWS_SHA256", "another sha256")
    monkeypatch.setattr(imdb, "SIZE", path.stat().st_size)
    monkeypatch.setattr(imdb, "SHA256", hashlib.sha256(path.read_bytes()).hexdigest())
    assert len(load("imdb").train) == 4


def test_unknown_values_are_rejected() -> None:
    with pytest.raises(UserError, match=r"task\.data\.values=tfidf: must be one of binary, counts"):
        load("imdb", values="tfidf")


def bag(arrays: dict[str, np.ndarray], split: str, row: int) -> dict[str, int]:
    words = imdb.vocabulary(arrays)
    start, end = arrays[f"{split}_indptr"][row : row + 2]
    columns, counts = arrays[f"{split}_indices"][start:end], arrays[f"{split}_counts"][start:end]
    return {words[column]: int(count) for column, count in zip(columns, counts, strict=True)}


def test_a_real_review_counted_by_hand(imdb_arrays: array_cache.CacheFile) -> None:
    # train/pos/0_9.txt, on Bromwell High, is the first positive training review.
    counts = bag(imdb_arrays.arrays, "train", 12_500)
    by_hand = {
        "teachers": 4, "high": 5, "student": 2, "students": 2, "school": 2, "schools": 1,
        "that": 4, "is": 4, "my": 2, "35": 1, "isn": 1, "satire": 1, "inspector": 1,
    }  # fmt: skip
    assert {word: counts[word] for word in by_hand} == by_hand
    assert "bromwell" not in imdb.vocabulary(imdb_arrays.arrays)


def test_the_real_set_whole(imdb_arrays: array_cache.CacheFile) -> None:
    arrays = imdb_arrays.arrays
    imdb.verify(arrays)
    assert imdb.vocabulary(arrays)[:5] == ["the", "and", "of", "to", "is"]
    totals = np.bincount(arrays["train_indices"], weights=arrays["train_counts"])
    assert len(totals) == 10_000
    assert (np.diff(totals) <= 0).all()
