"""Minibatches: their order, what a cycle and an epoch are, sparse rows."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from adam_repro import data
from adam_repro.engine.minibatches import BatchSampler, DeviceDataset
from adam_repro.errors import UserError
from adam_repro.tasks import build
from tests.helpers import Compose


def sampler(trial: Compose, *words: str) -> BatchSampler:
    one = trial("task=logreg", *words)
    settings = dict(one.task["data"])
    dataset = data.load(settings.pop("name"), **settings)
    return BatchSampler(DeviceDataset(dataset.train, build(one.task), torch.device("cpu")), one)


def test_one_permutation_is_cycled_through(trial: Compose) -> None:
    one = sampler(trial, "task.order=once", "batch_size=100")
    assert one.cycle_steps == 5  # the last 12 of 512 examples are left out
    for step in range(5):
        assert torch.equal(one.batch(step).inputs, one.batch(step + 5).inputs)
    assert not torch.equal(one.batch(0).inputs, one.batch(1).inputs)


def test_every_pass_has_an_order_of_its_own(trial: Compose) -> None:
    one = sampler(trial, "task.order=every_pass", "batch_size=128")
    first, second = (
        torch.cat([one.batch(step).targets for step in range(start, start + 4)]) for start in (0, 4)
    )
    assert not torch.equal(first, second)
    assert torch.equal(first.sort().values, second.sort().values)


def test_the_file_order_is_kept(trial: Compose) -> None:
    one = sampler(trial, "task.order=file", "batch_size=128")
    assert torch.equal(one.batch(1).targets, one.rows.targets[128:256])


def test_any_step_can_be_asked_for_first(trial: Compose) -> None:
    walked = sampler(trial, "task.order=every_pass", "batch_size=128")
    batches = [walked.batch(step) for step in range(9)]
    jumped = sampler(trial, "task.order=every_pass", "batch_size=128").batch(8)
    assert torch.equal(jumped.inputs, batches[8].inputs)


def test_the_seed_changes_the_order(trial: Compose) -> None:
    one, other = sampler(trial, "seed=0"), sampler(trial, "seed=1")
    assert not torch.equal(one.batch(0).targets, other.batch(0).targets)


def test_an_epoch_may_be_shorter_than_a_cycle(trial: Compose) -> None:
    one = sampler(trial, "task.epoch_examples=400", "batch_size=100")
    assert (one.epoch_steps, one.cycle_steps) == (4, 5)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("batch_size=513", "batch_size=513: the training set has 512 examples"),
        ("task.epoch_examples=63", "batch_size=64: more than task.epoch_examples=63"),
        ("+task.cost_examples=63", "batch_size=64: more than task.cost_examples=63"),
        ("+task.cost_examples=0", "task.cost_examples=0: must be"),
    ],
)
def test_what_cannot_be_cut_is_refused(trial: Compose, words: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        sampler(trial, words)


def test_sparse_rows_are_permuted_like_dense_ones(trial: Compose) -> None:
    one = trial(
        "task=imdb", "+task.data.columns=50", "task.data.name=synthetic_text", "~task.data.values"
    )
    split = data.load("synthetic_text", n_train=40, columns=50).train
    rows = DeviceDataset(split, build(one.task), torch.device("cpu"))
    dense = np.zeros((40, 50), np.float32)
    for i in range(40):
        a, b = split.inputs.indptr[i : i + 2]
        dense[i, split.inputs.indices[a:b]] = split.inputs.values[a:b]
    order = torch.randperm(40)
    batch = rows.permuted(order).batch(10, 25)
    words, offsets, values = batch.inputs
    ends = [*offsets.tolist()[1:], len(words)]
    rebuilt = np.zeros((15, 50), np.float32)
    for i, (a, b) in enumerate(zip(offsets.tolist(), ends, strict=True)):
        rebuilt[i, words[a:b].numpy()] = values[a:b].numpy()
    assert np.array_equal(rebuilt, dense[order.numpy()[10:25]])
    assert torch.equal(batch.targets, rows.targets[order[10:25]])


@pytest.mark.parametrize("order", ["once", "every_pass", "file"])
def test_an_epoch_laid_out_beforehand_holds_the_same_minibatches(
    trial: Compose, order: str
) -> None:
    # Epochs of 8 minibatches, cycles of 5: every epoch crosses the end of a cycle, one crosses two.
    words = (f"task.order={order}", "task.epoch_examples=800", "batch_size=100")
    one, other = sampler(trial, *words), sampler(trial, *words)
    for epoch in range(3):
        first = epoch * one.epoch_steps
        laid_out = one.order_of(first, one.epoch_steps)
        assert laid_out.shape == (8, 100)
        for at in range(one.epoch_steps):
            batch = other.batch(first + at)
            assert torch.equal(one.rows.take(laid_out[at]).inputs, batch.inputs)
            assert torch.equal(one.rows.targets[laid_out[at]], batch.targets)
