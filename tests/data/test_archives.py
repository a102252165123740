from __future__ import annotations

import gzip
import io
import tracemalloc
import zipfile
from pathlib import Path

import pytest

from adam_repro.data import archives
from adam_repro.data.sources import SourceError
from tests.data.helpers import write_tar_gz, write_zip


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    content = {
        name: bytes(i * len(name) % 251 for i in range(50_000))
        for name in ("a/one", "a/two", "a/three")
    }
    return write_tar_gz(tmp_path / "a.tar.gz", content)


def test_wanted_members_come_in_the_archives_order(archive: Path) -> None:
    got = dict(archives.members(archive, ["a/three", "a/one"]))
    assert list(got) == ["a/one", "a/three"]
    assert got["a/one"][:4] == bytes([0, 5, 10, 15])


def test_a_missing_member_is_named(archive: Path) -> None:
    with pytest.raises(SourceError, match=r"a\.tar\.gz: lacks a/four"):
        list(archives.members(archive, ["a/one", "a/four"]))


@pytest.mark.parametrize(
    "damage",
    [lambda b: b[: len(b) // 2], lambda b: b[:-4], lambda b: b"no archive", lambda b: b""],
    ids=["half", "tail cut", "foreign", "empty"],
)
def test_a_damaged_archive_is_named(archive: Path, damage) -> None:
    archive.write_bytes(damage(archive.read_bytes()))
    with pytest.raises(SourceError, match=r"a\.tar\.gz \(\d+ bytes\): not a whole \.tar\.gz"):
        list(archives.stream(archive, lambda name: True))


@pytest.fixture
def zip_archive(tmp_path: Path) -> Path:
    return write_zip(tmp_path / "a.zip", {"a/": b"", "a/one": b"1" * 500, "a/two": b"22"})


def test_wanted_members_of_a_zip(zip_archive: Path) -> None:
    assert dict(archives.zip_members(zip_archive, ["a/two"])) == {"a/two": b"22"}
    assert [name for name, _ in archives.stream_zip(zip_archive, lambda name: True)] == [
        "a/one",
        "a/two",
    ]


def test_a_missing_member_of_a_zip_is_named(zip_archive: Path) -> None:
    with pytest.raises(SourceError, match=r"a\.zip: lacks a/four"):
        list(archives.zip_members(zip_archive, ["a/one", "a/four"]))


@pytest.mark.parametrize(
    "damage",
    [lambda b: b[: len(b) // 2], lambda b: b.replace(b"22", b"23", 1), lambda b: b""],
    ids=["half", "one byte changed", "empty"],
)
def test_a_damaged_zip_is_named(zip_archive: Path, damage) -> None:
    write_zip(zip_archive, {"a/one": b"1" * 500})
    with zipfile.ZipFile(zip_archive, "a", zipfile.ZIP_STORED) as archive:
        archive.writestr("a/two", b"22")
    zip_archive.write_bytes(damage(zip_archive.read_bytes()))
    with pytest.raises(SourceError, match=r"a\.zip \(\d+ bytes\): not a whole \.zip"):
        list(archives.stream_zip(zip_archive, lambda name: True))


def test_a_bomb_is_not_unpacked(tmp_path: Path, monkeypatch) -> None:
    """Zeros that take a thousandth of their size; of an archive's members and of their headers."""
    monkeypatch.setattr(archives, "MAX_UNPACKED", 1 << 20)
    tar = write_tar_gz(tmp_path / "bomb.tar.gz", {"a": bytes(1 << 24), "b": b"b"})
    for wanted in ("a", "b"):
        with pytest.raises(SourceError, match="more than 1048576 bytes unpacked"):
            list(archives.stream(tar, wanted.__eq__))
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("a", bytes(1 << 24))
    with pytest.raises(SourceError, match="16777216 bytes unpacked"):
        list(archives.stream_zip(tmp_path / "bomb.zip", "a".__eq__))


def test_of_a_gzip_file_no_more_is_unpacked_than_it_should_hold(tmp_path: Path) -> None:
    packed = io.BytesIO(gzip.compress(bytes(1 << 26)))
    tracemalloc.start()
    assert archives.unzip(packed, 1000) == bytes(1001)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 1 << 20
    assert archives.unzip(io.BytesIO(gzip.compress(bytes(1000))), 1000) == bytes(1000)
    damaged = bytearray(gzip.compress(bytes(1000)))
    damaged[-6] ^= 1  # of its checksum
    with pytest.raises(gzip.BadGzipFile):
        archives.unzip(io.BytesIO(damaged), 1000)


def test_none_of_our_archives_is_taken_for_a_bomb() -> None:
    assert archives.MAX_UNPACKED > 2 * 6 * 30_730_000  # CIFAR-10, the largest
