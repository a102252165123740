"""Generated data sets for tests. They are never used in place of a data set that is missing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from adam_repro.config import validate
from adam_repro.config.validate import Whole
from adam_repro.data.dataset import Array, Dataset, SparseRows, Split
from adam_repro.data.parallel_text import SPECIAL, ParallelDataset, pair_ids


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


def load_pairs(
    n_train: int = 512, n_test: int = 128, words: int = 20, seed: int = 0
) -> ParallelDataset:
    """Sentences of 2 to 8 random words, and their translations: each word's partner, in reverse order.

    As many pairs validate as test. Raises UserError for an illegal option.
    """
    _check(seed=seed, n_train=n_train, n_test=n_test, words=words)
    rng = np.random.default_rng(seed)
    vocabularies = [
        {word: i for i, word in enumerate((*SPECIAL, *(f"{side}{k}" for k in range(words))))}
        for side in "st"
    ]
    splits: dict[str, Split] = {}
    references = {}
    for name, n in (("train", n_train), ("validation", n_test), ("test", n_test)):
        drawn = [rng.integers(words, size=rng.integers(2, 9)) for _ in range(n)]
        sources = [[f"s{k}" for k in sentence] for sentence in drawn]
        targets = [[f"t{k}" for k in sentence[::-1]] for sentence in drawn]
        ids = _read_only(pair_ids([sources, targets], vocabularies))
        splits[name] = Split(ids, ids[:, 1])
        references[name] = tuple(" ".join(target) for target in targets)
    return ParallelDataset(
        "synthetic_pairs",
        splits["train"],
        splits["test"],
        classes=len(vocabularies[1]),
        validation=splits["validation"],
        counts=np.bincount(splits["train"].targets.ravel(), minlength=len(vocabularies[1])),
        source_words=tuple(vocabularies[0]),
        target_words=tuple(vocabularies[1]),
        references=references,
    )


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
