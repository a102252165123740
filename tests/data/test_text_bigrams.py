"""The bigrams of a running text, as coordinates of a linear bigram model."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from adam_repro.data import load
from adam_repro.data.brown import BROWN
from adam_repro.data.sources import SourceError, fetch
from adam_repro.data.text_bigrams import of_pairs
from adam_repro.errors import UserError

TEXT = np.array([0, 1, 0, 2, 0, 1, 3, 1, 0, 0, 1, 2, 1, 0, 2], np.int32)


def expected(text: list[int], words: int) -> Counter:
    """(pi_i, pi_j|i) of every pair of words that occurs, and how many pairs have the same."""
    pairs = Counter(pair for pair in pairwise(text) if max(pair) < words)
    context = Counter(first for first, _ in pairs.elements())
    n = pairs.total()
    return Counter(
        (round(context[i] / n, 12), round(count / context[i], 12))
        for (i, _), count in pairs.items()
    )


@pytest.mark.parametrize("words", [2, 3, 4])
def test_frequencies_are_counted_among_the_words_that_are_kept(words: int) -> None:
    table = of_pairs(TEXT[:-1], TEXT[1:], words, "none")
    found = {(round(c, 12), round(s, 12)): int(w) for c, s, w in table.T}
    assert found == dict(expected(TEXT.tolist(), words))


def test_the_reductions_have_the_loss_of_the_whole() -> None:
    tables = {r: of_pairs(TEXT[:-1], TEXT[1:], 4, r) for r in ("none", "linear", "scale_free")}
    losses = [(weight * c * s**2).sum() for c, s, weight in tables.values()]
    assert losses == pytest.approx([losses[0]] * 3)


def test_the_brown_corpus_has_its_pairs() -> None:
    try:
        ids = np.asarray(fetch(BROWN).arrays["train"])
    except (SourceError, UserError) as error:
        pytest.skip(f"needs the Brown corpus: {error}")
    table = load("brown_bigrams", words=20).train.inputs[0]
    found = {(round(c, 12), round(s, 12)): int(w) for c, s, w in table.T}
    assert found == dict(expected(ids.tolist(), 20))
    with pytest.raises(UserError, match=r"task\.data\.words=1: must be a whole number, at least 2"):
        load("brown_bigrams", words=1)
