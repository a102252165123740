"""Generated data sets for tests. They are never used in place of a data set that is missing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from adam_repro.config import validate
from adam_repro.config.validate import Whole
from adam_repro.data.dataset import Array, Dataset, SparseRows, Split


def load(
    n_train: int = 512,
    n_test: int = 128,
    shape: Sequence[int] = (784,),
    classes: int = 10,
    seed: int = 0,
) -> Dataset:
    """Class-conditional Gaussians: x = 128 + 32 mu_c + 32 N(0, I), mu_c ~ N(0, I), as uint8.

    Inputs uint8 [n, *shape]. Raises UserError for an illegal option.
    """
    _check(seed=seed, n_train=n_train, n_test=n_test, classes=classes, shape=shape)
    rng = np.random.default_rng(seed)
    means = rng.standard_normal((classes, *shape))

    def split(n: int) -> Split:
        targets = rng.integers(classes, size=n).astype(np.uint8)
        inputs = 128 + 32 * (means[targets] + rng.standard_normal((n, *shape)))
        return Split(
            _read_only(np.clip(np.rint(inputs), 0, 255).astype(np.uint8)), _read_only(targets)
        )

    return Dataset("synthetic", split(n_train), split(n_test), classes)


def load_text(
    n_train: int = 512,
    n_test: int = 128,
    columns: int = 200,
    classes: int = 2,
    seed: int = 0,
) -> Dataset:
    """Binary bags of words: word j stands in a text of class c with probability p_cj ~ U(0, 0.2).

    Inputs are SparseRows [n, columns] of uint8 1. Raises UserError for an illegal option.
    """
    _check(seed=seed, n_train=n_train, n_test=n_test, columns=columns, classes=classes)
    rng = np.random.default_rng(seed)
    probabilities = rng.uniform(0, 0.2, (classes, columns))

    def split(n: int) -> Split:
        targets = rng.integers(classes, size=n).astype(np.uint8)
        present = rng.random((n, columns)) < probabilities[targets]
        indptr = np.concatenate([[0], np.cumsum(present.sum(axis=1))]).astype(np.int64)
        indices = np.nonzero(present)[1].astype(np.int32)
        ones = np.ones(len(indices), np.uint8)
        rows = SparseRows(_read_only(indptr), _read_only(indices), _read_only(ones), columns)
        return Split(rows, _read_only(targets))

    return Dataset("synthetic_text", split(n_train), split(n_test), classes)


class _Shape:
    def admits(self, value: object) -> bool:
        return isinstance(value, list | tuple) and all(Whole(1).admits(side) for side in value)

    def __str__(self) -> str:
        return "a list of positive integers"


def _check(**options: object) -> None:
    legal: dict[str, validate.Legal] = {
        "seed": Whole(0),
        "classes": Whole(1, 256),
        "shape": _Shape(),
    }
    for name, value in options.items():
        validate.check(f"task.data.{name}", value, legal.get(name, Whole(1)))


def _read_only(array: Array) -> Array:
    array.setflags(write=False)
    return array
