"""Stepsizes, decay rates and milestones."""

from __future__ import annotations

from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest

from adam_repro.config.trial import hyperparameters
from adam_repro.errors import UserError
from adam_repro.online.step_scalars import FIRST_MILESTONE, StepScalars, milestones
from adam_repro.optim import OPTIMIZERS
from adam_repro.runs.check import check
from tests.helpers import Compose


def test_alpha_t_and_beta1_t_are_those_of_theorem_4_1(trial: Compose) -> None:
    one = trial("task=regret", "task.beta1_decay=0.9", tiny=False)
    steps = StepScalars(one)
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
    scalars = StepScalars(one).scalars(1, 5)
    lr, beta1 = one.optimizer["lr"], one.optimizer["beta1"]
    np.testing.assert_allclose(scalars["alpha_t"], lr / np.sqrt(t) / (1 - beta1**t), rtol=1e-12)
    np.testing.assert_allclose(scalars["one_minus_beta1"], 1 - beta1 * 0.5 ** (t - 1))


def test_the_steps_of_a_later_stretch_go_on(trial: Compose) -> None:
    steps = StepScalars(trial("task=regret", tiny=False))
    whole, later = steps.scalars(1, 20), steps.scalars(11, 10)
    assert {name: values[10:] for name, values in whole.items()} == later


def test_adamnc_weighs_all_squares_alike(trial: Compose) -> None:
    one = trial("task=regret", "task.growing_beta2=true", tiny=False)
    steps = StepScalars(one)
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
    assert epochs == 1 or ends[0] == FIRST_MILESTONE
    assert all(a < b for a, b in pairwise(ends))


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in OPTIMIZERS if name != "amsgrad"])
def test_without_decay_the_scalars_are_the_methods_own(trial: Compose, name: str) -> None:
    """As in training, weight decay and all; AMSGrad is its authors' in both."""
    one = trial(
        "task=regret", f"optimizer={name}", "task.beta1_decay=1", "schedule=constant", tiny=False
    )
    ours = StepScalars(one).scalars(1, 7)
    for t in range(1, 8):
        h = SimpleNamespace(**hyperparameters(one.optimizer))
        for scalar, value in OPTIMIZERS[name].scalars(h, t).items():
            assert ours[scalar][t - 1] == pytest.approx(float(value), rel=1e-12), scalar


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["task=regret", "+task.epoch_examples=9"],
            "task.epoch_examples=9: task=regret has rounds",
        ),
        (["task=regret", "eval_train_every=1"], "eval_train_every=1: task=regret has rounds"),
        (["task=regret", "optimizer=sgd", "task.growing_beta2=true"], "sgd has no beta2"),
        (["task=counterexample", "batch_size=4"], "batch_size=4: a round has one cost"),
    ],
)
def test_what_theory_does_not_read_is_refused(
    trial: Compose, words: list[str], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        check(trial(*words, tiny=False))
