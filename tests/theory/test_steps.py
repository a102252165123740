"""Stepsizes, decay rates and milestones."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from adam_repro.theory.steps import FIRST, Steps, milestones
from tests.conftest import Compose


def test_alpha_t_and_beta1_t_are_those_of_theorem_4_1(trial: Compose) -> None:
    one = trial("task=regret", "task.beta1_decay=0.9", tiny=False)
    steps = Steps(one)
    scalars = steps.scalars(1, 5)
    t = np.arange(1, 6)
    lr, beta1, beta2 = (one.optimizer[name] for name in ("lr", "beta1", "beta2"))
    np.testing.assert_allclose(steps.stepsizes(1, 5), lr / np.sqrt(t))
    np.testing.assert_allclose(scalars["beta1"], beta1 * 0.9 ** (t - 1))
    # The correction of m is that of the constant beta1, as in the proof.
    alpha = lr / np.sqrt(t) * np.sqrt(1 - beta2**t) / (1 - beta1**t)
    np.testing.assert_allclose(scalars["alpha_t"], alpha, rtol=1e-12)
    assert steps.v_hat_factor(3) == pytest.approx(1 / (1 - beta2**3))


def test_adamaxs_correction_too_is_that_of_the_constant_beta1(trial: Compose) -> None:
    one = trial("task=regret", "optimizer=adamax", "task.beta1_decay=0.5", tiny=False)
    t = np.arange(1, 6)
    scalars = Steps(one).scalars(1, 5)
    lr, beta1 = one.optimizer["lr"], one.optimizer["beta1"]
    np.testing.assert_allclose(scalars["alpha_t"], lr / np.sqrt(t) / (1 - beta1**t), rtol=1e-12)
    np.testing.assert_allclose(scalars["one_minus_beta1"], 1 - beta1 * 0.5 ** (t - 1))


def test_the_steps_of_a_later_stretch_go_on(trial: Compose) -> None:
    steps = Steps(trial("task=regret", tiny=False))
    whole, later = steps.scalars(1, 20), steps.scalars(11, 10)
    assert {name: values[10:] for name, values in whole.items()} == later


def test_adamnc_weighs_all_squares_alike(trial: Compose) -> None:
    one = trial("task=regret", "task.growing_beta2=true", tiny=False)
    steps = Steps(one)
    squares = np.random.default_rng(0).random(30)
    v = 0.0
    for weight, square in zip(steps.scalars(1, 30)["one_minus_beta2"], squares, strict=True):
        v += weight * (square - v)
    assert v == pytest.approx(squares.mean())
    assert steps.v_hat_factor(30) == 1.0


@pytest.mark.parametrize(("rounds", "epochs"), [(10, 1), (11, 2), (100, 91), (1000, 7), (500, 1)])
def test_milestones_rise_from_the_first_to_the_last_round(rounds: int, epochs: int) -> None:
    ends = milestones(rounds, epochs)
    assert len(ends) == epochs
    assert ends[-1] == rounds
    assert epochs == 1 or ends[0] == FIRST
    assert all(a < b for a, b in pairwise(ends))
