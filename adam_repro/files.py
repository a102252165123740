"""Files: where the package's own are, and atomic writes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

PACKAGE = Path(__file__).resolve().parent


def config_folder() -> Path:
    """The folder of the configurations: beside the package in a checkout, inside it when installed."""
    inside = PACKAGE / "configs"
    return inside if inside.is_dir() else PACKAGE.parent / "configs"


@contextmanager
def atomic_write(path: Path, shared: bool = False, sync: bool = False) -> Iterator[BinaryIO]:
    """A file to write to, which is put at ``path`` when the block ends, and removed if it fails.

    A reader sees the old file or the new one, never a part. ``shared``: another process may write the
    same file at the same time. ``sync``: the new file also survives a power cut.
    """
    suffix = f".{os.getpid()}.partial" if shared else ".partial"
    temporary = path.with_name(path.name + suffix)
    temporary.unlink(missing_ok=True)  # of a process that was killed
    try:
        with temporary.open("xb") as file:
            yield file
            if sync:
                file.flush()
                os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str, shared: bool = False) -> None:
    """Write a text file atomically."""
    with atomic_write(path, shared) as file:
        file.write(text.encode())


def write_bytes(path: Path, content: bytes | memoryview) -> None:
    """Write a file atomically."""
    with atomic_write(path) as file:
        file.write(content)
