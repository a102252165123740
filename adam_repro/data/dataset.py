"""A loaded data set: arrays, ready for the device."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adam_repro.errors import UserError

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


def check(name: str, dataset: Any) -> Dataset:
    """``dataset``, if its arrays are as its class says; ``name``: by which it was asked for.

    Of dense inputs only type and shape are looked at: they may be large, and on a disk.

    Raises:
        UserError: naming the data set and the array.
    """
    where = f"task.data.name={name}"
    if not isinstance(dataset, Dataset):
        raise UserError(f"{where}: its function must return a Dataset; it returned {dataset!r:.60}")
    for part in ("train", "test", "validation"):
        split = getattr(dataset, part)
        if split is None and part == "validation":
            continue
        if not isinstance(split, Split):
            raise UserError(f"{where}: {part} must be a Split; it is {split!r:.60}")
        for array, flaw in _flaws(split, dataset.classes):
            raise UserError(f"{where}: {part}.{array} {flaw}")
    if dataset.counts is not None and len(dataset.counts) != dataset.classes:
        found, classes = len(dataset.counts), dataset.classes
        raise UserError(f"{where}: counts has {found} numbers for {classes} classes")
    return dataset


def _flaws(split: Split, classes: int) -> Iterator[tuple[str, str]]:
    """What is wrong with a split: the array, and the end of a sentence that begins with it."""
    inputs, targets = split.inputs, split.targets
    if isinstance(inputs, SparseRows):
        yield from _flaws_of_rows(inputs)
    else:
        yield from _flaws_of_array("inputs", inputs, "biuf", "numbers")
    yield from _flaws_of_array("targets", targets, "biu", "whole numbers")
    if len(inputs) != len(targets):
        yield (
            "targets",
            f"has {len(targets)} rows, and inputs {len(inputs)}; give one for each example",
        )
    if not len(targets):
        yield "targets", "is empty; give one example at least"
    least, most = int(np.min(targets)), int(np.max(targets))
    if least < 0 or most >= classes:
        wrong = least if least < 0 else most
        yield "targets", f"has the class {wrong}; {classes} classes are 0 to {classes - 1}"


def _flaws_of_rows(rows: SparseRows) -> Iterator[tuple[str, str]]:
    for name, kinds in (("indptr", "iu"), ("indices", "iu"), ("values", "biuf")):
        yield from _flaws_of_array(f"inputs.{name}", getattr(rows, name), kinds, "numbers")
    stored, ends = len(rows.indices), np.asarray(rows.indptr)
    if len(rows.values) != stored:
        yield "inputs.values", f"has {len(rows.values)} numbers, and inputs.indices {stored}"
    if not len(ends) or ends[0] != 0 or ends[-1] != stored or (np.diff(ends) < 0).any():
        yield "inputs.indptr", f"must rise from 0 to the {stored} numbers of inputs.indices"
    if stored and not 0 <= np.min(rows.indices) <= np.max(rows.indices) < rows.columns:
        yield "inputs.indices", f"has a column beyond 0 to {rows.columns - 1}"


def _flaws_of_array(name: str, array: Any, kinds: str, what: str) -> Iterator[tuple[str, str]]:
    """``kinds``: the letters of NumPy's dtypes that may be."""
    if not hasattr(array, "shape"):
        yield name, f"must be an array; it is a {type(array).__name__}"
    found = np.asarray(array).dtype
    if found.kind not in kinds:
        yield name, f"must hold {what}; it holds {found}"
    if not array.shape:
        yield name, "must have a row for each example; it has no dimension"
