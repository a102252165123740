from __future__ import annotations

import numpy as np
import pytest

from adam_repro.data import load
from adam_repro.errors import UserError


def test_sizes_and_types() -> None:
    data = load("synthetic_words", tokens=1000, words=50, context=3)
    assert data.train.inputs.shape == (997, 3)
    assert data.validation is not None
    assert len(data.test) == len(data.validation) == 247
    assert data.train.inputs.dtype == data.train.targets.dtype == np.int32
    assert data.counts is not None
    assert data.counts.sum() == 1000
    assert (np.diff(data.counts) <= 0).all()
    assert data.classes == len(data.counts) <= 50


def test_the_seed_fixes_everything() -> None:
    first, same, other = (load("synthetic_words", seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.train.targets, same.train.targets)
    assert (first.train.targets != other.train.targets).any()


def test_frequencies_follow_zipfs_law() -> None:
    data = load("synthetic_words", tokens=200_000, words=100)
    assert data.counts is not None
    pairs = data.counts[:100].reshape(50, 2).sum(1)  # partners exchange their shares
    k = np.arange(1, 101)
    expected = (1 / k / (1 / k).sum()).reshape(50, 2).sum(1)
    np.testing.assert_allclose(pairs[:10] / pairs.sum(), expected[:10], rtol=0.1)


def test_the_last_word_tells_more_than_the_frequencies() -> None:
    data = load("synthetic_words", tokens=100_000, words=20, context=1)
    pairs = np.zeros((20, 20))
    np.add.at(pairs, (data.train.inputs[:, 0], data.train.targets), 1)
    joint = pairs / pairs.sum()
    single = joint.sum(1)
    bigram = -(joint * np.log(joint / single[:, None], where=joint > 0, out=0 * joint)).sum()
    unigram = -(single * np.log(single)).sum()
    assert bigram < 0.9 * unigram  # nats a word


def test_an_odd_number_of_words() -> None:
    assert load("synthetic_words", tokens=5000, words=3).classes == 3


def test_tracks() -> None:
    data = load("synthetic_words", layout="tracks", tracks=4, steps=10)
    assert data.train.inputs.shape == data.train.targets.shape == (4 * 199, 10)
    inputs, targets = np.asarray(data.train.inputs), data.train.targets
    np.testing.assert_array_equal(inputs[:, 1:], targets[:, :-1])
    np.testing.assert_array_equal(inputs[4:, 0], targets[:-4, -1])


@pytest.mark.parametrize("option", [{"tokens": 1}, {"words": 1.5}, {"seed": -1}])
def test_wrong_options(option: dict) -> None:
    with pytest.raises(UserError, match=r"task\.data\.\w+=.*: must be a whole number, at least"):
        load("synthetic_words", **option)
