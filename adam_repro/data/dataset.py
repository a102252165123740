"""A loaded data set: arrays, ready for the device."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True)
class SparseRows:
    """A sparse matrix [n, columns] in CSR format: row i is `values[indptr[i]:indptr[i + 1]]`.

    indptr: int64 [n + 1]; indices: int32 [nnz], the columns, increasing within a row;
    values: uint8 or float32 [nnz].
    """

    indptr: NDArray[np.int64]
    indices: NDArray[np.int32]
    values: Array
    columns: int

    def __len__(self) -> int:
        return len(self.indptr) - 1

    @property
    def shape(self) -> tuple[int, int]:
        return len(self), self.columns


@dataclass(frozen=True)
class Split:
    """Inputs [n, ...] (read-only) and their targets: integers, [n] classes or [n, ...] words."""

    inputs: Array | SparseRows
    targets: Array

    def __len__(self) -> int:
        return len(self.targets)


@dataclass(frozen=True)
class Dataset:
    """A named data set: training and test examples of `classes` classes.

    counts: int64 [classes], how often each class occurs in the training set. The classes of a text
    are its words, the most frequent one first.
    """

    name: str
    train: Split
    test: Split
    classes: int
    validation: Split | None = None
    counts: NDArray[np.int64] | None = None
