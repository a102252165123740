from __future__ import annotations

import numpy as np

from adam_repro.data import word_ids
from tests.data.helpers import words

TEXTS = {
    "train": [words("b a c"), words("a c a")],
    "validation": [words("d a")],
    "test": [[], words("b é")],
}


def test_ids_are_in_order_of_training_frequency_then_of_the_alphabet() -> None:
    arrays = word_ids.index(TEXTS)
    assert word_ids.words_of(arrays) == ["a", "c", "b", "d", "é"]
    assert arrays["train"].tolist() == [2, 0, 1, 0, 1, 0]
    assert arrays["validation"].tolist() == [3, 0]
    assert arrays["test"].tolist() == [2, 4]
    assert arrays["train"].dtype == np.int32
    assert arrays["counts"].tolist() == [3, 2, 1, 0, 0]
    assert arrays["totals"].tolist() == [4, 2, 2, 1, 1]
    assert arrays["counts"].dtype == arrays["totals"].dtype == np.int64


def test_the_text_comes_back() -> None:
    arrays = word_ids.index(TEXTS)
    for split, pieces in TEXTS.items():
        assert word_ids.decode(arrays, split) == [word for piece in pieces for word in piece]


def test_words_that_never_occur_are_left_out() -> None:
    splits = {"train": np.array([2, 2, 0]), "test": np.array([3])}
    arrays = word_ids.rank(splits, ["a", "never", "b", "c"])
    assert word_ids.words_of(arrays) == ["b", "a", "c"]
    assert arrays["train"].tolist() == [0, 0, 1]
    assert arrays["test"].tolist() == [2]


def test_merged_words_become_one_in_its_place_by_frequency() -> None:
    arrays = word_ids.index(
        {"train": [words("a a a a a b b b c c d d e")], "test": [words("e a d")]}
    )
    merged = word_ids.merge(
        arrays, np.array([0, 1])
    )  # a and b stay; c, d and e are <unk>, five times
    assert merged["counts"].tolist() == [5, 5, 3]  # a before <unk>
    assert merged["train"].tolist() == [0] * 5 + [2] * 3 + [1] * 5
    assert merged["test"].tolist() == [1, 0, 1]
    assert set(merged) == {"train", "test", "counts"}
