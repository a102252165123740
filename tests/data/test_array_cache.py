from __future__ import annotations

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
