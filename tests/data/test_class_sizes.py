"""Generated classes whose sizes halve from group to group."""

from __future__ import annotations

import numpy as np
import pytest

from adam_repro.data import load
from adam_repro.errors import UserError


def test_every_group_has_as_many_examples_in_classes_of_half_the_size() -> None:
    data = load("class_sizes", groups=4)
    sizes = np.bincount(data.train.targets)
    assert sizes.tolist() == [16] + 2 * [8] + 4 * [4] + 8 * [2]
    np.testing.assert_array_equal(data.counts, sizes)
    assert data.classes == 15
    assert data.train.inputs.shape == (4 * 16, 5 * 16)


def test_inputs_are_uniform_and_tell_nothing_of_the_class() -> None:
    data = load("class_sizes", groups=7)
    inputs, targets = data.train.inputs, data.train.targets
    assert 0 <= inputs.min() < 1e-4
    assert 1 - 1e-4 < inputs.max() < 1
    assert inputs.mean() == pytest.approx(0.5, abs=3e-3)
    # The mean of a class is as far from 1/2 as that of as many other uniform numbers.
    sizes = np.bincount(targets)
    means = np.array([inputs[targets == c].mean(dtype=float) for c in range(data.classes)])
    deviations = (means - 0.5) * np.sqrt(12 * sizes * inputs.shape[1])
    assert deviations.std() == pytest.approx(1, abs=0.25)


def test_the_seed_fixes_the_inputs() -> None:
    first, same, other = (load("class_sizes", groups=3, seed=s).train.inputs for s in (1, 1, 2))
    np.testing.assert_array_equal(first, same)
    assert (first != other).all()


@pytest.mark.parametrize("groups", [1, 12, 2.5])
def test_the_number_of_groups_is_limited(groups: object) -> None:
    with pytest.raises(
        UserError, match=r"task\.data\.groups=.*: must be a whole number, at least 2"
    ):
        load("class_sizes", groups=groups)
