"""What several data tests use."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from adam_repro.data import Dataset


def write_tar_gz(path: Path, files: Mapping[str, bytes]) -> Path:
    """Write a .tar.gz of these files, and return its path."""
    with tarfile.open(path, "w:gz") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def write_zip(path: Path, files: Mapping[str, bytes]) -> Path:
    """Write a .zip of these files, and return its path."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def words(text: str) -> list[str]:
    """The words of a text for a test."""
    return text.split()


def as_arrays(data: Dataset) -> dict[str, np.ndarray]:
    """A data set of images as the arrays of its cache file."""
    return {
        "train_images": np.asarray(data.train.inputs),
        "train_labels": data.train.targets,
        "test_images": np.asarray(data.test.inputs),
        "test_labels": data.test.targets,
    }
