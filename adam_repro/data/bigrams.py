"""The bigrams of a linear bigram model: how often each word follows each other word.

Kunstner & Bach 2025 (arXiv 2505.19227) predict the next word y from the word x before it by W x, with
one-hot x and y and a squared loss. By their proposition 2.2 its excess over the smallest loss is

    L(W) - L* = 1/2 sum_ij pi_i (W_ij - pi_j|i)^2,

with pi_i the frequency of word i and pi_j|i that of word j after it: a sum over single coordinates. The
data set is the list of these coordinates. Equal ones, with the same pi_i and pi_j|i, take the same path
under any elementwise optimizer, so one of them stands for all. Coordinates with pi_j|i = 0 are left out:
they start at their solution, W = 0, and their gradient is always zero.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from adam_repro.config import validate
from adam_repro.config.validate import Choice, Range, Whole
from adam_repro.data.dataset import Array, Dataset, Split

REDUCTIONS = Choice("none", "linear", "scale_free")
EXPONENT = Range(ge=0)


def load_zipf(words: int = 256, exponent: float = 1.0, reduction: str = "none") -> Dataset:
    """Coordinates of a linear bigram model whose words have frequencies ~ 1 / k^exponent.

    So have the words after each word (assumption 2.3 of the paper). The order of the words after a word
    does not matter to the loss, so it is the same after each. Inputs as :func:`coordinates` gives them.
    Raises UserError for an illegal option.
    """
    for name, value, legal in (
        ("words", words, Whole(2, 2**12)),
        ("exponent", exponent, EXPONENT),
        ("reduction", reduction, REDUCTIONS),
    ):
        validate.check(f"task.data.{name}", value, legal)
    frequency, count = np.unique(zipf(words, exponent), return_counts=True)
    one, count = np.ones_like(frequency), count.astype(np.float64)
    if reduction == "linear":
        table = [frequency, one, count * (count * frequency**2).sum()]
    elif reduction == "scale_free":
        table = [one, frequency, count]
    else:
        pairs = np.meshgrid(frequency, frequency, indexing="ij")
        table = [pairs[0].ravel(), pairs[1].ravel(), np.outer(count, count).ravel()]
    return dataset("zipf", np.stack(table), words)


def zipf(words: int, exponent: float = 1.0) -> Array:
    """Frequencies proportional to 1 / k^exponent, k = 1 to ``words``, with sum 1."""
    weights = np.arange(1, words + 1, dtype=np.float64) ** -float(exponent)
    return np.asarray(weights / weights.sum())


def coordinates(context: Array, conditional: Array, reduction: str) -> Array:
    """The distinct coordinates, float64 [3, n]: curvature, solution, and the weight of their loss.

    ``context``, ``conditional`` [m]: pi_i and pi_j|i > 0 of every coordinate. ``reduction``:

    - ``none``: curvature pi_i and solution pi_j|i; the weight counts the coordinates that are equal.
      Exact for every elementwise optimizer.
    - ``linear``: one coordinate for each pi_i, with solution 1 and weight sum_j pi_j|i^2. Exact where the
      step is linear in the gradients, as of gradient descent with or without momentum: the path of
      W_ij is then pi_j|i times that of solution 1.
    - ``scale_free``: one coordinate for each pi_j|i, with curvature 1 and weight sum_i pi_i. Exact where
      the step does not change when all gradients are multiplied by a number, as of sign descent.
    """
    weight = np.ones_like(context)
    if reduction == "linear":
        weight, conditional = conditional**2, weight
    elif reduction == "scale_free":
        weight, context = context, weight
    pairs = np.stack([context, conditional])
    order = np.lexsort(pairs[::-1])
    pairs, weight = pairs[:, order], weight[order]
    first = np.flatnonzero(np.r_[True, (np.diff(pairs) != 0).any(axis=0)])
    return np.vstack([pairs[:, first], np.add.reduceat(weight, first)])


def dataset(name: str, table: Array, words: int) -> Dataset:
    """A data set of one example, all ``table`` [3, n]; the test set is the same."""
    inputs: Any = table[None]
    inputs.setflags(write=False)
    split = Split(inputs, np.zeros(1, np.uint8))
    return Dataset(name, split, split, words)
