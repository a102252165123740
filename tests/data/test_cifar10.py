from __future__ import annotations

import hashlib
import io
import json
import pickle
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from adam_repro.data import Dataset, load, packages, sources
from adam_repro.data import cifar10 as module
from adam_repro.errors import UserError
from tests.data.helpers import as_arrays, write_tar_gz


def binary(arrays: Mapping[str, np.ndarray]) -> Iterator[tuple[str, bytes]]:
    for name in module.MD5:
        images, labels = module.batch_views(arrays, name)
        yield f"{name}.bin", module.encode_records(images.reshape(len(images), -1), labels)


def python(arrays: Mapping[str, np.ndarray]) -> Iterator[tuple[str, bytes]]:
    for name in module.MD5:
        images, labels = module.batch_views(arrays, name)
        fields = {b"data": np.array(images.reshape(len(images), -1)), b"labels": labels.tolist()}
        yield name, pickle.dumps(fields, protocol=2)


@pytest.fixture
def few(cifar10: Dataset, monkeypatch: pytest.MonkeyPatch) -> dict[str, np.ndarray]:
    """Ten real images in each batch instead of 10,000, with their checksums."""
    monkeypatch.setattr(module, "BATCH_SIZE", 10)
    whole = as_arrays(cifar10)
    arrays = {key: array[: 50 if "train" in key else 10] for key, array in whole.items()}
    md5 = {name[:-4]: hashlib.md5(content).hexdigest() for name, content in binary(arrays)}
    monkeypatch.setattr(module, "MD5", md5)
    return arrays


def assert_read(folder: Path, arrays: Mapping[str, np.ndarray]) -> None:
    found = module.read_files(module.find_files(folder))
    for key, array in arrays.items():
        np.testing.assert_array_equal(found[key], array)


@pytest.mark.parametrize(
    ("split", "index", "label", "md5"),
    [
        ("train", 0, 6, "dda89751086497ac02ef2dec67b0394e"),
        ("train", 49_999, 1, "84ac3bb4de018e9c02e26d836aa2dbb6"),
        ("test", 0, 3, "97cb2fef552a81b5c0903e568b30b465"),
    ],
    ids=["frog", "car", "cat"],
)
def test_known_images_by_checksum(
    cifar10: Dataset, split: str, index: int, label: int, md5: str
) -> None:
    # The md5s are of the pixels in the order of image viewers: row by row, red, green, blue.
    part = getattr(cifar10, split)
    image = np.ascontiguousarray(part.inputs[index].transpose(1, 2, 0))
    assert image.shape == (32, 32, 3)
    assert hashlib.md5(image.tobytes()).hexdigest() == md5
    assert part.targets[index] == label


def test_shapes(cifar10: Dataset) -> None:
    assert cifar10.train.inputs.shape == (50_000, 3, 32, 32)
    assert cifar10.test.inputs.shape == (10_000, 3, 32, 32)
    assert np.bincount(cifar10.train.targets).tolist() == [5_000] * 10
    assert np.bincount(cifar10.test.targets).tolist() == [1_000] * 10
    assert isinstance(cifar10.train.inputs, np.memmap)


@pytest.mark.parametrize(
    ("directory", "layout"), [(module.BINARY, binary), (module.PYTHON, python)], ids=["bin", "py"]
)
def test_both_layouts_are_read(few, tmp_path: Path, directory: str, layout: Callable) -> None:
    (tmp_path / directory).mkdir()
    for name, content in layout(few):
        (tmp_path / directory / name).write_bytes(content)
    assert_read(tmp_path, few)


@pytest.mark.parametrize(
    ("archive", "layout"),
    [("cifar-10-binary.tar.gz", binary), ("cifar-10-python.tar.gz", python)],
)
def test_both_archives_are_read(few, tmp_path: Path, archive: str, layout: Callable) -> None:
    directory = module.ARCHIVES[archive]
    write_tar_gz(tmp_path / archive, {f"{directory}/{name}": c for name, c in layout(few)})
    assert_read(tmp_path, few)


def test_a_batch_missing_from_an_archive_is_named(few, folder: Path) -> None:
    files = {f"{module.BINARY}/{name}": content for name, content in list(binary(few))[:-1]}
    write_tar_gz(folder / "cifar-10-binary.tar.gz", files)
    with pytest.raises(UserError, match=r"binary\.tar\.gz: lacks .*test_batch\.bin"):
        load("cifar10")


