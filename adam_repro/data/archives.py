"""Members of a .tar.gz or a .zip, read as a stream: nothing is unpacked to disk."""

from __future__ import annotations

import gzip
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

from adam_repro.data.sources import SourceError

Stream = Callable[[Path, Callable[[str], bool]], Iterator[tuple[str, bytes]]]


def stream(archive: Path, wanted: Callable[[str], bool]) -> Iterator[tuple[str, bytes]]:
    """Name and content of each wanted regular file, in the archive's order.

    Raises SourceError when the archive is cut short, damaged or not a .tar.gz.
    """
    try:
        with gzip.open(archive) as unzipped, tarfile.open(fileobj=unzipped, mode="r|") as tar:
            for member in tar:
                if member.isfile() and wanted(member.name):
                    file = tar.extractfile(member)
                    yield member.name, file.read() if file else b""
            while unzipped.read(1 << 16):  # to the end, where gzip verifies its checksum
                pass
    except (tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError) as error:
        size = archive.stat().st_size
        raise SourceError(f"{archive} ({size} bytes): not a whole .tar.gz ({error})") from error


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
            for member in files.infolist():
                if not member.is_dir() and wanted(member.filename):
                    yield member.filename, files.read(member)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
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
