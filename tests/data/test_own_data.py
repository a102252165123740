"""A data set of one's own whose arrays are wrong: an error on load that names the set and the array."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from adam_repro.config.trial import Run
from adam_repro.data import DATASETS, Dataset, DatasetEntry, SparseRows, Split, load
from adam_repro.errors import UserError
from adam_repro.runs.execute import execute
from tests.helpers import Compose

INPUTS = np.zeros((8, 784), np.uint8)
TARGETS = np.arange(8) % 3
WHOLE = Split(INPUTS, TARGETS)
SET = Dataset("mine", WHOLE, WHOLE, classes=3)
ROWS = SparseRows(np.arange(9), np.arange(8, dtype=np.int32), np.ones(8, np.uint8), columns=8)


def train(inputs: Any = INPUTS, targets: Any = TARGETS) -> Dataset:
    return replace(SET, train=Split(inputs, targets))


REFUSED = [
    (None, "its function must return a Dataset; it returned None"),
    (replace(SET, test=(INPUTS, TARGETS)), "test must be a Split"),
    (replace(SET, train=None), "train must be a Split; it is None"),
    (train(INPUTS[:6]), "train.targets has 8 rows, and inputs 6"),
    (train(targets=TARGETS[:6]), "train.targets has 6 rows, and inputs 8"),
    (train(INPUTS.tolist()), "train.inputs must be an array; it is a list"),
    (train(INPUTS.astype(str)), "train.inputs must hold numbers; it holds <U"),
    (train(targets=TARGETS.tolist()), "train.targets must be an array; it is a list"),
    (train(targets=TARGETS.astype(float)), "train.targets must hold whole numbers; it holds float"),
    (train(targets=np.array(["cat"] * 8)), "train.targets must hold whole numbers; it holds <U3"),
    (train(targets=np.int64(3)), "train.targets must have a row for each example"),
    (train(targets=TARGETS + 1), "train.targets has the class 3; 3 classes are 0 to 2"),
    (train(targets=TARGETS - 1), "train.targets has the class -1; 3 classes are 0 to 2"),
    (replace(SET, test=Split(INPUTS[:0], TARGETS[:0])), "test.targets is empty"),
    (replace(SET, validation=Split(INPUTS, TARGETS + 1)), "validation.targets has the class 3"),
    (replace(SET, counts=np.ones(4, np.int64)), "counts has 4 numbers for 3 classes"),
    (train(replace(ROWS, values=np.ones(7))), "train.inputs.values has 7 numbers, .*indices 8"),
    (train(replace(ROWS, indptr=np.arange(8))), "train.inputs.indptr must rise from 0 to the 8"),
    (train(replace(ROWS, columns=4)), "train.inputs.indices has a column beyond 0 to 3"),
]  # fmt: skip


def use(dataset: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(DATASETS, "mine", DatasetEntry(lambda: dataset))


@pytest.mark.parametrize(("dataset", "told"), REFUSED, ids=[told for _, told in REFUSED])
def test_a_wrong_array_is_named(dataset: Any, told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    use(dataset, monkeypatch)
    with pytest.raises(UserError, match=f"^task.data.name=mine: {told}"):
        load("mine")


@pytest.mark.parametrize("dataset", [SET, train(ROWS), replace(SET, validation=WHOLE)])
def test_a_right_one_is_loaded(dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    use(dataset, monkeypatch)
    assert load("mine") is dataset


@pytest.mark.parametrize(
    ("dataset", "told"),
    [
        (train(targets=np.eye(3, dtype=int)[TARGETS]), r"its examples are labelled .* \[8, 3\]"),
        (replace(SET, test=Split(INPUTS[:, :9], TARGETS)), "its test examples are dense rows of 9"),
    ],
)
def test_what_the_task_does_not_take_is_told(
    dataset: Dataset, told: str, trial: Compose, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(dataset, monkeypatch)
    words = "task=mlp", "task.data.name=mine", "task.epoch_examples=null", "batch_size=4"
    with pytest.raises(UserError, match=f"task.data.name=mine: {told}"):
        execute([trial(*words, tiny=False)], run)
    assert not list(run.results_dir.rglob("*.csv"))


def test_an_option_that_a_data_set_needs_is_named() -> None:
    with pytest.raises(UserError, match=r"^task.data.train_source, .*: missing; the data set para"):
        load("parallel")


def test_an_option_that_is_spelt_wrong_is_told_the_right_one() -> None:
    with pytest.raises(UserError, match=r"task.data.n_trian: .*did you mean task.data.n_train\?"):
        load("synthetic", n_trian=3)
