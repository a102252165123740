"""The cache: one memory-mapped file a data set, written whole or not at all.

Layout of a `.arrays` file (integers little-endian):

    bytes 0-7     the magic b"ADAMREPR"
    bytes 8-15    length of the header, uint64
    bytes 16-47   sha256 of the header
    then          the header, JSON: format, name, version, size and sha256 of the payload,
                  arrays {key: {dtype, shape, offset in the payload}}, and notes of the writer
    then          from the next multiple of 64 bytes the payload: the arrays in C order, each at a
                  multiple of 64 bytes (the sha256 is of the arrays' bytes alone, without the gaps)

Opening checks the magic, the header's sha256 and the file's size (milliseconds); `check_payload`
reads every byte.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from adam_repro import files
from adam_repro.data.dataset import Array
from adam_repro.errors import UserError

MAGIC = b"ADAMREPR"
FORMAT = 1
ALIGN = 64
PREAMBLE = 48
MAX_HEADER = 1 << 20
CACHE_VARIABLE = "ADAM_REPRO_CACHE"


class CorruptError(Exception):
    """A cache file that is not what was written; the message says what is wrong with it."""


@dataclass(frozen=True)
class Stored:
    """An open cache file: its header and its arrays, read-only and memory-mapped."""

    path: Path
    header: dict[str, Any]
    arrays: dict[str, Array]


def cache_dir() -> Path:
    """The folder of the cache: $ADAM_REPRO_CACHE, else the platform's user cache folder."""
    chosen = os.environ.get(CACHE_VARIABLE)
    if chosen:
        return Path(chosen).expanduser()
    import platformdirs

    return Path(platformdirs.user_cache_dir("adam-repro"))


def path_of(key: str) -> Path:
    """The cache file of a data set (or of one of its variants)."""
    return cache_dir() / f"{key}.arrays"


def files_of(name: str) -> list[Path]:
    """The cache files of a data set and of its variants, as far as they are there."""
    return sorted([*cache_dir().glob(f"{name}.arrays"), *cache_dir().glob(f"{name}-*.arrays")])


def notice(text: str) -> None:
    """One line for the person, on stderr."""
    print(text, file=sys.stderr, flush=True)


@contextlib.contextmanager
def writable() -> Iterator[None]:
    """Turns the operating system's refusals inside the cache into a UserError."""
    try:
        yield
    except OSError as error:
        raise UserError(
            f"cannot write the data cache {cache_dir()}: {error.strerror or error}. "
            f"Set {CACHE_VARIABLE} to a folder that you can write and that has room."
        ) from error


@contextlib.contextmanager
def lock(key: str) -> Iterator[None]:
    """Holds the data set's lock, so that of two processes one fetches and the other waits."""
    with writable():
        cache_dir().mkdir(parents=True, exist_ok=True)
    path, waiting = cache_dir() / f"{key}.lock", f"{key}: another process is preparing it; waiting"
    with contextlib.ExitStack() as held:
        with writable():
            held.enter_context(files.lock(path, waiting))
        yield


def write(key: str, version: int, arrays: Mapping[str, Array], **notes: Any) -> Path:
    """Writes the cache file of `key` atomically; the caller holds its lock.

    Raises UserError when the cache cannot be written. Leaves no partial file behind.
    """
    path = path_of(key)
    header = {"format": FORMAT, "name": key, "version": version, **notes}
    with writable(), files.atomic_write(path, sync=True) as file:
        _write_arrays(file, header, {k: np.ascontiguousarray(a) for k, a in arrays.items()})
    return path


def _write_arrays(file: BinaryIO, header: dict[str, Any], arrays: dict[str, Array]) -> None:
    digest = hashlib.sha256()
    end = 0
    entries: dict[str, Any] = {}
    for key, array in arrays.items():
        digest.update(_bytes(array))
        offset = _aligned(end)
        entries[key] = {"dtype": array.dtype.str, "shape": array.shape, "offset": offset}
        end = offset + array.nbytes
    text = json.dumps({**header, "size": end, "sha256": digest.hexdigest(), "arrays": entries})
    head = text.encode()
    start = _aligned(PREAMBLE + len(head))
    file.write(MAGIC + len(head).to_bytes(8, "little") + hashlib.sha256(head).digest() + head)
    for key, array in arrays.items():
        file.write(bytes(start + entries[key]["offset"] - file.tell()))
        file.write(_bytes(array))


def _aligned(offset: int) -> int:
    return -(-offset // ALIGN) * ALIGN


def _bytes(array: Array) -> memoryview:
    return array.reshape(-1).view(np.uint8).data


def read(path: Path) -> Stored:
    """Opens a cache file read-only in milliseconds.

    Raises FileNotFoundError, CorruptError (truncated, foreign or damaged file), and UserError when
    it exists and may not be read.
    """
    try:
        with open(path, "rb") as file:
            header = _read_header(file)
            start = _aligned(file.tell())
            size = os.fstat(file.fileno()).st_size
        if size != start + header["size"]:
            raise CorruptError(f"{size} bytes, {start + header['size']} expected")
        payload = np.memmap(path, dtype=np.uint8, mode="r", offset=start)
    except (FileNotFoundError, NotADirectoryError):
        raise
    except OSError as error:
        raise UserError(f"cannot read the cache file {path}: {error.strerror}") from error
    arrays = {}
    for key, entry in header["arrays"].items():
        dtype, shape = np.dtype(entry["dtype"]), tuple(entry["shape"])
        end = entry["offset"] + dtype.itemsize * int(np.prod(shape, dtype=np.int64))
        arrays[key] = payload[entry["offset"] : end].view(dtype).reshape(shape)
    return Stored(path, header, arrays)


def _read_header(file: BinaryIO) -> dict[str, Any]:
    preamble = file.read(PREAMBLE)
    if preamble[:8] != MAGIC or len(preamble) != PREAMBLE:
        raise CorruptError("not a cache file of this program")
    length = int.from_bytes(preamble[8:16], "little")
    text = file.read(min(length, MAX_HEADER))
    if hashlib.sha256(text).digest() != preamble[16:48]:
        raise CorruptError("its header is damaged")
    header: dict[str, Any] = json.loads(text)
    if header["format"] != FORMAT:
        raise CorruptError(f"format {header['format']}, {FORMAT} expected")
    return header


def open_cached(key: str, version: int) -> Stored | None:
    """The cache file of the key; None when it is absent, of another version, or corrupt (told)."""
    try:
        stored = read(path_of(key))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except CorruptError as error:
        notice(f"{path_of(key)}: {error}; making it anew")
        return None
    return stored if stored.header["version"] == version else None


def check_payload(stored: Stored) -> None:
    """Reads every byte of the arrays; raises CorruptError when their sha256 is another."""
    digest = hashlib.sha256()
    for array in stored.arrays.values():
        digest.update(_bytes(array))
    if digest.hexdigest() != stored.header["sha256"]:
        raise CorruptError(f"sha256 {digest.hexdigest()}, {stored.header['sha256']} expected")
