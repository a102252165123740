"""Bags of words over the most frequent words of the training texts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from adam_repro.data.dataset import Array

TOKEN_PATTERN = r"(?u)\b\w\w+\b"
"""A word: two or more letters, digits or underscores, in lower case. This is scikit-learn's default;
it makes the word "br" of the "<br />" in a review."""


def count_words(train: Iterable[str], test: Iterable[str], n: int) -> tuple[list[str], Any, Any]:
    """The words, and the count matrices of both splits as scipy CSR [n, words].

    The words are the `n` most frequent ones of the training texts. They are in order of falling
    total count; words of equal count are in alphabetical order.
    """
    from sklearn.feature_extraction.text import CountVectorizer

    vectorizer = CountVectorizer(token_pattern=TOKEN_PATTERN, dtype=np.int32)
    counts = vectorizer.fit_transform(train)
    names = vectorizer.get_feature_names_out()
    totals = np.asarray(counts.sum(axis=0, dtype=np.int64)).ravel()
    best = np.lexsort((names.astype(str), -totals))[:n]
    words = [str(names[column]) for column in best]
    limited = CountVectorizer(token_pattern=TOKEN_PATTERN, dtype=np.int32, vocabulary=words)
    return words, counts[:, best], limited.transform(test)


def csr_arrays(counts: Any) -> dict[str, Array]:
    """indptr int64, indices int32 (increasing within a row), counts in the smallest unsigned type."""
    counts.sort_indices()
    largest = int(counts.data.max(initial=0))
    return {
        "indptr": counts.indptr.astype(np.int64),
        "indices": counts.indices.astype(np.int32),
        "counts": counts.data.astype(np.min_scalar_type(largest)),
    }
