"""What the tasks on running text share: perplexities, groups of words by frequency, embedding rows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from adam_repro.data.dataset import Dataset
from adam_repro.errors import UserError

TENTHS = 10
LARGEST_EXPONENT = 709.0  # of a float64
#: Training cost of the words of each tenth of the training text, from the most to the least frequent.
TENTH_COLUMNS = tuple(f"cost_tenth_{i}" for i in range(1, TENTHS + 1))
#: Columns of every task on running text. Perplexities are exp of a cost in nats a word.
TEXT_COLUMNS = ("validation_cost", "perplexity", "validation_perplexity", *TENTH_COLUMNS)


def perplexity(cost: float | None) -> float | None:
    """exp(cost) for a cost in nats a word; infinite where that overflows."""
    if cost is None:
        return None
    return math.inf if cost > LARGEST_EXPONENT else math.exp(cost)


def perplexities(row: Mapping[str, Any]) -> dict[str, float | None]:
    """The perplexities of a row, from its ``test_cost`` and ``validation_cost``."""
    costs = {"perplexity": "test_cost", "validation_perplexity": "validation_cost"}
    return {name: perplexity(row.get(cost)) for name, cost in costs.items()}


def frequency_tenths(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """The tenth of the training text, 0 to 9, that each word of a vocabulary belongs to.

    The text's words are sorted by falling frequency, and the text so sorted is cut into ten equal
    parts. A word belongs as a whole to the part in which the middle of its occurrences lies. So a tenth
    is larger or smaller than 10 % of the text by at most half of the two words at its ends, and one with
    no middle in it has no word. A word that never occurs in the training text belongs to the last tenth.

    ``counts`` [words]: occurrences of each word in the training text, falling.
    """
    counts = np.asarray(counts, dtype=np.int64)
    middles = 2 * np.cumsum(counts) - counts  # twice the place of the middle occurrence
    tenths = TENTHS * middles // max(1, 2 * int(counts.sum()))
    return np.minimum(tenths, TENTHS - 1)


class FrequencyTenths:
    """The tenth of each target word; the table is kept on every device that asks."""

    def __init__(self, counts: NDArray[np.int64]) -> None:
        self.table = torch.from_numpy(frequency_tenths(counts))

    def __call__(self, words: Tensor) -> Tensor:
        """Tenths 0 to 9, int64, of the same shape as ``words``."""
        if self.table.device != words.device:
            self.table = self.table.to(words.device)
        return self.table[words]


def touched_rows(words: Tensor, vocabulary: int) -> Tensor:
    """The share of an embedding's rows that a minibatch of ``words`` reads, a 0-dim float."""
    rows = torch.zeros(vocabulary, device=words.device)
    return rows.index_fill_(0, words.flatten().long(), 1.0).mean()


def word_counts(config: Mapping[str, Any], dataset: Dataset) -> NDArray[np.int64]:
    """How often each word occurs in the training text of a data set.

    Raises:
        UserError: it is no running text; names the data set, and those that are one.
    """
    inputs = dataset.train.inputs
    whole = isinstance(inputs, np.ndarray) and np.issubdtype(inputs.dtype, np.integer)
    if dataset.counts is None or not whole or len(inputs.shape) != 2:
        raise UserError(
            f"task.data.name={config['data']['name']}: task={config['name']} takes running text; "
            "choose brown, wikitext2, imdb_text, text or synthetic_words"
        )
    return dataset.counts
