from __future__ import annotations

import numpy as np
import pytest

from adam_repro.data import SparseRows, load
from adam_repro.errors import UserError


@pytest.mark.parametrize("shape", [(784,), (3, 32, 32), (5,)])
def test_images_have_the_given_shape(shape: tuple[int, ...]) -> None:
    data = load("synthetic", n_train=20, n_test=7, shape=shape, classes=3)
    assert data.train.inputs.shape == (20, *shape)
    assert data.test.inputs.shape == (7, *shape)
    assert data.train.inputs.dtype == data.train.targets.dtype == np.uint8
    assert set(data.train.targets.tolist()) == {0, 1, 2}
    assert data.classes == 3


def test_the_seed_fixes_everything() -> None:
    first, same, other = (load("synthetic", seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.train.inputs, same.train.inputs)
    np.testing.assert_array_equal(first.test.targets, same.test.targets)
    assert (first.train.inputs != other.train.inputs).mean() > 0.9


def test_the_nearest_training_mean_predicts_the_class() -> None:
    data = load("synthetic", n_train=400, n_test=200, shape=(20,), classes=4)
    train = data.train.inputs.astype(float)
    means = np.stack([train[data.train.targets == c].mean(axis=0) for c in range(4)])
    distances = ((data.test.inputs[:, None] - means) ** 2).sum(axis=2)
    assert (distances.argmin(axis=1) == data.test.targets).mean() > 0.95


def test_texts_are_sparse_rows() -> None:
    rows = load("synthetic_text", n_train=30, columns=40).train.inputs
    assert isinstance(rows, SparseRows)
    assert rows.shape == (30, 40)
    assert (rows.indptr.dtype, rows.indices.dtype, rows.values.dtype) == (
        np.int64,
        np.int32,
        np.uint8,
    )
    assert rows.indptr[-1] == len(rows.indices) == len(rows.values)
    assert 0 < len(rows.indices) < 30 * 40
    for start, end in zip(rows.indptr[:-1], rows.indptr[1:], strict=True):
        assert (np.diff(rows.indices[start:end]) > 0).all()


@pytest.mark.parametrize("name", ["synthetic", "synthetic_text"])
@pytest.mark.parametrize("option", [{"n_train": 0}, {"classes": -1}, {"n_test": 2.5}])
def test_counts_must_be_positive_integers(name: str, option: dict) -> None:
    with pytest.raises(UserError, match=r"task\.data\.\w+=.*: must be a whole number, at least 1"):
        load(name, **option)


def test_inputs_cannot_be_overwritten() -> None:
    with pytest.raises(ValueError, match="read-only"):
        load("synthetic").train.inputs[0] = 0
