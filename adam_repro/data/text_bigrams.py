"""The bigrams of a running text, as the coordinates of a linear bigram model (see `bigrams`)."""

from __future__ import annotations

import numpy as np

from adam_repro.config import validate
from adam_repro.config.validate import Whole
from adam_repro.data import bigrams, running_text
from adam_repro.data.dataset import Array, Dataset
from adam_repro.data.sources import DatasetSource


def load(source: DatasetSource, *, words: int = 256, reduction: str = "none") -> Dataset:
    """Every pair of neighbours in the training text whose two words are among its most frequent ``words``.

    Inputs as :func:`bigrams.coordinates` gives them. Raises UserError for an illegal option, or for
    more words than the text has.
    """
    validate.check("task.data.reduction", reduction, bigrams.REDUCTIONS)
    text = running_text.load(source, context=1)
    validate.check("task.data.words", words, Whole(2, min(2**14, text.classes)))
    assert isinstance(text.train.inputs, np.ndarray)
    table = of_pairs(text.train.inputs[:, 0], text.train.targets, words, reduction)
    return bigrams.dataset(f"{source.name}_bigrams", table, words)


def of_pairs(first: Array, second: Array, words: int, reduction: str) -> Array:
    """The coordinates of the pairs (first, second) of word ids [n] that are both below ``words``.

    pi_i is the share of the pairs that begin with i, and pi_j|i that of j in those.
    """
    kept = (first < words) & (second < words)
    pair = first[kept].astype(np.int64) * words + second[kept]
    pair, count = np.unique(pair, return_counts=True)
    context = pair // words
    total = np.bincount(context, weights=count, minlength=words)[context]
    return bigrams.coordinates(total / count.sum(), count / total, reduction)
