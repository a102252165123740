from __future__ import annotations

import numpy as np
import pytest

from adam_repro.data import bag_of_words

TRAIN = [
    "A cat, a CAT and a dog!<br />The dog's tail.",
    "the bird: the bird; the zebra",
    "ant ant zebra",
]
TEST = ["Cat cat the unicorn", ""]


def counts(matrix, words: list[str], row: int) -> dict[str, int]:
    dense = matrix.toarray()[row]
    return {word: int(count) for word, count in zip(words, dense, strict=True) if count}


@pytest.mark.slow
def test_counts_agree_with_counting_by_hand() -> None:
    words, train, test = bag_of_words.count_words(TRAIN, TEST, n=100)
    assert counts(train, words, 0) == {
        "cat": 2, "and": 1, "dog": 2, "br": 1, "the": 1, "tail": 1
    }  # fmt: skip
    assert counts(train, words, 1) == {"the": 3, "bird": 2, "zebra": 1}
    assert counts(test, words, 0) == {"cat": 2, "the": 1}
    assert counts(test, words, 1) == {}


def test_words_are_sorted_by_frequency_then_alphabet() -> None:
    words, _, _ = bag_of_words.count_words(TRAIN, TEST, n=100)
    assert words == ["the", "ant", "bird", "cat", "dog", "zebra", "and", "br", "tail"]


def test_ties_at_the_limit_are_broken_by_the_alphabet() -> None:
    words, train, test = bag_of_words.count_words(TRAIN, TEST, n=4)
    assert words == ["the", "ant", "bird", "cat"]
    assert train.shape == (3, 4)
    assert test.shape == (2, 4)


def test_words_are_chosen_by_the_training_texts_alone() -> None:
    words, _, _ = bag_of_words.count_words(TRAIN, ["unicorn " * 50], n=100)
    assert "unicorn" not in words


def test_arrays_are_sorted_by_rows_in_small_types() -> None:
    _, train, _ = bag_of_words.count_words(TRAIN, TEST, n=100)
    arrays = bag_of_words.csr_arrays(train)
    assert {key: array.dtype for key, array in arrays.items()} == {
        "indptr": np.int64,
        "indices": np.int32,
        "counts": np.uint8,
    }
    for start, end in zip(arrays["indptr"][:-1], arrays["indptr"][1:], strict=True):
        assert (np.diff(arrays["indices"][start:end]) > 0).all()


def test_a_count_above_255_is_stored() -> None:
    _, train, _ = bag_of_words.count_words(["so " * 300], [""], n=1)
    assert bag_of_words.csr_arrays(train)["counts"].tolist() == [300]
