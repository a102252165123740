"""Generated data sets for tests, in milliseconds; nothing ever falls back on them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from adam_repro.data.dataset import Array, Dataset, SparseRows, Split
from adam_repro.errors import UserError


def load(
    n_train: int = 512,
    n_test: int = 128,
    shape: Sequence[int] = (784,),
    classes: int = 10,
    seed: int = 0,
) -> Dataset:
    """Class-conditional Gaussians: x = 128 + 32 mu_c + 32 N(0, I), mu_c ~ N(0, I), as uint8.

    Inputs uint8 [n, *shape]. Raises UserError when a count is not a positive integer.
    """
    _check(seed, n_train=n_train, n_test=n_test, classes=classes, shape=shape)
    rng = np.random.default_rng(seed)
    means = rng.standard_normal((classes, *shape))

    def split(n: int) -> Split:
        targets = rng.integers(classes, size=n).astype(np.uint8)
        inputs = 128 + 32 * (means[targets] + rng.standard_normal((n, *shape)))
        return Split(_frozen(np.clip(np.rint(inputs), 0, 255).astype(np.uint8)), _frozen(targets))

    return Dataset("synthetic", split(n_train), split(n_test), classes)


def load_text(
    n_train: int = 512,
    n_test: int = 128,
    columns: int = 200,
    classes: int = 2,
    seed: int = 0,
) -> Dataset:
    """Binary bags of words: word j stands in a text of class c with probability p_cj ~ U(0, 0.2).

    Inputs are SparseRows [n, columns] with values of uint8 1. Raises UserError when a count is not
    a positive integer.
    """
    _check(seed, n_train=n_train, n_test=n_test, columns=columns, classes=classes)
    rng = np.random.default_rng(seed)
    odds = rng.uniform(0, 0.2, (classes, columns))

    def split(n: int) -> Split:
        targets = rng.integers(classes, size=n).astype(np.uint8)
        present = rng.random((n, columns)) < odds[targets]
        indptr = np.concatenate([[0], np.cumsum(present.sum(axis=1))]).astype(np.int64)
        indices = np.nonzero(present)[1].astype(np.int32)
        ones = np.ones(len(indices), np.uint8)
        rows = SparseRows(_frozen(indptr), _frozen(indices), _frozen(ones), columns)
        return Split(rows, _frozen(targets))

    return Dataset("synthetic_text", split(n_train), split(n_test), classes)


def _check(seed: int, shape: Sequence[int] = (1,), **counts: int) -> None:
    if not isinstance(seed, int) or seed < 0:
        raise UserError(f"synthetic data: seed={seed!r}; legal: whole numbers from 0")
    if not isinstance(shape, Sequence) or isinstance(shape, str):
        raise UserError(f"synthetic data: shape={shape!r}; legal: a list of positive integers")
    for name, value in [*counts.items(), *(("shape", side) for side in shape)]:
        if not isinstance(value, int) or value < 1:
            raise UserError(f"synthetic data: {name}={value!r}; legal: positive integers")
    if counts["classes"] > 256:
        raise UserError(f"synthetic data: classes={counts['classes']}; legal: 1 to 256")


def _frozen(array: Array) -> Array:
    array.setflags(write=False)
    return array
