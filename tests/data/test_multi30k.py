"""Multi30k: what is found, refused and downloaded, and the real set."""

from __future__ import annotations

import gzip
import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest

from adam_repro.data import array_cache, load, multi30k, sources
from adam_repro.data.parallel_text import PAD, ParallelDataset
from adam_repro.errors import UserError


@pytest.fixture(scope="session")
def texts() -> array_cache.CacheFile:
    if not sources.user_files(multi30k.MULTI30K) and not array_cache.path_of("multi30k").exists():
        pytest.skip("Multi30k not found: set ADAM_REPRO_DATA to the folder that holds multi30k/")
    return sources.fetch(multi30k.MULTI30K)


@pytest.fixture(scope="session")
def real(texts: array_cache.CacheFile) -> ParallelDataset:
    pytest.importorskip("sacremoses", reason="needs the extra: pip install 'adam-repro[text]'")
    return multi30k.load()


def put(folder: Path, **contents: bytes) -> Path:
    """All nine files with a wrong content, or with the given one."""
    root = folder / multi30k.FOLDER
    root.mkdir()
    for name in multi30k.MD5:
        (root / f"{name}.gz").write_bytes(contents.get(name, gzip.compress(b"a sentence\n")))
    return root


def test_a_changed_text_is_named(folder: Path) -> None:
    root = put(folder)
    with pytest.raises(UserError, match=r"train\.en\.gz: md5 \w+, 053a34ec\w+ expected") as error:
        load("multi30k")
    assert str(root) in str(error.value)
    assert multi30k.URL in str(error.value)


def test_a_file_that_is_cut_short_is_named(folder: Path) -> None:
    put(folder, **{"train.en": gzip.compress(b"a sentence\n" * 99)[:-9]})
    with pytest.raises(UserError, match=r"train\.en\.gz: not a whole \.gz file"):
        load("multi30k")


def test_files_that_are_missing_are_named(folder: Path) -> None:
    root = put(folder)
    (root / "val.fr.gz").unlink()
    with pytest.raises(UserError, match=r"multi30k lacks val\.fr\.gz"):
        load("multi30k")


def test_without_any_source_the_error_says_which_files_to_put_where(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(multi30k, "URL", (folder / "nowhere").as_uri())
    with pytest.raises(UserError, match="no source has it") as error:
        load("multi30k")
    for words in (
        "train.en.gz",
        "test_2016_flickr.fr.gz",
        "a folder called multi30k",
        "no package",
    ):
        assert words in str(error.value)


@pytest.mark.slow
def test_the_publishers_files_are_downloaded(
    texts: array_cache.CacheFile, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = folder / "there"
    there.mkdir()
    for name in multi30k.MD5:
        # The publisher's own gzip is not kept in the cache: the sizes and checksums are of ours.
        packed = gzip.compress(texts.arrays[name].tobytes(), mtime=0)
        (there / f"{name}.gz").write_bytes(packed)
        monkeypatch.setitem(
            multi30k.ARCHIVES, name, (len(packed), hashlib.sha256(packed).hexdigest())
        )
    monkeypatch.setattr(multi30k, "URL", there.as_uri())
    found = sources.fetch(multi30k.MULTI30K)
    assert found.header["origin"].startswith("publisher")
    multi30k.verify(found.arrays)
    shutil.rmtree(there)


@pytest.mark.parametrize("pair", ["de-fr", "en", ""])
def test_other_pairs_are_refused(pair: str) -> None:
    with pytest.raises(UserError, match=f"pair={pair}: must be one of en-de, de-en, en-fr"):
        load("multi30k", pair=pair)


@pytest.mark.slow
def test_the_real_set(real: ParallelDataset) -> None:
    assert real.validation is not None
    assert (len(real.train), len(real.validation), len(real.test)) == (29_000, 1014, 1000)
    assert real.references["test"][0] == (
        "ein mann mit einem orangefarbenen hut , der etwas anstarrt ."
    )
    assert real.target_words[4:8] == (".", "ein", "einem", "in")
    source = [real.source_words[i] for i in real.test.inputs[0, 0] if i != PAD]
    assert source[:5] == ["a", "man", "in", "an", "orange"]
    lengths = (np.asarray(real.train.inputs) != PAD).sum(2) - 1
    assert lengths.max() == 51  # within the default max_length
    assert 5000 < len(real.source_words) < real.classes < 8000


def test_the_real_texts_are_those_of_their_checksums(texts: array_cache.CacheFile) -> None:
    multi30k.verify(texts.arrays)
    changed = {**texts.arrays, "val.de": texts.arrays["val.de"][:-1]}
    with pytest.raises(sources.SourceError, match=r"val\.de"):
        multi30k.verify(changed)