def write_batches(folder: Path, size: int = 1) -> Path:
    """Six batches that are not the published ones."""
    path = folder / module.BINARY
    path.mkdir()
    for name in module.MD5:
        (path / f"{name}.bin").write_bytes(bytes(size))
    return path


@pytest.mark.slow
@pytest.mark.parametrize(
    ("size", "says"),
    [
        (30_729_999, "30729999 bytes, 30730000 expected"),
        (30_730_000, "md5"),
        (0, "0 bytes"),
    ],
)
def test_a_bad_batch_is_named(folder: Path, size: int, says: str) -> None:
    path = write_batches(folder, size)
    with pytest.raises(UserError, match=says) as error:
        load("cifar10")
    assert str(path / "data_batch_1.bin") in str(error.value)
    assert "cifar-10-binary.tar.gz" in str(error.value)


def test_a_missing_batch_is_named(folder: Path) -> None:
    (write_batches(folder) / "data_batch_4.bin").unlink()
    with pytest.raises(UserError, match=r"cifar-10-batches-bin lacks data_batch_4\.bin"):
        load("cifar10")


def test_a_bad_archive_is_named(folder: Path) -> None:
    (folder / "cifar-10-python.tar.gz").write_bytes(b"<html>not found</html>")
    with pytest.raises(UserError, match=r"cifar-10-python\.tar\.gz.*not a whole"):
        load("cifar10")


class Evil:
    def __reduce__(self) -> tuple:
        return exec, ("raise SystemExit('ran code')",)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no pickle",
        pickle.dumps({b"data": np.zeros((3, 3072), np.uint8)}, protocol=2),
        pickle.dumps({b"data": Evil(), b"labels": []}, protocol=2),
        b"\x80\x02h\x05.",
        b"\x80\x02cnumpy\ndtype\nU\x03i99\x85R.",
    ],
    ids=["empty", "foreign", "no labels", "code", "no such memory", "no such type"],
)
def test_a_bad_python_batch_is_rejected_and_runs_no_code(folder: Path, content: bytes) -> None:
    (folder / module.PYTHON).mkdir()
    for name in module.MD5:
        (folder / module.PYTHON / name).write_bytes(content)
    with pytest.raises(UserError, match=r"data_batch_1 .*not a whole batch"):
        load("cifar10")


def test_the_npm_packages_images_are_converted(few, tmp_path: Path, monkeypatch) -> None:
    files = {
        "package/train_lables.json": json.dumps(few["train_labels"].tolist()).encode(),
        "package/test_lables.json": json.dumps(few["test_labels"].tolist()).encode(),
    }
    for name in module.MD5:  # one picture for each batch; each row of 1,024 pixels is an image
        images, _ = module.batch_views(few, name)
        pixels = np.ascontiguousarray(images.transpose(0, 2, 3, 1).reshape(10, 1024, 3))
        png = io.BytesIO()
        Image.fromarray(pixels).save(png, "PNG")
        files[f"package/{name}.png"] = png.getvalue()
    tarball = write_tar_gz(tmp_path / "package.tgz", files)
    monkeypatch.setattr(packages, "npm_pack", lambda package, folder: tarball)
    package = next(d for d in module.CIFAR10.downloads if "npm" in d.name)
    (tmp_path / "out").mkdir()
    package.get(tmp_path / "out")
    assert_read(tmp_path / "out", few)


@pytest.mark.slow
def test_verifying_detects_one_changed_pixel(cifar10: Dataset) -> None:
    arrays = as_arrays(cifar10)
    module.verify(arrays)
    arrays["test_images"] = arrays["test_images"].copy()
    arrays["test_images"][9_999, 2, 31, 31] ^= 1
    with pytest.raises(sources.SourceError, match=r"test_batch\.bin: md5"):
        module.verify(arrays)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (
            {"whitening": "pca"},
            r"task\.data\.whitening=pca: must be one of none, zca, per_image, mean_std",
        ),
        (
            {"whitening": "zca", "zca_eps": 0},
            r"task\.data\.zca_eps=0: must be a finite number, above 0",
        ),
        ({"whitening": "zca", "zca_eps": -1.0}, r"task\.data\.zca_eps=-1\.0: must be"),
        ({"whitening": "zca", "zca_eps": "much"}, r"task\.data\.zca_eps=much: must be"),
    ],
)
def test_bad_options_are_rejected(options: dict, says: str) -> None:
    with pytest.raises(UserError, match=says):
        load("cifar10", **options)
