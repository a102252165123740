"""Atomic writes: nobody's file is written through a link, a failure leaves nothing, a kill little."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from adam_repro import files
from adam_repro.errors import UserError


def test_the_file_is_the_old_one_until_the_block_ends(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"old")
    with files.atomic_write(path) as file:
        file.write(b"new")
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    assert [one.name for one in tmp_path.iterdir()] == ["x"]


@pytest.mark.parametrize("shared", [False, True])
def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path, shared: bool) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"old")
    with pytest.raises(TypeError), files.atomic_write(path, shared) as file:
        file.writelines([b"new", None])  # type: ignore[list-item]
    assert path.read_bytes() == b"old"
    assert [one.name for one in tmp_path.iterdir()] == ["x"]


@pytest.mark.parametrize("shared", [False, True])
def test_a_link_that_was_put_there_is_not_followed(
    tmp_path: Path, shared: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name is random; and one who guesses it gains nothing."""
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    path = tmp_path / "x"
    known = bytes(8)
    for name in ("x.partial", f"x.{os.getpid()}.partial"):
        (tmp_path / name).symlink_to(victim)
    files.write_text(path, "new", shared)
    assert path.read_bytes() == b"new"
    monkeypatch.setattr(files, "_remove_partials", lambda _: None)
    monkeypatch.setattr(files.os, "urandom", lambda _: known)
    (tmp_path / f"x.{known.hex()}.partial").symlink_to(victim)
    with pytest.raises(FileExistsError):
        files.write_text(path, "newer", shared)
    assert victim.read_bytes() == b"precious"


def test_two_parts_never_have_one_name(tmp_path: Path) -> None:
    path = tmp_path / "x"
    with files.atomic_write(path, shared=True), files.atomic_write(path, shared=True):
        assert len(list(tmp_path.glob("x.*.partial"))) == 2


def test_parts_of_a_killed_process_are_removed(tmp_path: Path) -> None:
    for name in ("x.partial", "x.0123.partial", "y.0123.partial", "x[1].0123.partial"):
        (tmp_path / name).write_bytes(b"half")
    files.write_text(tmp_path / "x", "whole")
    files.write_text(tmp_path / "x[1]", "whole")
    assert {one.name for one in tmp_path.iterdir()} == {"x", "x[1]", "y.0123.partial"}


def test_the_old_file_is_kept_where_that_is_asked_for(tmp_path: Path) -> None:
    path, backup = tmp_path / "x", tmp_path / "x.before"
    for content in (b"one", b"two", b"three"):
        with files.atomic_write(path, sync=True, backup=backup) as file:
            file.write(content)
    assert (path.read_bytes(), backup.read_bytes()) == (b"three", b"two")


def test_a_file_that_is_set_aside_replaces_no_other(tmp_path: Path) -> None:
    names = []
    for content in ("one", "two"):
        (tmp_path / "x").write_text(content)
        names.append(files.set_aside(tmp_path / "x").name)
    assert names == ["x.old1", "x.old2"]
    assert (tmp_path / "x.old1").read_text() == "one"


def test_what_macos_leaves_in_a_folder_is_not_seen(tmp_path: Path) -> None:
    for name in ("b.csv", "a.csv", "._a.csv", ".DS_Store", "c.txt"):
        (tmp_path / name).write_bytes(b"")
    assert [path.name for path in files.visible(tmp_path, "*.csv")] == ["a.csv", "b.csv"]
    assert [path.name for path in files.visible(tmp_path, "*")] == ["a.csv", "b.csv", "c.txt"]
    assert files.visible(tmp_path / "nowhere", "*") == []


@pytest.mark.parametrize("below", ["", "new/folder"])
def test_a_results_folder_that_cannot_be_made_is_refused(tmp_path: Path, below: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(
        UserError, match=r"^results_dir: cannot write to .*file: it is not a folder"
    ):
        files.check_results_folder(tmp_path / "file" / below)


@pytest.mark.parametrize("below", ["", "new/folder"])
def test_a_read_only_results_folder_is_refused(
    tmp_path: Path, below: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    files.check_results_folder(tmp_path / below)
    monkeypatch.setattr(files.os, "access", lambda path, mode: Path(path) != tmp_path)
    with pytest.raises(UserError, match=r"^results_dir: cannot write to .*: it is read-only"):
        files.check_results_folder(tmp_path / below)
    assert not any(tmp_path.iterdir())
