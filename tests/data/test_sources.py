"""The order of the sources, on a toy data set of one file with four bytes."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from adam_repro.data import array_cache, cifar10, mnist, sources
from adam_repro.errors import UserError


def content(cached: array_cache.CacheFile) -> bytes:
    return cached.arrays["bytes"].tobytes()


def test_the_users_folder_comes_first(toy, folder: Path) -> None:
    (folder / "toy.bin").write_bytes(toy.good)
    cached = sources.fetch(toy.source(toy.fails("net", "must not be used")))
    assert content(cached) == toy.good
    assert cached.header["origin"] == str(folder)


def test_the_cache_comes_before_downloads(toy, cache: Path) -> None:
    sources.fetch(toy.source(toy.succeeds()))
    assert content(sources.fetch(toy.source(toy.fails("net", "must not be used")))) == toy.good


def test_the_cache_folder_is_created(toy, cache: Path, monkeypatch) -> None:
    monkeypatch.setenv("ADAM_REPRO_CACHE", str(cache / "new" / "folder"))
    assert sources.fetch(toy.source(toy.succeeds())).path.parent == cache / "new" / "folder"


def test_a_folder_that_lacks_the_set_is_skipped(toy, folder: Path) -> None:
    assert sources.fetch(toy.source(toy.succeeds())).header["origin"] == "net"


def test_the_next_download_is_tried_when_one_fails_or_its_file_is_bad(toy, cache: Path) -> None:
    source = toy.source(
        toy.fails("first", "no route"), toy.succeeds(b"evil", "second"), toy.succeeds(name="third")
    )
    assert sources.fetch(source).header["origin"] == "third"


@pytest.mark.parametrize(
    ("bad", "says"), [(b"evil", "md5"), (b"goo", "3 bytes, 4 expected"), (b"", "0 bytes")]
)
def test_a_bad_user_file_is_named_and_not_skipped(toy, folder: Path, bad: bytes, says: str) -> None:
    (folder / "toy.bin").write_bytes(bad)
    with pytest.raises(UserError) as error:
        sources.fetch(toy.source(toy.succeeds()))
    for part in (str(folder / "toy.bin"), says, "put toy.bin in a folder", "ADAM_REPRO_DATA"):
        assert part in str(error.value)
    assert not array_cache.path_of("toy").exists()


def test_a_user_file_damaged_after_caching_is_detected(toy, folder: Path) -> None:
    (folder / "toy.bin").write_bytes(toy.good)
    sources.fetch(toy.source())
    (folder / "toy.bin").write_bytes(b"evil")
    with pytest.raises(UserError, match="md5"):
        sources.fetch(toy.source())


def test_unchanged_user_files_are_not_read_again(toy, folder: Path) -> None:
    (folder / "toy.bin").write_bytes(toy.good)
    first = sources.fetch(toy.source()).path.stat().st_mtime_ns
    assert sources.fetch(toy.source()).path.stat().st_mtime_ns == first
    os.utime(folder / "toy.bin", ns=(1, 1))
    assert sources.fetch(toy.source()).path.stat().st_mtime_ns != first


def test_a_folder_that_is_not_there_is_an_error(toy, cache: Path, monkeypatch) -> None:
    monkeypatch.setenv("ADAM_REPRO_DATA", str(cache / "nowhere"))
    with pytest.raises(UserError, match=r"ADAM_REPRO_DATA=.*nowhere: no such folder"):
        sources.fetch(toy.source(toy.succeeds()))


def test_when_every_source_fails_the_error_lists_all(toy, cache: Path) -> None:
    with pytest.raises(UserError) as error:
        sources.fetch(toy.source(toy.fails("first", "no route"), toy.succeeds(b"evil", "second")))
    text = str(error.value)
    for part in ("ADAM_REPRO_DATA: not set", "first: no route", "second: ", "md5", "put toy.bin"):
        assert part in text
    assert str(array_cache.path_of("toy")) in text


def test_no_partial_download_is_left(toy, cache: Path) -> None:
    with pytest.raises(UserError):
        sources.fetch(toy.source(toy.fails("first", "cable cut"), toy.succeeds(b"evil")))
    assert [path.name for path in cache.iterdir() if path.suffix != ".lock"] == []


def test_the_files_of_a_killed_process_are_removed(toy, cache: Path) -> None:
    (cache / "toy.download").mkdir()
    (cache / "toy.download" / "toy.bin").write_bytes(b"half")
    (cache / "toy.arrays.partial").write_bytes(b"half a cache file")
    assert content(sources.fetch(toy.source(toy.succeeds()))) == toy.good
    remaining = {path.name for path in cache.iterdir()} - {"toy.lock"}
    assert remaining == {"toy.arrays"}


def test_a_truncated_cache_file_is_written_again(toy, cache: Path) -> None:
    path = sources.fetch(toy.source(toy.succeeds())).path
    path.write_bytes(path.read_bytes()[:-1])
    assert content(sources.fetch(toy.source(toy.succeeds()))) == toy.good


def test_a_damaged_payload_is_made_again(toy, cache: Path, capsys) -> None:
    path = sources.fetch(toy.source(toy.succeeds())).path
    damaged = bytearray(path.read_bytes())
    damaged[-1] ^= 1
    path.write_bytes(damaged)
    assert content(sources.fetch(toy.source(toy.succeeds()))) == toy.good
    assert f"{path}: sha256" in capsys.readouterr().err


def test_a_cache_file_of_other_arrays_is_made_again(toy, cache: Path, capsys) -> None:
    source = toy.source(toy.succeeds())
    whole = replace(source, layout={"bytes": ("|u1", (4,))})
    for arrays in ({"others": np.zeros(4, np.uint8)}, {"bytes": np.zeros((2, 2), np.uint8)}):
        array_cache.write_file("toy", 1, arrays, origin="a forger", files=[])
        assert content(sources.fetch(whole)) == toy.good
        assert "other arrays than expected" in capsys.readouterr().err


@pytest.mark.parametrize("kind", [os.mkfifo, lambda path: path.symlink_to("/dev/zero")])
def test_what_is_no_file_in_the_users_folder_is_refused(toy, folder: Path, kind) -> None:
    kind(folder / "toy.bin")
    with pytest.raises(UserError, match=r"toy.bin: not a regular file"):
        sources.fetch(toy.source(toy.succeeds()))
    with pytest.raises(sources.SourceError, match="not a regular file"):
        sources.read_file(folder / "toy.bin", 4)


def test_of_a_file_that_is_too_long_only_the_beginning_is_read(tmp_path: Path) -> None:
    with (tmp_path / "long").open("wb") as file:
        file.truncate(1 << 40)
    assert sources.read_file(tmp_path / "long", 4) == bytes(5)


def test_of_two_files_with_one_md5_the_published_one_is_taken(monkeypatch) -> None:
    md5 = hashlib.md5(b"good").hexdigest()
    monkeypatch.setitem(sources.SHA256, md5, hashlib.sha256(b"good").hexdigest())
    sources.verify_md5("x", b"good", md5)
    monkeypatch.setitem(sources.SHA256, md5, hashlib.sha256(b"another of that md5").hexdigest())
    with pytest.raises(sources.SourceError, match=r"x: sha256 .* expected"):
        sources.verify_md5("x", b"good", md5)


def test_every_md5_of_an_image_has_its_sha256() -> None:
    every = [*mnist.MNIST_MD5.values(), *mnist.FASHION_MD5.values(), *cifar10.MD5.values()]
    assert set(every) <= sources.SHA256.keys()


def test_an_unwritable_cache_is_one_message(toy, folder: Path, monkeypatch) -> None:
    (folder / "toy.bin").write_bytes(toy.good)
    monkeypatch.setenv("ADAM_REPRO_CACHE", str(folder / "toy.bin" / "cache"))
    with pytest.raises(UserError, match="cannot write the data cache"):
        sources.fetch(toy.source())


@pytest.mark.slow
def test_a_second_process_waits_for_the_first(toy, cache: Path, capsys) -> None:
    code = "from adam_repro.data import array_cache\nwith array_cache.lock('toy'):\n"
    code += "    print('locked', flush=True); input()"
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", code], stdin=pipe, stdout=pipe) as other:
        assert other.stdout is not None
        assert other.stdin is not None
        assert other.stdout.readline() == b"locked\n"
        second = threading.Thread(target=sources.fetch, args=[toy.source(toy.succeeds())])
        second.start()
        said = ""
        while "another process is preparing it; waiting" not in said:
            said += capsys.readouterr().err
        assert second.is_alive()
        other.stdin.close()  # the first ends, and its lock with it
        second.join()
    assert not second.is_alive()
