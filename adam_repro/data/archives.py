"""Members of a .tar.gz or a .zip, read as a stream: nothing is unpacked to disk."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import IO

from adam_repro.data.sources import SourceError

#: Bytes that an archive may hold. The largest is IMDB's, a third of it; a few megabytes of zeros packed to
#: look like one of ours unpack to gigabytes.
MAX_UNPACKED = 1 << 29
TOO_MUCH = "that is not what was published"

Stream = Callable[[Path, Callable[[str], bool]], Iterator[tuple[str, bytes]]]


def stream(archive: Path, wanted: Callable[[str], bool]) -> Iterator[tuple[str, bytes]]:
    """Name and content of each wanted regular file, in the archive's order.

    Raises SourceError when the archive is cut short, damaged or not a .tar.gz.
    """
    try:
        with gzip.open(archive) as file:
            unzipped = Bounded(file, archive)
            with tarfile.open(fileobj=unzipped, mode="r|") as tar:
                for member in tar:
                    if member.isfile() and wanted(member.name):
                        content = tar.extractfile(member)
                        yield member.name, content.read() if content else b""
            while unzipped.read(1 << 16):  # to the end, where gzip verifies its checksum
                pass
    except (tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError) as error:
        size = archive.stat().st_size
        raise SourceError(f"{archive} ({size} bytes): not a whole .tar.gz ({error})") from error


class Bounded(io.RawIOBase):
    """An unpacked stream that ends with SourceError after MAX_UNPACKED bytes."""

    def __init__(self, file: gzip.GzipFile, name: Path) -> None:
        self.file, self.name, self.left = file, name, MAX_UNPACKED

    def read(self, size: int = -1) -> bytes:
        content = self.file.read(size)
        self.left -= len(content)
        if self.left < 0:
            raise SourceError(f"{self.name}: more than {MAX_UNPACKED} bytes unpacked; {TOO_MUCH}")
        return content


def unzip(content: IO[bytes], size: int) -> bytes:
    """What a gzip file holds, up to one byte beyond the ``size`` that it should have.

    Raises gzip.BadGzipFile, zlib.error or EOFError where it is damaged.
    """
    with gzip.GzipFile(fileobj=content) as file:
        found = file.read(size)
        return found + file.read(1)  # at the end, gzip verifies its checksum


def members(archive: Path, names: Collection[str]) -> Iterator[tuple[str, bytes]]:
    """Name and content of exactly these files of a .tar.gz, in the archive's order.

    Raises SourceError when one of them is missing, or as `stream` does.
    """
    return _exactly(archive, names, stream)


def stream_zip(archive: Path, wanted: Callable[[str], bool]) -> Iterator[tuple[str, bytes]]:
    """Name and content of each wanted regular file of a .zip, in the archive's order.

    Raises SourceError when the archive is cut short, damaged or no .zip.
    """
    try:
        with zipfile.ZipFile(archive) as files:
            size = sum(one.file_size for one in files.infolist() if wanted(one.filename))
            if size > MAX_UNPACKED:
                raise SourceError(f"{archive}: {size} bytes unpacked; {TOO_MUCH}")
            for member in files.infolist():
                if not member.is_dir() and wanted(member.filename):
                    yield member.filename, files.read(member)
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
        size = archive.stat().st_size
        raise SourceError(f"{archive} ({size} bytes): not a whole .zip ({error})") from error


def zip_members(archive: Path, names: Collection[str]) -> Iterator[tuple[str, bytes]]:
    """Name and content of exactly these files of a .zip; SourceError as `members` raises it."""
    return _exactly(archive, names, stream_zip)


def _exactly(archive: Path, names: Collection[str], stream: Stream) -> Iterator[tuple[str, bytes]]:
    missing = set(names)
    for name, content in stream(archive, missing.__contains__):
        missing.discard(name)
        yield name, content
    if missing:
        raise SourceError(f"{archive}: lacks {', '.join(sorted(missing))}")
