"""Sentence pairs from files: what the ids are, what is left out, and what is refused."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adam_repro.data import load
from adam_repro.data.parallel_text import BOS, EOS, PAD, SPECIAL, UNK, ParallelDataset
from adam_repro.data.subwords import join
from adam_repro.errors import UserError
from tests.helpers import needs

pytestmark = needs("sacremoses", "subword_nmt")

TEXTS = {
    "train_source": "A dog runs.\nTwo dogs run, fast.\nA dog and a dog\n",
    "train_target": "Ein Hund rennt.\nZwei Hunde rennen schnell.\nEin Hund und ein Hund\n",
    "validation_source": "A dog\n",
    "validation_target": "Ein Hund\n",
    "test_source": "A cat runs.\nTwo\n",
    "test_target": "Eine Katze rennt.\nZwei\n",
}


def write(folder: Path, **changes: str | bytes) -> dict[str, Any]:
    """The six files, some of them with another content; the options that name them."""
    options = {}
    for name, text in {**TEXTS, **changes}.items():
        path = folder / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        options[name] = str(path)
    return options


def pieces(data: ParallelDataset, split: str, row: int, side: int) -> list[str]:
    words = (data.source_words, data.target_words)[side]
    return [words[i] for i in getattr(data, split).inputs[row, side] if i != PAD]


def test_words_become_ids(folder: Path) -> None:
    # Enough merges for every word that occurs twice; the others are left in letters.
    data = load("parallel", **write(folder), merges=100)
    assert isinstance(data, ParallelDataset)
    assert pieces(data, "train", 0, 0)[:2] == ["a", "dog"]
    assert join(pieces(data, "train", 0, 0)) == "a dog runs . </s>"
    assert pieces(data, "validation", 0, 1) == ["ein", "hund", "</s>"]
    assert data.references["test"] == ("eine katze rennt .", "zwei")
    assert data.train.targets.tolist() == data.train.inputs[:, 1].tolist()
    assert data.train.inputs.dtype == np.int32


def test_ids_are_by_falling_frequency_after_the_special_ones(folder: Path) -> None:
    data = load("parallel", **write(folder), merges=100)
    assert data.target_words[: len(SPECIAL)] == SPECIAL
    ids = np.asarray(data.train.targets)
    assert data.counts is not None
    assert data.counts[len(SPECIAL) :].tolist() == [
        int((ids == i).sum()) for i in range(len(SPECIAL), data.classes)
    ]
    assert (np.diff(data.counts[len(SPECIAL) :]) <= 0).all()
    assert data.counts[[PAD, BOS, EOS, UNK]].tolist() == [0, 0, 3, 0]


def test_what_the_training_text_lacks_is_unknown(folder: Path) -> None:
    data = load("parallel", **write(folder, test_source="Zażółć\nTwo\n"), merges=0)
    assert "<unk>" in pieces(data, "test", 0, 0)
    assert "<unk>" not in pieces(data, "test", 1, 0)


def test_case_is_kept_where_asked(folder: Path) -> None:
    data = load("parallel", **write(folder), lowercase=False)
    assert data.references["test"][0] == "Eine Katze rennt ."


def test_a_text_of_the_same_words_gives_the_same_ids_from_the_cache(folder: Path) -> None:
    options = write(folder)
    first, again = (load("parallel", **options, merges=7) for _ in range(2))
    assert np.array_equal(first.train.inputs, again.train.inputs)
    other = load("parallel", **write(folder, train_source="B\nB\nB\n"), merges=7)
    assert other.source_words != first.source_words


def test_sides_may_have_merges_of_their_own(folder: Path) -> None:
    text = {"train_source": "ab ab\nab\nab\n", "train_target": "ab cd\ncd\ncd\n"}
    joint = load("parallel", **write(folder, **text), merges=1)
    each = load("parallel", **write(folder, **text), merges=1, joint=False)
    assert pieces(joint, "train", 1, 1) == ["c@@", "d", "</s>"]  # "ab" is the most frequent pair
    assert pieces(each, "train", 1, 1) == ["cd", "</s>"]


def test_long_training_pairs_are_left_out_and_counted(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = write(folder, test_source="A dog\nTwo\n", test_target="Ein Hund\nein\n")
    for _ in range(2):  # from the text, and from the cache
        data = load("parallel", **options, max_length=14)
        assert len(data.train) == 2
        assert "1 training pairs of more than task.data.max_length=14 pieces are left out" in (
            capsys.readouterr().err
        )


def test_the_first_pairs_alone_give_the_vocabulary(folder: Path) -> None:
    options = write(folder, test_source="A dog\nrun\n", test_target="Ein Hund\nein\n")
    data = load("parallel", **options, pairs=1)
    assert len(data.train) == 1
    assert data.counts is not None
    assert data.counts.sum() == (data.train.targets != PAD).sum()


@pytest.mark.parametrize(
    ("changes", "options", "says"),
    [
        ({"train_source": "one\ntwo\n"}, {}, "train_source has 2 lines and .*train_target has 3"),
        ({"test_target": b"Katze\nGr\xfc\xdfe\n"}, {}, "test_target, line 2: not UTF-8"),
        ({"validation_source": ""}, {}, "validation_source: the text is empty"),
        ({"train_source": "a\n\nb\n"}, {}, "train_source, line 2: an empty sentence"),
        ({}, {"max_length": 3}, "max_length=3: every training pair is longer; the shortest has"),
        (
            {"test_source": "A\n" + "dog " * 40 + "\n"},
            {"max_length": 30},
            "max_length=30: line 2 of the test set's source has 40 pieces; choose at least 40",
        ),
        ({}, {"pairs": 4}, "pairs=4: must be a whole number, at least 1 and at most 3"),
        ({}, {"pairs": 0}, "pairs=0: must be a whole number, at least 1"),
        ({}, {"merges": -1}, "merges=-1: must be"),
        ({}, {"lowercase": "no"}, "lowercase=no: must be true or false"),
        ({}, {"languages": "english"}, "languages=english: must be two languages with a dash"),
        ({}, {"test_source": "nowhere.txt"}, "nowhere.txt: cannot be read"),
    ],
)
def test_mistakes_get_one_message(
    folder: Path, changes: dict[str, Any], options: dict[str, Any], says: str
) -> None:
    with pytest.raises(UserError, match=says):
        load("parallel", **{"merges": 100, **write(folder, **changes), **options})


def test_a_missing_extra_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sacremoses", None)
    with pytest.raises(
        UserError,
        match=r"sacremoses is not installed; translation needs it: pip install sacremoses",
    ):
        load("parallel", **write(folder))
