"""Twenty reviews in place of IMDB's 50,000, and the real ones where they are at hand."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from adam_repro.data import imdb, imdb_text, load, sources, word_ids
from tests.data.helpers import words, write_tar_gz


def review(split: str, label: str, number: int) -> str:
    return f"{split}{number} {label}"


@pytest.fixture(autouse=True)
def few_reviews(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Five reviews a label and split."""
    if "imdb_text_arrays" in request.fixturenames:
        return
    monkeypatch.setattr(imdb, "PER_LABEL", 5)


def pack(folder: Path, monkeypatch: pytest.MonkeyPatch, first: str = "") -> None:
    reviews, digest = {}, hashlib.sha256()
    for split in ("train", "test"):
        for label in ("neg", "pos"):
            for number in range(5):
                is_first = (split, label, number) == ("train", "neg", 0)
                text = (first if is_first and first else review(split, label, number)).encode()
                reviews[f"aclImdb/{split}/{label}/{number}_7.txt"] = text
                digest.update(f"{split}/{label}/{number} {len(text)}\n".encode() + text)
    monkeypatch.setattr(imdb, "REVIEWS_SHA256", digest.hexdigest())
    write_tar_gz(folder / imdb.ARCHIVE, reviews)


def text(split: str) -> list[str]:
    return word_ids.decode(sources.fetch(imdb_text.IMDB_TEXT).arrays, split)


def test_reviews_take_turns_and_the_last_twentieths_validate_and_test(folder, monkeypatch) -> None:
    pack(folder, monkeypatch)
    assert text("train")[:9] == words("train0 neg <eos> train0 pos <eos> train1 neg <eos>")
    assert text("train")[-3:] == words("test3 pos <eos>")
    assert text("validation") == words("test4 neg <eos>")
    assert text("test") == words("test4 pos <eos>")
    imdb_text.verify(sources.fetch(imdb_text.IMDB_TEXT).arrays)


def test_words_are_in_lower_case_and_marks_are_words(folder: Path, monkeypatch) -> None:
    pack(folder, monkeypatch, "It's GREAT...<br /><br />(Caf\u00e9 no_1)")
    expected = words("it ' s great . . . ( caf\u00e9 no_1 ) <eos>")
    assert text("train")[: len(expected)] == expected


def test_words_that_occur_once_are_unknown_by_default(folder: Path, monkeypatch) -> None:
    pack(folder, monkeypatch, "once")
    data = load("imdb_text", context=1)
    every = load("imdb_text", context=1, min_count=1)
    assert every.classes - data.classes == 1  # "once" and "train0" are gone, and <unk> is new
    assert data.train.inputs[0, 0] == data.train.inputs[2, 0]
    assert every.train.inputs[0, 0] != every.train.inputs[2, 0]


def test_a_lost_review_is_detected(folder: Path, monkeypatch) -> None:
    pack(folder, monkeypatch)
    arrays = dict(sources.fetch(imdb_text.IMDB_TEXT).arrays)
    arrays["test"] = arrays["test"][:-1]
    with pytest.raises(sources.SourceError, match="test has 0 reviews, 1 expected"):
        imdb_text.verify(arrays)


@pytest.mark.slow
def test_the_real_reviews(imdb_text_arrays) -> None:
    arrays = imdb_text_arrays.arrays
    imdb_text.verify(arrays)
    sizes = [len(arrays[split]) for split in word_ids.SPLITS]
    assert (sizes, len(arrays["counts"])) == ([12_512_600, 674_580, 664_614], 102_017)
    assert word_ids.words_of(arrays)[:3] == ["the", ".", ","]
    assert load("imdb_text").classes == 63_190
