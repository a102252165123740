from __future__ import annotations

import hashlib
import json
import os
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from adam_repro.data import array_cache
from adam_repro.errors import UserError

ARRAYS = {
    "images": np.arange(7 * 5, dtype=np.uint8).reshape(7, 5),
    "empty": np.zeros((0, 3), np.float32),
    "offsets": np.arange(9, dtype=np.int64) - 4,
    "weights": np.linspace(0, 1, 11, dtype=np.float32)[::2],
}


def test_arrays_are_read_as_written_memory_mapped_and_read_only(cache: Path) -> None:
    cached = array_cache.open_file(array_cache.write_file("toy", 3, ARRAYS, origin="here"))
    assert cached.header["version"] == 3
    assert cached.header["origin"] == "here"
    for key, array in ARRAYS.items():
        read = cached.arrays[key]
        np.testing.assert_array_equal(read, array)
        assert read.dtype == array.dtype
        assert isinstance(read, np.memmap) or not read.size
        assert not read.flags.writeable


def test_arrays_are_aligned_to_64_bytes(cache: Path) -> None:
    cached = array_cache.open_file(array_cache.write_file("toy", 1, ARRAYS))
    for array in cached.arrays.values():
        assert array.ctypes.data % 64 == 0


def test_opening_maps_the_arrays_and_reads_the_header_alone(cache: Path) -> None:
    path = array_cache.write_file("toy", 1, {"big": np.zeros(50_000_000, np.uint8)})
    tracemalloc.start()
    opened = array_cache.open_file(path)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert opened.arrays["big"].nbytes == 50_000_000
    assert most < 1_000_000


def test_writing_leaves_only_the_file(cache: Path) -> None:
    array_cache.write_file("toy", 1, ARRAYS)
    assert [path.name for path in cache.iterdir()] == ["toy.arrays"]


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda b: b[:-1], "expected"),
        (lambda b: b + b"x", "expected"),
        (lambda b: b[:100], "header"),
        (lambda b: b[:60] + b"#" + b[61:], "header"),
        (lambda b: b"", "not a cache file"),
        (lambda b: b"\x93NUMPY" + b[6:], "not a cache file"),
    ],
    ids=["cut", "longer", "header cut", "header damaged", "empty", "foreign"],
)
def test_a_damaged_file_is_detected_on_opening(cache: Path, damage, says: str) -> None:
    path = array_cache.write_file("toy", 1, ARRAYS)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(array_cache.CorruptError, match=says):
        array_cache.open_file(path)


def test_verifying_detects_a_changed_byte_of_the_payload(cache: Path) -> None:
    path = array_cache.write_file("toy", 1, ARRAYS)
    array_cache.verify_payload(array_cache.open_file(path))
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(array_cache.CorruptError, match="sha256"):
        array_cache.verify_payload(array_cache.open_file(path))


def test_a_changed_payload_is_found_once_a_process(cache: Path, capsys, monkeypatch) -> None:
    path = array_cache.write_file("toy", 1, ARRAYS)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert array_cache.open_if_valid("toy", 1) is None
    assert "it will be made again" in capsys.readouterr().err
    array_cache.write_file("toy", 1, ARRAYS)
    read: list[Path] = []
    verify = array_cache.verify_payload
    monkeypatch.setattr(
        array_cache, "verify_payload", lambda cached: (read.append(cached.path), verify(cached))
    )
    for _ in range(3):
        assert array_cache.open_if_valid("toy", 1) is not None
    assert read == [path]
    path.write_bytes(content)  # damaged while the process runs
    assert array_cache.open_if_valid("toy", 1) is None


