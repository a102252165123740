"""Vocabularies and layouts, on texts that can be counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from adam_repro.data import Dataset, word_ids
from adam_repro.data.running_text import TextOptions, arrange
from adam_repro.errors import UserError
from tests.data.helpers import words

# With counts a 5, b 3, <unk> 2, c 1 in training; d is in the test text only.
ARRAYS = word_ids.index(
    {
        "train": [words("a b a <unk> b a c a b a <unk>")],
        "validation": [words("c a b c a b")],
        "test": [words("a d <unk> a b a")],
    }
)


def text(**options) -> Dataset:
    return arrange("mine", ARRAYS, TextOptions(**options))


def numbers(length: int) -> dict[str, np.ndarray]:
    """A text whose words are 0, 1, 2, ... in order, so that a row says where it stands."""
    arrays = {split: np.arange(length, dtype=np.int32) for split in word_ids.SPLITS}
    words = np.frombuffer("\n".join(f"w{i}" for i in range(length)).encode(), np.uint8)
    return {
        **arrays,
        "words": words,
        "counts": np.ones(length, int),
        "totals": np.ones(length, int),
    }


def test_all_words_are_classes() -> None:
    data = text(context=1)
    assert data.classes == 5  # a, b, <unk>, c, d
    assert data.counts is not None
    assert data.counts.tolist() == [5, 3, 2, 1, 0]
    assert data.test.inputs[:, 0].tolist() == [0, 4, 2, 0, 1]
    assert data.test.targets.tolist() == [4, 2, 0, 1, 0]


@pytest.mark.parametrize(
    ("vocabulary", "counts", "test"),
    [
        (5, [5, 3, 2, 1, 0], [0, 4, 2, 0, 1, 0]),
        (4, [5, 3, 2, 1], [0, 2, 2, 0, 1, 0]),  # d is <unk>
        (3, [5, 3, 3], [0, 2, 2, 0, 1, 0]),  # c too
        (2, [6, 5], [1, 0, 0, 1, 0, 1]),  # b too: <unk> is the most frequent word
    ],
)
def test_a_vocabulary_keeps_the_most_frequent_words_and_unknown(
    vocabulary: int, counts: list[int], test: list[int]
) -> None:
    data = text(vocabulary=vocabulary, context=1)
    assert data.classes == vocabulary
    assert data.counts is not None
    assert data.counts.tolist() == counts
    assert [*data.test.inputs[:1, 0].tolist(), *data.test.targets.tolist()] == test


def test_rare_words_of_the_whole_corpus_are_merged() -> None:
    data = text(min_count=2, context=1)  # c occurs three times in all, d once
    assert data.counts is not None
    assert data.counts.tolist() == [5, 3, 2, 1]
    assert text(min_count=4, context=1).classes == 3  # a, b, <unk>
    assert text(min_count=100, context=1).classes == 1


def test_a_text_without_unknown_gets_it_only_when_a_word_is_merged() -> None:
    arrays = word_ids.index({"train": [words("a a b b c")], "test": [words("a c")]})
    whole = arrange("mine", arrays, TextOptions(context=1))
    assert whole.classes == 3
    merged = arrange("mine", arrays, TextOptions(context=1, min_count=3))
    assert merged.classes == 2
    assert merged.train.targets.tolist() == [1, 0, 0, 0]  # <unk> is 0: b and c are three in all
    assert whole.validation is None


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (
            {"vocabulary": 6},
            r"task\.data\.vocabulary=6: mine has 5 words; choose at most 5, or null",
        ),
        (
            {"vocabulary": 5, "min_count": 2},
            r"vocabulary=5: mine has 4 words that occur at least 2 times, <unk> among them; "
            "choose at most 4",
        ),
        ({"vocabulary": 1}, r"vocabulary=1: must be a whole number, at least 2, or null for every"),
        ({"vocabulary": 2.5}, r"vocabulary=2\.5: must be a whole number"),
        ({"min_count": 0}, r"task\.data\.min_count=0: must be a whole number, at least 1"),
        ({"layout": "rows"}, r"task\.data\.layout=rows: must be one of windows, tracks"),
        ({"context": 0}, r"task\.data\.context=0: must be a whole number, at least 1"),
        ({"context": 6}, r"context=6: the validation text of mine has 6 words, and a window .* 7;"),
        (
            {"layout": "tracks", "tracks": 7},
            r"tracks=7: the train text of mine has 11 words, 1 a track, .*steps=35 .* takes 36; choose",
        ),
        ({"layout": "tracks", "tracks": 99}, r"tracks=99: the train text .* 11 words, 0 a track"),
    ],
)
def test_the_error_of_a_wrong_option(options: dict, says: str) -> None:
    with pytest.raises(UserError, match=says):
        text(**options)


def test_windows_are_every_place_of_the_text() -> None:
    data = arrange("mine", numbers(7), TextOptions(context=3))
    assert data.train.inputs.tolist() == [[0, 1, 2], [1, 2, 3], [2, 3, 4], [3, 4, 5]]
    assert data.train.targets.tolist() == [3, 4, 5, 6]
    assert len(data.train) == 4


def test_windows_are_a_view_of_the_text() -> None:
    arrays = numbers(100)
    data = arrange("mine", arrays, TextOptions(context=10))
    assert np.shares_memory(data.train.inputs, arrays["train"])
    assert data.train.inputs.dtype == data.train.targets.dtype == np.int32
    with pytest.raises(ValueError, match="read-only"):
        data.train.inputs[0] = 0


def test_a_minibatch_of_tracks_goes_on_where_the_one_before_it_ended() -> None:
    options = TextOptions(layout="tracks", tracks=2, steps=3)
    data = arrange("mine", numbers(17), options)  # tracks 0-7 and 8-15; 16 is over
    assert data.train.inputs.tolist() == [[0, 1, 2], [8, 9, 10], [3, 4, 5], [11, 12, 13]]
    assert data.train.targets.tolist() == [[1, 2, 3], [9, 10, 11], [4, 5, 6], [12, 13, 14]]
    assert data.train.inputs.dtype == data.train.targets.dtype == np.int32
    with pytest.raises(ValueError, match="read-only"):
        data.train.inputs[0] = 0


def test_what_fills_no_piece_is_told(capsys) -> None:
    arrange("a text of its own", numbers(17), TextOptions(layout="tracks", tracks=2, steps=3))
    # of 16 targets, 2 tracks of 2 pieces of 3 words are used
    line = "layout=tracks leaves out 4 of 17 words of the {} text of a text of its own\n"
    assert capsys.readouterr().err == "".join(line.format(split) for split in word_ids.SPLITS)


def test_a_track_that_ends_with_its_last_target_is_whole() -> None:
    data = arrange("mine", numbers(8), TextOptions(layout="tracks", tracks=2, steps=3))
    assert data.train.targets.tolist() == [[1, 2, 3], [5, 6, 7]]
