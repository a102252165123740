"""Texts to bags of words over the most frequent words of the training texts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from adam_repro.data.dataset import Array

TOKEN = r"(?u)\b\w\w+\b"
"""A word: two or more letters, digits or underscores, lower-cased (scikit-learn's own pattern, so
the "<br />" of a review leaves the word "br")."""


def bags(train: Iterable[str], test: Iterable[str], limit: int) -> tuple[list[str], Any, Any]:
    """The words and the two count matrices, scipy CSR [n, words]: never dense.

    The words are the `limit` with the highest total count over the training texts, the most
    frequent first, words of equal count in alphabetical order; test texts are counted over them.
    """
    from sklearn.feature_extraction.text import CountVectorizer

    every = CountVectorizer(token_pattern=TOKEN, dtype=np.int32)
    counts = every.fit_transform(train)
    names = every.get_feature_names_out()
    totals = np.asarray(counts.sum(axis=0, dtype=np.int64)).ravel()
    best = np.lexsort((names.astype(str), -totals))[:limit]
    words = [str(names[column]) for column in best]
    chosen = CountVectorizer(token_pattern=TOKEN, dtype=np.int32, vocabulary=words)
    return words, counts[:, best], chosen.transform(test)


def csr_arrays(counts: Any) -> dict[str, Array]:
    """indptr int64, indices int32 (increasing within a row), counts in the least unsigned type."""
    counts.sort_indices()
    largest = int(counts.data.max(initial=0))
    return {
        "indptr": counts.indptr.astype(np.int64),
        "indices": counts.indices.astype(np.int32),
        "counts": counts.data.astype(np.min_scalar_type(largest)),
    }
