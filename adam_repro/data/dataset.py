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
    """Inputs [n, ...] (read-only) and their classes, uint8 [n]."""

    inputs: Array | SparseRows
    targets: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.targets)


@dataclass(frozen=True)
class Dataset:
    """A named data set: training and test examples of `classes` classes."""

    name: str
    train: Split
    test: Split
    classes: int
