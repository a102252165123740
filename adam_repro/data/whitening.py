"""Whitening of images. The paper whitens CIFAR-10 (section 6.3) and does not say how.

With x in 0..255, and statistics of the training set unless said otherwise:

per_image   (x - mean(x)) / max(std(x), 1 / sqrt(d)), mean and std over the d values of the image
mean_std    (x - mean_c) / std_c, mean and std of each colour channel c
zca         (x / 255 - mean) W, mean [d] of x / 255; the covariance C = U diag(w) U^T gives
            W = U diag(1 / sqrt(max(w, eps))) U^T

Along an eigenvector with w >= eps, zca's training images have variance 1. Along the others they have
variance w / eps < 1: at variance 1 these directions would be mostly noise. For CIFAR-10 w runs from
55 to 1.6e-6, and 1,244 of the 3,072 directions, with 99.8 % of the variance, have w >= 1e-3.

All statistics are computed in float64. The images are cached as float32, 737 MB for each kind. The
eigendecomposition for zca takes a minute; it is cached too and used for every eps.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from adam_repro.config.validate import Choice, Range, check
from adam_repro.data import array_cache
from adam_repro.data.dataset import Array

KINDS = ("none", "zca", "per_image", "mean_std")
VERSION = 1
BLOCK = 2_000  # images converted to float64 at once: 49 MB for CIFAR-10

Float = NDArray[np.float64]
Transform = Callable[[Float], Array]  # [n, 3, 32, 32] in 0..255, float64, to whitened


def check_options(kind: str, eps: float) -> None:
    """Raises UserError unless the kind is known and eps is positive."""
    check("task.data.whitening", kind, Choice(*KINDS))
    check("task.data.zca_eps", eps, Range(gt=0))


def whiten(base: array_cache.CacheFile, kind: str, eps: float) -> dict[str, Array]:
    """The whitened train_images and test_images of a cached data set: float32, memory-mapped.

    They are computed on first use, then read from the cache while the base is unchanged.
    """
    name = base.header["name"]
    key = f"{name}-{kind}-{float(eps)!r}" if kind == "zca" else f"{name}-{kind}"

    def compute() -> dict[str, Array]:
        array_cache.log_to_stderr(f"{name}: computing {kind} whitening, once")
        transform = _transform(base, kind, eps)
        splits = ("train_images", "test_images")
        return {split: apply_transform(transform, base.arrays[split]) for split in splits}

    return _cached(key, base, compute)


def _cached(
    key: str, base: array_cache.CacheFile, compute: Callable[[], dict[str, Array]]
) -> dict[str, Array]:
    """The arrays cached under the key; computed if absent, damaged or of another base."""
    sha256 = base.header["sha256"]

    def read() -> dict[str, Array] | None:
        cached = array_cache.open_if_valid(key, VERSION)
        return cached.arrays if cached and cached.header["base"] == sha256 else None

    arrays = read()
    if arrays is None:
        with array_cache.lock(key):
            arrays = read()  # another process may have written it meanwhile
            if arrays is None:
                origin = f"computed from {base.header['name']}"
                path = array_cache.write_file(key, VERSION, compute(), base=sha256, origin=origin)
                arrays = array_cache.open_file(path).arrays
    return arrays


def _transform(base: array_cache.CacheFile, kind: str, eps: float) -> Transform:
    train = base.arrays["train_images"]
    if kind == "per_image":
        return per_image
    if kind == "mean_std":
        return mean_std(train)
    fit = _cached(f"{base.header['name']}-spectrum", base, lambda: spectrum(train))
    return zca(fit, eps)


def per_image(images: Float) -> Float:
    """Scale each image to mean 0 and standard deviation 1 over its own values."""
    axes = tuple(range(1, images.ndim))
    floor = 1 / math.sqrt(images[0].size)
    centred = images - images.mean(axis=axes, keepdims=True)
    return centred / np.maximum(images.std(axis=axes, keepdims=True), floor)


def mean_std(train: Array) -> Transform:
    """Scale each channel to mean 0 and standard deviation 1 over the training set."""
    axes = (0, 2, 3)
    mean = train.mean(axis=axes, dtype=np.float64, keepdims=True)
    squares = np.zeros(mean.shape)
    for block in _blocks(train, "statistics"):
        squares += np.square(block, dtype=np.float64).sum(axis=axes, keepdims=True)
    std = np.sqrt(squares / (train.size / train.shape[1]) - mean**2)
    return lambda images: (images - mean) / std


def spectrum(train: Array) -> dict[str, Array]:
    """Mean [d], eigenvalues w [d] (ascending) and eigenvectors U [d, d] (columns) of C, float64."""
    n, d = len(train), train[0].size
    mean = train.reshape(n, d).mean(axis=0, dtype=np.float64) / 255
    covariance = np.zeros((d, d))
    for block in _blocks(train, "covariance"):
        centred = block.reshape(len(block), d) / 255 - mean
        covariance += centred.T @ centred
    values, vectors = np.linalg.eigh(covariance / n)
    return {"mean": mean, "values": values, "vectors": vectors}


def zca(fit: Mapping[str, Array], eps: float) -> Transform:
    """The transform with W = U diag(1 / sqrt(max(w, eps))) U^T of a `spectrum`."""
    vectors = fit["vectors"]
    matrix = (vectors / np.sqrt(np.maximum(fit["values"], eps))) @ vectors.T
    matrix = matrix.astype(np.float32)

    def transform(images: Float) -> Array:
        rows = images.reshape(len(images), -1) / 255 - fit["mean"]
        return (rows.astype(np.float32) @ matrix).reshape(images.shape)

    return transform


def apply_transform(transform: Transform, images: Array) -> NDArray[np.float32]:
    """Transform uint8 images block by block to float32."""
    result = np.empty(images.shape, np.float32)
    start = 0
    for block in _blocks(images, "whitening"):
        result[start : start + len(block)] = transform(block.astype(np.float64))
        start += len(block)
    return result


def _blocks(images: Array, label: str) -> Iterator[Array]:
    """The images block by block, with a progress bar on stderr that is cleared at the end."""
    from tqdm import tqdm

    for start in tqdm(range(0, len(images), BLOCK), desc=label, leave=False, disable=None):
        yield images[start : start + BLOCK]
