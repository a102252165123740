"""Downloads from the publisher: torchvision's own for images, a verified URL for archives."""

from __future__ import annotations

import contextlib
import hashlib
import socket
from collections.abc import Iterator
from pathlib import Path

from adam_repro.data.sources import SourceError

TIMEOUT_S = 30.0
CHUNK = 1 << 20


@contextlib.contextmanager
def _patience() -> Iterator[None]:
    """A limit on how long a silent connection is waited for."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(TIMEOUT_S)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def torchvision_download(dataset: str, folder: Path) -> None:
    """`torchvision.datasets.<dataset>(folder, download=True)`: it brings its own progress bar.

    Raises SourceError with torchvision's reason.
    """
    from http.client import HTTPException

    try:
        import torchvision
    except ImportError as error:
        raise SourceError(f"torchvision cannot be imported ({error})") from error
    try:
        with _patience():
            getattr(torchvision.datasets, dataset)(str(folder), download=True)
    except (RuntimeError, OSError, EOFError, HTTPException) as error:
        reason = " ".join(str(error).split())
        raise SourceError(reason if len(reason) < 300 else reason[:300] + " …") from error


def archive_download(url: str, size: int, sha256: str, folder: Path) -> None:
    """Downloads one file into the folder under the URL's last name, with a bar on stderr.

    Raises SourceError when it cannot be reached or is not the published one, byte for byte.
    """
    import urllib.request
    from http.client import HTTPException

    from tqdm import tqdm

    name = url.rsplit("/", 1)[1]
    digest, received = hashlib.sha256(), 0
    try:
        reply = urllib.request.urlopen(url, timeout=TIMEOUT_S)
        bar = tqdm(total=size, desc=name, unit="B", unit_scale=True)
        with bar, reply, open(folder / name, "wb") as file:
            while chunk := reply.read(CHUNK):
                file.write(chunk)
                digest.update(chunk)
                received += len(chunk)
                bar.update(len(chunk))
    except (OSError, HTTPException) as error:
        raise SourceError(f"download failed after {received} bytes: {error}") from error
    if digest.hexdigest() != sha256:
        found = f"{received} bytes, sha256 {digest.hexdigest()}"
        raise SourceError(f"{name}: {found}; {size} bytes, sha256 {sha256} expected")
