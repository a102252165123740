"""Fixtures of the data tests: an empty cache, an empty user's folder, the real data sets, a toy."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from adam_repro import data
from adam_repro.data import Dataset, array_cache, brown, imdb, imdb_text, sources, wikitext2


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and no user's folder."""
    monkeypatch.setenv("ADAM_REPRO_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("ADAM_REPRO_DATA", raising=False)
    (tmp_path / "cache").mkdir()
    return tmp_path / "cache"


@pytest.fixture
def folder(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty user's folder, and an empty cache."""
    folder = tmp_path / "user"
    folder.mkdir()
    monkeypatch.setenv("ADAM_REPRO_DATA", str(folder))
    return folder


@pytest.fixture(scope="session")
def mnist() -> Dataset:
    return data.load("mnist")


@pytest.fixture(scope="session")
def cifar10() -> Dataset:
    return data.load("cifar10")


def _real(source: sources.DatasetSource, what: str) -> array_cache.CacheFile:
    """A set that no test downloads; its tests are skipped where it is not at hand."""
    if not sources.user_files(source) and not array_cache.path_of(source.name).exists():
        pytest.skip(f"{what} not found: set ADAM_REPRO_DATA to the folder that holds it")
    return sources.fetch(source)


@pytest.fixture(scope="session")
def imdb_arrays() -> array_cache.CacheFile:
    return _real(imdb.IMDB, "IMDB archive")


@pytest.fixture(scope="session")
def imdb_text_arrays() -> array_cache.CacheFile:
    return _real(imdb_text.IMDB_TEXT, "IMDB archive")


@pytest.fixture(scope="session")
def wikitext2_arrays() -> array_cache.CacheFile:
    return _real(wikitext2.WIKITEXT2, "WikiText-2")


@pytest.fixture(scope="session")
def brown_arrays() -> array_cache.CacheFile:
    return _real(brown.BROWN, "the Brown corpus")


class Toy:
    """A data set of one file with four bytes, and downloads of it that succeed or fail."""

    good = b"good"

    def source(self, *downloads: sources.Download) -> sources.DatasetSource:
        def find(folder: Path) -> list[Path]:
            return [folder / "toy.bin"] if (folder / "toy.bin").exists() else []

        def read(files: list[Path]) -> dict[str, np.ndarray]:
            content = files[0].read_bytes()
            sources.verify_md5(str(files[0]), content, hashlib.md5(self.good).hexdigest(), 4)
            return {"bytes": np.frombuffer(content, np.uint8)}

        def verify(arrays: object) -> None:
            pass

        instructions = "put toy.bin in a folder"
        return sources.DatasetSource(
            "toy", 1, "four bytes", find, read, verify, downloads, instructions
        )

    def succeeds(self, content: bytes = good, name: str = "net") -> sources.Download:
        def get(folder: Path) -> None:
            (folder / "toy.bin").write_bytes(content)

        return sources.Download(name, get)

    def fails(self, name: str, reason: str) -> sources.Download:
        def get(folder: Path) -> None:
            (folder / "half").write_bytes(b"half a file")
            raise sources.SourceError(reason)

        return sources.Download(name, get)


@pytest.fixture
def toy() -> Toy:
    return Toy()
