"""Downloads from the publisher: by torchvision for images, from a URL for archives."""

from __future__ import annotations

import contextlib
import hashlib
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from adam_repro import __version__
from adam_repro.data.sources import SourceError

TIMEOUT_S = 30.0
CHUNK = 1 << 20
#: Some servers refuse the name that Python gives itself.
USER_AGENT = f"adam-repro/{__version__}"


#: torchvision's own lists have addresses without encryption; Fashion-MNIST's has no other.
HTTPS_MIRRORS = {
    "MNIST": ["https://ossci-datasets.s3.amazonaws.com/mnist/"],
    "FashionMNIST": ["https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/"],
}


@contextlib.contextmanager
def _mirrors(dataset: Any, mirrors: list[str] | None) -> Iterator[None]:
    """Have a data set of torchvision downloaded from other addresses, if there are any."""
    before = getattr(dataset, "mirrors", None)
    if mirrors is not None:
        dataset.mirrors = mirrors
    try:
        yield
    finally:
        if mirrors is not None:
            dataset.mirrors = before


@contextlib.contextmanager
def socket_timeout() -> Iterator[None]:
    """Limit how long a socket waits for a silent server to TIMEOUT_S."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(TIMEOUT_S)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def torchvision_download(dataset: str, folder: Path) -> None:
    """Call `torchvision.datasets.<dataset>(folder, download=True)`, which shows a progress bar.

    Raises SourceError with torchvision's reason.
    """
    from http.client import HTTPException

    try:
        import torchvision
    except ImportError as error:
        raise SourceError(f"torchvision cannot be imported ({error})") from error
    download = getattr(torchvision.datasets, dataset)
    try:
        with socket_timeout(), _mirrors(download, HTTPS_MIRRORS.get(dataset)):
            download(str(folder), download=True)
    except (RuntimeError, OSError, EOFError, HTTPException) as error:
        reason = " ".join(str(error).split())
        raise SourceError(reason if len(reason) < 300 else reason[:300] + " …") from error


def archive_download(url: str, size: int | None, checksum: str, folder: Path) -> None:
    """Download a file into the folder, under the last part of its URL, with a bar on stderr.

    size: in bytes, None where it is not known beforehand. checksum: `sha256`, or `md5:...` where the
    publisher gives only that. Raises SourceError when the download fails, or when the checksum is another.
    """
    import urllib.request
    from http.client import HTTPException

    from tqdm import tqdm

    name = url.rsplit("/", 1)[1]
    algorithm, _, expected = checksum.rpartition(":")
    algorithm = algorithm or "sha256"
    digest, received = hashlib.new(algorithm, usedforsecurity=False), 0
    request = urllib.request.Request(url, headers={"User-Agent": USER_AGENT})
    try:
        response = urllib.request.urlopen(request, timeout=TIMEOUT_S)
        bar = tqdm(total=size or response.length, desc=name, unit="B", unit_scale=True)
        with bar, response, open(folder / name, "wb") as file:
            while chunk := response.read(CHUNK):
                file.write(chunk)
                digest.update(chunk)
                received += len(chunk)
                bar.update(len(chunk))
    except (OSError, HTTPException) as error:
        raise SourceError(f"download failed after {received} bytes: {error}") from error
    if digest.hexdigest() != expected:
        found = f"{received} bytes, {algorithm} {digest.hexdigest()}"
        bytes_expected = "" if size is None else f"{size} bytes, "
        raise SourceError(f"{name}: {found}; {bytes_expected}{algorithm} {expected} expected")
