"""Whitening of images: the paper says "whitened" of CIFAR-10 (section 6.3) and not which kind.

With x in 0..255, over the training set unless said otherwise:

per_image   (x - mean(x)) / max(std(x), 1 / sqrt(d)), mean and std over the d values of the image
mean_std    (x - mean_c) / std_c, mean and std of each colour channel c
zca         (x / 255 - mean) W, mean [d] of x / 255; the covariance C = U diag(w) U^T gives
            W = U diag(1 / sqrt(max(w, eps))) U^T

So in the kept spectrum (the eigenvectors with w >= eps) the covariance of zca's training images is
the identity; a direction below it keeps its w / eps < 1 of variance instead of being blown up to 1,
and would be mostly noise. For CIFAR-10 w runs from 55 to 1.6e-6; eps = 1e-3 keeps 1,244 of the
3,072 directions and 99.8 % of the variance.

All statistics are computed in float64; the images are stored as float32, once, in the cache: 737 MB
a kind. ZCA's decomposition, which takes a minute, is kept on its own and serves every eps.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from adam_repro.data import array_cache
from adam_repro.data.dataset import Array
from adam_repro.errors import UserError

KINDS = ("none", "zca", "per_image", "mean_std")
VERSION = 1
BLOCK = 2_000  # images in float64 at once: 49 MB for CIFAR-10

Float = NDArray[np.float64]
Transform = Callable[[Float], Array]  # [n, 3, 32, 32] in 0..255, float64, to whitened


def check_options(kind: str, eps: float) -> None:
    """Raises UserError unless the kind is known and eps is positive."""
    if kind not in KINDS:
        raise UserError(f"task.data.whitening={kind}: must be one of {', '.join(KINDS)}")
    if not (isinstance(eps, int | float) and eps > 0 and math.isfinite(eps)):
        raise UserError(f"task.data.zca_eps={eps}: must be a positive number")


def whitened(base: array_cache.Stored, kind: str, eps: float) -> dict[str, Array]:
    """train_images and test_images of the cached set, whitened: float32, memory-mapped.

    Computed on first use, then opened from the cache for as long as the base's content is the same.
    """
    name = base.header["name"]
    key = f"{name}-{kind}-{float(eps)!r}" if kind == "zca" else f"{name}-{kind}"

    def make() -> dict[str, Array]:
        array_cache.notice(f"{name}: computing {kind} whitening, once")
        transform = _transform(base, kind, eps)
        splits = ("train_images", "test_images")
        return {split: apply(transform, base.arrays[split]) for split in splits}

    return _derived(key, base, make)


def _derived(
    key: str, base: array_cache.Stored, make: Callable[[], dict[str, Array]]
) -> dict[str, Array]:
    """The arrays cached under the key; made first if absent, damaged or of another base."""
    source = base.header["sha256"]

    def cached() -> dict[str, Array] | None:
        stored = array_cache.open_cached(key, VERSION)
        same = stored is not None and stored.header["base"] == source
        return stored.arrays if stored is not None and same else None

    arrays = cached()
    if arrays is None:
        with array_cache.lock(key):
            arrays = cached()
            if arrays is None:
                origin = f"computed from {base.header['name']}"
                path = array_cache.write(key, VERSION, make(), base=source, origin=origin)
                arrays = array_cache.read(path).arrays
    return arrays


def _transform(base: array_cache.Stored, kind: str, eps: float) -> Transform:
    train = base.arrays["train_images"]
    if kind == "per_image":
        return per_image
    if kind == "mean_std":
        return mean_std(train)
    fit = _derived(f"{base.header['name']}-spectrum", base, lambda: spectrum(train))
    return zca(fit, eps)


def per_image(images: Float) -> Float:
    """Each image to mean 0 and standard deviation 1 over its own values."""
    axes = tuple(range(1, images.ndim))
    floor = 1 / math.sqrt(images[0].size)
    centred = images - images.mean(axis=axes, keepdims=True)
    return centred / np.maximum(images.std(axis=axes, keepdims=True), floor)


def mean_std(train: Array) -> Transform:
    """Each channel to mean 0 and standard deviation 1 over the training set."""
    axes = (0, 2, 3)
    mean = train.mean(axis=axes, dtype=np.float64, keepdims=True)
    square = np.zeros(mean.shape)
    for block in _blocks(train, "statistics"):
        square += np.square(block, dtype=np.float64).sum(axis=axes, keepdims=True)
    std = np.sqrt(square / (train.size / train.shape[1]) - mean**2)
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


def apply(transform: Transform, images: Array) -> NDArray[np.float32]:
    """The transform of uint8 images, block by block, as float32."""
    result = np.empty(images.shape, np.float32)
    start = 0
    for block in _blocks(images, "whitening"):
        result[start : start + len(block)] = transform(block.astype(np.float64))
        start += len(block)
    return result


def _blocks(images: Array, work: str) -> Iterator[Array]:
    """The images a block at a time, under a progress bar on stderr that vanishes when done."""
    from tqdm import tqdm

    for start in tqdm(range(0, len(images), BLOCK), desc=work, leave=False, disable=None):
        yield images[start : start + BLOCK]
