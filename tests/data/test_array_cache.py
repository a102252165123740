from __future__ import annotations

import time
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


def test_arrays_come_back_as_written_memory_mapped_and_read_only(cache: Path) -> None:
    stored = array_cache.read(array_cache.write("toy", 3, ARRAYS, origin="here"))
    assert stored.header["version"] == 3
    assert stored.header["origin"] == "here"
    for key, array in ARRAYS.items():
        back = stored.arrays[key]
        np.testing.assert_array_equal(back, array)
        assert back.dtype == array.dtype
        assert isinstance(back, np.memmap) or not back.size
        assert not back.flags.writeable


def test_arrays_are_aligned_to_64_bytes(cache: Path) -> None:
    stored = array_cache.read(array_cache.write("toy", 1, ARRAYS))
    for array in stored.arrays.values():
        assert array.ctypes.data % 64 == 0


def test_opening_takes_milliseconds(cache: Path) -> None:
    path = array_cache.write("toy", 1, {"big": np.zeros(50_000_000, np.uint8)})
    start = time.perf_counter()
    array_cache.read(path)
    assert time.perf_counter() - start < 0.05


def test_writing_leaves_nothing_but_the_file(cache: Path) -> None:
    array_cache.write("toy", 1, ARRAYS)
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
def test_a_damaged_file_is_seen_on_opening(cache: Path, damage, says: str) -> None:
    path = array_cache.write("toy", 1, ARRAYS)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(array_cache.CorruptError, match=says):
        array_cache.read(path)


def test_a_changed_byte_of_the_payload_is_seen_by_the_check(cache: Path) -> None:
    path = array_cache.write("toy", 1, ARRAYS)
    array_cache.check_payload(array_cache.read(path))
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(array_cache.CorruptError, match="sha256"):
        array_cache.check_payload(array_cache.read(path))


def test_another_version_counts_as_absent(cache: Path) -> None:
    array_cache.write("toy", 1, ARRAYS)
    assert array_cache.open_cached("toy", 1) is not None
    assert array_cache.open_cached("toy", 2) is None


def test_a_corrupt_file_counts_as_absent_and_is_told(cache: Path, capsys) -> None:
    path = array_cache.write("toy", 1, ARRAYS)
    path.write_bytes(path.read_bytes()[:-1])
    assert array_cache.open_cached("toy", 1) is None
    assert str(path) in capsys.readouterr().err


def test_an_unwritable_cache_is_one_message(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("ADAM_REPRO_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(UserError, match="ADAM_REPRO_CACHE"), array_cache.lock("toy"):
        pass
    with pytest.raises(UserError, match="ADAM_REPRO_CACHE"):
        array_cache.write("toy", 1, ARRAYS)


def test_without_the_variable_the_cache_is_the_platforms(monkeypatch) -> None:
    monkeypatch.delenv("ADAM_REPRO_CACHE", raising=False)
    assert array_cache.cache_dir().name == "adam-repro"