def forge(path: Path, header: object) -> None:
    """Give a cache file another header, with a checksum that agrees."""
    content = path.read_bytes()
    length = int.from_bytes(content[8:16], "little")
    start = array_cache._aligned(array_cache.PREAMBLE + length)
    old = json.loads(content[array_cache.PREAMBLE :][:length])
    new = {**old, **header} if isinstance(header, dict) else header
    text = json.dumps(new).encode()
    head = (
        array_cache.MAGIC + len(text).to_bytes(8, "little") + hashlib.sha256(text).digest() + text
    )
    path.write_bytes(head.ljust(array_cache._aligned(len(head)), b"\0") + content[start:])


ENTRY = {"dtype": "|u1", "shape": [7, 5], "offset": 0}


@pytest.mark.parametrize(
    "header",
    [
        [],
        7,
        {"format": 9},
        {"name": 3},
        {"version": "1"},
        {"size": "all"},
        {"size": -1},
        {"sha256": None},
        {"arrays": []},
        {"arrays": {"x": None}},
        {"arrays": {"x": {}}},
        {"arrays": {"x": {**ENTRY, "dtype": "O"}}},
        {"arrays": {"x": {**ENTRY, "dtype": "nonsense"}}},
        {"arrays": {"x": {**ENTRY, "dtype": 3}}},
        {"arrays": {"x": {**ENTRY, "shape": [7, 5000]}}},
        {"arrays": {"x": {**ENTRY, "shape": [-7, -5]}}},
        {"arrays": {"x": {**ENTRY, "shape": [2**40, 2**40]}}},
        {"arrays": {"x": {**ENTRY, "shape": "seven"}}},
        {"arrays": {"x": {**ENTRY, "shape": [float("inf")]}}},
        {"arrays": {"x": {**ENTRY, "offset": -1}}},
        {"arrays": {"x": {**ENTRY, "offset": 10**9}}},
        {"arrays": {"x": {**ENTRY, "dtype": "<f8", "offset": 1}}},
    ],
)
def test_a_forged_header_is_refused(cache: Path, header: object) -> None:
    path = array_cache.write_file("toy", 1, ARRAYS)
    forge(path, {})
    array_cache.open_file(path)  # the forger knows the format
    forge(path, header)
    with pytest.raises(array_cache.CorruptError):
        array_cache.open_file(path)
    assert array_cache.open_if_valid("toy", 1) is None


def test_an_array_that_is_not_there_is_one_message(cache: Path) -> None:
    cached = array_cache.open_file(array_cache.write_file("toy", 1, ARRAYS))
    with pytest.raises(UserError, match=r"toy.arrays: it lacks the array labels; remove the file"):
        cached.arrays["labels"]


def test_a_pipe_in_the_cache_does_not_hang(cache: Path) -> None:
    os.mkfifo(cache / "toy.arrays")
    assert array_cache.open_if_valid("toy", 1) is None
    array_cache.write_file("toy", 1, ARRAYS)
    assert array_cache.open_if_valid("toy", 1) is not None


def test_another_version_counts_as_absent(cache: Path) -> None:
    array_cache.write_file("toy", 1, ARRAYS)
    assert array_cache.open_if_valid("toy", 1) is not None
    assert array_cache.open_if_valid("toy", 2) is None


def test_a_corrupt_file_counts_as_absent_with_a_warning(cache: Path, capsys) -> None:
    path = array_cache.write_file("toy", 1, ARRAYS)
    path.write_bytes(path.read_bytes()[:-1])
    assert array_cache.open_if_valid("toy", 1) is None
    assert str(path) in capsys.readouterr().err


def test_an_unwritable_cache_is_one_message(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "file").write_text("a file, not a folder", encoding="utf-8")
    monkeypatch.setenv("ADAM_REPRO_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(UserError, match="ADAM_REPRO_CACHE"), array_cache.lock("toy"):
        pass
    with pytest.raises(UserError, match="ADAM_REPRO_CACHE"):
        array_cache.write_file("toy", 1, ARRAYS)


def test_without_the_variable_the_cache_is_the_platforms(monkeypatch) -> None:
    monkeypatch.delenv("ADAM_REPRO_CACHE", raising=False)
    assert array_cache.cache_dir().name == "adam-repro"
