"""The bounds, against numbers worked out by hand."""

from __future__ import annotations

import pytest

from adam_repro.online import bounds
from adam_repro.online.bounds import BoundInputs

Q = BoundInputs(
    T=4, d=2, D=3.0, D_inf=2.0, G=5.0, G_inf=4.0, sum_root_v_hat=6.0, sum_gradient_norms=7.0,
    sum_weighted=8.0,
)  # fmt: skip


def test_theorem_4_1_term_by_term() -> None:
    terms = bounds.adam(Q, lr=0.5, beta1=0.5, beta2=0.75, decay=0.9)
    assert terms is not None
    gamma = 0.25 / 0.75**0.5
    assert terms.distance == pytest.approx(9 / (2 * 0.5 * 0.5) * 2 * 6)
    assert terms.gradients == pytest.approx(0.5 * 1.5 * 4 / (0.5 * 0.5 * (1 - gamma) ** 2) * 7)
    assert terms.decay == pytest.approx(2 * 4 * 4 * 0.5 / (2 * 0.5 * 0.5 * 0.1**2))
    assert terms.total == pytest.approx(sum(terms))


def test_without_momentum_every_lambda_will_do() -> None:
    constant = bounds.adam(Q, lr=0.5, beta1=0.0, beta2=0.75, decay=1.0)
    assert constant == bounds.adam(Q, lr=0.5, beta1=0.0, beta2=0.75, decay=0.5)
    assert constant is not None
    assert constant.decay == pytest.approx(2 * 4 * 4 * 0.5 / (2 * 0.5))


def test_the_bounds_of_the_other_methods() -> None:
    amsgrad = bounds.amsgrad(Q, lr=0.5, beta1=0.5, beta2=0.64, decay=1.0)
    assert amsgrad is not None
    assert amsgrad.distance == pytest.approx(4 * 2 / (0.5 * 0.5) * 6)
    assert amsgrad.decay == pytest.approx(4 / (2 * 0.5) * 8)
    root_log = (1 + 1.3862943611198906) ** 0.5
    assert amsgrad.gradients == pytest.approx(
        0.5 * root_log / (0.5**2 * (1 - 0.5 / 0.8) * 0.36**0.5) * 7
    )
    assert bounds.adagrad(Q, lr=0.5).total == pytest.approx(4 / (2 * 0.5) * 7 + 0.5 * 7)
    assert bounds.sgd(Q, lr=0.5).total == pytest.approx(9 * 2 / (2 * 0.5) + 0.5 * 1.5 * 25)


ADAM = {
    "name": "adam",
    "lr": 0.1,
    "beta1": 0.9,
    "beta2": 0.999,
    "eps": 0.0,
    "bias_correction": "both",
}


@pytest.mark.parametrize(
    ("changes", "schedule", "decay", "growing"),
    [
        ({}, "constant", 0.9, False),
        ({}, "inv_sqrt_iteration", 1.0, False),
        ({}, "inv_sqrt_iteration", 0.9, True),
        ({"eps": 1e-8}, "inv_sqrt_iteration", 0.9, False),
        ({"bias_correction": "v"}, "inv_sqrt_iteration", 0.9, False),
        ({"name": "adagrad", "eps": 1e-8}, "constant", 0.9, False),
        ({"beta2": 0.5}, "inv_sqrt_iteration", 0.9, False),
        ({"name": "rmsprop"}, "inv_sqrt_iteration", 0.9, False),
        ({"name": "adagrad"}, "inv_sqrt_iteration", 0.9, False),
        ({"name": "amsgrad", "beta2": 0.81}, "inv_sqrt_iteration", 0.9, False),
    ],
)
def test_there_is_no_bound_outside_a_theorems_assumptions(
    changes: dict[str, float | str], schedule: str, decay: float, growing: bool
) -> None:
    assert bounds.terms({**ADAM, **changes}, schedule, decay, growing, Q) is None


def test_there_is_one_inside() -> None:
    assert bounds.terms(dict(ADAM), "inv_sqrt_iteration", 0.9, False, Q) is not None
