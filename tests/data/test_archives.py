from __future__ import annotations

from pathlib import Path

import pytest

from adam_repro.data import archives
from adam_repro.data.sources import SourceError
from tests.data.helpers import write_tar_gz


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
