"""The coordinates of the linear bigram model: distinct ones, with the weight of their equals."""

from __future__ import annotations

import numpy as np
import pytest

from adam_repro.data import load
from adam_repro.data.bigrams import coordinates, zipf
from adam_repro.errors import UserError


def loss(table: np.ndarray, w: float) -> float:
    """The loss with every coordinate of W at ``w``."""
    curvature, solution, weight = table
    return float((weight * curvature * (w - solution) ** 2).sum() / 2)


def pairs(words: int) -> tuple[np.ndarray, np.ndarray]:
    grid = np.meshgrid(zipf(words), zipf(words), indexing="ij")
    return grid[0].ravel(), grid[1].ravel()


def test_zipfs_frequencies_are_a_power_of_the_rank() -> None:
    frequency = zipf(100, 1.5)
    assert frequency.sum() == pytest.approx(1)
    np.testing.assert_allclose(frequency[0] / frequency, np.arange(1, 101) ** 1.5)


def test_the_data_set_is_one_example_with_every_coordinate() -> None:
    data = load("zipf", words=20)
    assert data.train.inputs.shape == (1, 3, 400)
    assert data.train.inputs.dtype == np.float64
    assert len(data.train) == len(data.test) == 1
    context, conditional = pairs(20)
    expected = {*zip(context, conditional, strict=True)}
    assert {*zip(*data.train.inputs[0, :2], strict=True)} == expected


def test_equal_coordinates_are_one_with_their_number() -> None:
    context = np.array([0.5, 0.25, 0.5, 0.5])
    conditional = np.array([0.1, 0.1, 0.2, 0.1])
    table = coordinates(context, conditional, "none")
    assert sorted(table.T.tolist()) == [[0.25, 0.1, 1], [0.5, 0.1, 2], [0.5, 0.2, 1]]
    (only,) = load("zipf", words=8, exponent=0.0).train.inputs[0].T.tolist()
    assert only == [0.125, 0.125, 64]


@pytest.mark.parametrize("reduction", ["none", "linear", "scale_free"])
def test_a_reduction_of_zipfs_law_is_that_of_all_its_pairs(reduction: str) -> None:
    found = load("zipf", words=30, reduction=reduction).train.inputs[0]
    expected = coordinates(*pairs(30), reduction)
    np.testing.assert_allclose(found[:, np.lexsort(found[1::-1])], expected, rtol=1e-12)


def test_the_reductions_keep_the_loss_of_the_paths_they_are_exact_for() -> None:
    context, conditional = np.random.default_rng(0).random((2, 50))
    table = {name: coordinates(context, conditional, name) for name in ("none", "linear")}
    table["scale_free"] = coordinates(context, conditional, "scale_free")
    assert loss(table["none"], 0.0) == pytest.approx(loss(table["linear"], 0.0))
    for w in (0.0, 0.3):  # every coordinate with the same solution is at the same place
        assert loss(table["none"], w) == pytest.approx(loss(table["scale_free"], w))
    # Each coordinate at a tenth of its solution.
    scaled = (context * (0.1 * conditional - conditional) ** 2).sum() / 2
    assert loss(table["linear"], 0.1) == pytest.approx(scaled)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"words": 1}, "words=1: must be a whole number, at least 2 and at most 4096"),
        ({"words": 5000}, "words=5000: must be a whole number"),
        ({"exponent": -1.0}, "exponent=-1.0: must be a finite number, at least 0"),
        ({"reduction": "all"}, "reduction=all: must be one of none, linear, scale_free"),
    ],
)
def test_an_illegal_option_is_one_message(option: dict, message: str) -> None:
    with pytest.raises(UserError, match=rf"task\.data\.{message}"):
        load("zipf", **option)
