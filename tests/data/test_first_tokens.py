"""A part of a running text: its first words, with a vocabulary of its own."""

from __future__ import annotations

import numpy as np
import pytest

from adam_repro.data import word_ids
from adam_repro.data.running_text import TextOptions, arrange
from adam_repro.errors import UserError

TRAIN = ["b", "a", "b", "a", "c", "b", "d", "d", "d", "d", "d", "d"]
ARRAYS = word_ids.index(
    {"train": [TRAIN], "validation": [["a", "d", "e", "b"]], "test": [["c"] * 8]}
)


def test_the_first_words_are_a_text_of_their_own() -> None:
    part = arrange("own", ARRAYS, TextOptions(context=1, tokens=6))
    # b, a, c of the training text, in the order of their counts; d and e occur in neither part but
    # in the other texts' first halves, d with no count.
    assert part.counts is not None
    assert part.counts.tolist() == [3, 2, 1, 0]
    assert part.train.inputs[:, 0].tolist() == [0, 1, 0, 1, 2]
    assert part.train.targets.tolist() == [1, 0, 1, 2, 0]
    assert part.validation is not None
    assert part.validation.targets.tolist() == [3]
    assert len(part.test) == 3
    assert part.classes == 4


def test_all_words_are_the_text_itself() -> None:
    whole, same = (arrange("own", ARRAYS, TextOptions(context=1, tokens=n)) for n in (None, 12))
    assert np.array_equal(whole.train.inputs, same.train.inputs)
    assert np.array_equal(whole.test.targets, same.test.targets)
    assert whole.classes == same.classes


@pytest.mark.parametrize(
    ("tokens", "why"), [(13, "the training text of own has 12 words"), (0, "a whole number")]
)
def test_more_words_than_there_are_are_refused(tokens: int, why: str) -> None:
    with pytest.raises(UserError, match=rf"task\.data\.tokens={tokens}: .*{why}"):
        arrange("own", ARRAYS, TextOptions(context=1, tokens=tokens))
