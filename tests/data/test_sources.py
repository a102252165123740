"""The order of the sources, on a toy set of one file of four bytes."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from adam_repro.data import array_cache, sources
from adam_repro.errors import UserError


def content(stored: array_cache.Stored) -> bytes:
    return stored.arrays["bytes"].tobytes()


def test_the_users_folder_comes_first(toy, folder: Path) -> None:
    (folder / "toy.bin").write_bytes(toy.good)
    stored = sources.obtain(toy.recipe(toy.fails("net", "must not be asked")))
    assert content(stored) == toy.good
    assert stored.header["origin"] == str(folder)


def test_the_cache_comes_before_downloads(toy, cache: Path) -> None:
    sources.obtain(toy.recipe(toy.brings()))
    assert content(sources.obtain(toy.recipe(toy.fails("net", "must not be asked")))) == toy.good


def test_the_caches_folder_is_made(toy, cache: Path, monkeypatch) -> None:
    monkeypatch.setenv("ADAM_REPRO_CACHE", str(cache / "new" / "folder"))
    assert sources.obtain(toy.recipe(toy.brings())).path.parent == cache / "new" / "folder"


def test_a_folder_that_lacks_the_set_is_passed_over(toy, folder: Path) -> None:
    assert sources.obtain(toy.recipe(toy.brings())).header["origin"] == "net"


def test_the_next_download_is_tried_when_one_fails_or_brings_rubbish(toy, cache: Path) -> None:
    recipe = toy.recipe(
        toy.fails("first", "no route"), toy.brings(b"evil", "second"), toy.brings(name="third")
    )
    assert sources.obtain(recipe).header["origin"] == "third"


@pytest.mark.parametrize(
    ("bad", "says"), [(b"evil", "md5"), (b"goo", "3 bytes, 4 expected"), (b"", "0 bytes")]
)
def test_a_bad_file_of_the_users_is_named_and_not_passed_over(
    toy, folder: Path, bad: bytes, says: str
) -> None:
    (folder / "toy.bin").write_bytes(bad)
    with pytest.raises(UserError) as error:
        sources.obtain(toy.recipe(toy.brings()))
    for part in (str(folder / "toy.bin"), says, "put toy.bin in a folder", "ADAM_REPRO_DATA"):
        assert part in str(error.value)
    assert not array_cache.path_of("toy").exists()


def test_a_file_that_goes_bad_after_it_was_cached_is_noticed(toy, folder: Path) -> None:
    (folder / "toy.bin").write_bytes(toy.good)
    sources.obtain(toy.recipe())
    (folder / "toy.bin").write_bytes(b"evil")
    with pytest.raises(UserError, match="md5"):
        sources.obtain(toy.recipe())


def test_unchanged_files_of_the_users_are_not_read_again(toy, folder: Path) -> None:
    (folder / "toy.bin").write_bytes(toy.good)
    first = sources.obtain(toy.recipe()).path.stat().st_mtime_ns
    assert sources.obtain(toy.recipe()).path.stat().st_mtime_ns == first
    os.utime(folder / "toy.bin", ns=(1, 1))
    assert sources.obtain(toy.recipe()).path.stat().st_mtime_ns != first


def test_a_folder_that_is_not_there_is_an_error(toy, cache: Path, monkeypatch) -> None:
    monkeypatch.setenv("ADAM_REPRO_DATA", str(cache / "nowhere"))
    with pytest.raises(UserError, match=r"ADAM_REPRO_DATA=.*nowhere: no such folder"):
        sources.obtain(toy.recipe(toy.brings()))


def test_when_every_source_fails_the_error_tells_what_was_tried(toy, cache: Path) -> None:
    with pytest.raises(UserError) as error:
        sources.obtain(toy.recipe(toy.fails("first", "no route"), toy.brings(b"evil", "second")))
    text = str(error.value)
    for part in ("ADAM_REPRO_DATA: not set", "first: no route", "second: ", "md5", "put toy.bin"):
        assert part in text
    assert str(array_cache.path_of("toy")) in text


def test_nothing_half_downloaded_stays(toy, cache: Path) -> None:
    with pytest.raises(UserError):
        sources.obtain(toy.recipe(toy.fails("first", "cable cut"), toy.brings(b"evil")))
    assert [path.name for path in cache.iterdir() if path.suffix != ".lock"] == []


def test_what_a_killed_process_left_behind_is_removed(toy, cache: Path) -> None:
    (cache / "toy.download").mkdir()
    (cache / "toy.download" / "toy.bin").write_bytes(b"half")
    (cache / "toy.arrays.partial").write_bytes(b"half a cache file")
    assert content(sources.obtain(toy.recipe(toy.brings()))) == toy.good
    left = {path.name for path in cache.iterdir()} - {"toy.lock"}
    assert left == {"toy.arrays"}


def test_a_truncated_cache_is_made_anew(toy, cache: Path) -> None:
    path = sources.obtain(toy.recipe(toy.brings())).path
    path.write_bytes(path.read_bytes()[:-1])
    assert content(sources.obtain(toy.recipe(toy.brings()))) == toy.good


def test_an_unwritable_cache_is_one_message(toy, folder: Path, monkeypatch) -> None:
    (folder / "toy.bin").write_bytes(toy.good)
    monkeypatch.setenv("ADAM_REPRO_CACHE", str(folder / "toy.bin" / "cache"))
    with pytest.raises(UserError, match="cannot write the data cache"):
        sources.obtain(toy.recipe())


def test_a_second_process_waits_for_the_first(toy, cache: Path) -> None:
    hold = "from adam_repro.data import array_cache; import time\nwith array_cache.lock('toy'):\n"
    hold += "    print('held', flush=True); time.sleep(0.5)"
    with subprocess.Popen([sys.executable, "-c", hold], stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        start = time.perf_counter()
        sources.obtain(toy.recipe(toy.brings()))
        assert time.perf_counter() - start > 0.3
