"""What the paper says of Adam, AdaMax and AdaGrad, as properties."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from adam_repro.optim import Adam, init_state
from adam_repro.optim.ops import one_minus_power
from adam_repro.optim.rule import apply
from tests.optim.references import defaults, random_gradients, run

START = torch.linspace(-1, 1, 11, dtype=torch.float64)
GRADIENTS = torch.as_tensor(random_gradients(200, 11))


@pytest.mark.parametrize("name", ["adam", "adamax", "adagrad", "amsgrad"])
@given(exponent=st.integers(-18, 40))
@settings(max_examples=15, deadline=None)
def test_rescaling_the_gradient_changes_nothing_without_eps(name: str, exponent: int) -> None:
    """Section 2.1: (c m_hat) / sqrt(c^2 v_hat). By a power of two not one bit changes."""
    h = defaults(name)
    if "eps" in vars(h):
        h.eps = 0.0
    gradients = GRADIENTS[:30] + 100  # far above the 1e-22 in a bare denominator
    plain = run(name, START, gradients, h)
    assert torch.equal(run(name, START, gradients * 2.0**exponent, h), plain)
    torch.testing.assert_close(run(name, START, gradients * 3.7, h), plain, rtol=1e-12, atol=0)


def test_rescaling_the_gradient_matters_with_eps() -> None:
    h = defaults("adam", eps=1e-2)
    difference = run("adam", START, GRADIENTS, h) - run("adam", START, GRADIENTS * 8, h)
    assert difference.abs().max() > 1e-4


def adam_beside_adagrad(**changes: object) -> float:
    """The largest distance of Adam with beta1 = 0, beta2 -> 1, lr / sqrt(t) from AdaGrad."""
    h = defaults("adam", beta1=0.0, eps=0.0, **changes)
    theta, state = START.clone(), init_state(Adam, START)
    for t, g in enumerate(GRADIENTS, start=1):
        h.lr = 0.01 / t**0.5
        apply(Adam, theta, g, state, h, t)
    return float((theta - run("adagrad", START, GRADIENTS, defaults("adagrad"))).abs().max())


def test_adagrad_is_a_limit_of_adam() -> None:
    """Section 5: the distance goes to zero with 1 - beta2."""
    distances = [adam_beside_adagrad(beta2=1 - gap) for gap in (1e-3, 1e-5, 1e-7, 1e-9)]
    assert all(later < earlier / 50 for earlier, later in pairwise(distances))
    assert distances[-1] < 1e-8


def test_adagrad_is_no_limit_of_adam_without_bias_correction() -> None:
    assert adam_beside_adagrad(beta2=1 - 1e-7, bias_correction="none") > 10


def efficient(eps_hat_of: object) -> torch.Tensor:
    """Section 2's reordered lines, eps_hat a function of t."""
    h = defaults("adam", eps=1e-3, form="efficient")
    theta, state = START.clone(), init_state(Adam, START)
    for t, g in enumerate(GRADIENTS, start=1):
        h.eps = eps_hat_of(t)  # type: ignore[operator]
        apply(Adam, theta, g, state, h, t)
    return theta


def test_the_two_forms_are_equal_exactly_when_eps_hat_follows_t() -> None:
    h = defaults("adam", eps=1e-3)
    algorithm1 = run("adam", START, GRADIENTS, h)
    following = efficient(lambda t: 1e-3 * (1 - h.beta2**t) ** 0.5)
    torch.testing.assert_close(following, algorithm1, rtol=1e-12, atol=0)
    constant = efficient(lambda t: 1e-3)
    assert (constant - algorithm1).abs().max() > 1e-2


def test_the_efficient_form_nears_algorithm_1_as_eps_vanishes() -> None:
    both = [run("adam", START, GRADIENTS, defaults("adam", eps=0.0, form=form))
            for form in ("algorithm1", "efficient")]  # fmt: skip
    assert torch.equal(*both)


@given(
    g=st.floats(1e-3, 1e3),
    beta1=st.floats(0, 0.999),
    beta2=st.floats(0, 0.99999),
    steps=st.integers(1, 40),
)
@settings(max_examples=60, deadline=None)
def test_a_constant_gradient_moves_every_step_by_lr(
    g: float, beta1: float, beta2: float, steps: int
) -> None:
    """Section 3: corrected, m_hat = g and v_hat = g^2 at every t, whatever the decay rates."""
    h = defaults("adam", lr=0.125, beta1=beta1, beta2=beta2, eps=0.0)
    theta = run("adam", torch.zeros(1, dtype=torch.float64), torch.full((steps, 1), g).double(), h)
    np.testing.assert_allclose(theta.item(), -0.125 * steps, rtol=1e-9)


@pytest.mark.parametrize("steps", [1, 2, 10, 1000])
def test_v_is_the_second_moment_times_one_minus_beta2_to_the_t(steps: int) -> None:
    h, theta = defaults("adam", beta2=0.9999), torch.zeros(1, dtype=torch.float64)
    state, g = init_state(Adam, theta), torch.full((1,), 3.0, dtype=torch.float64)
    for t in range(1, steps + 1):
        apply(Adam, theta, g, state, h, t)
    v_hat = state["v"] / one_minus_power(h.beta2, steps)
    np.testing.assert_allclose(v_hat.item(), 9.0, rtol=1e-11)


def test_without_the_correction_of_v_first_steps_are_far_too_large() -> None:
    """Section 3's warning: at t = 1 too large by 1 / sqrt(1 - beta2)."""
    g = torch.ones(1, 1, dtype=torch.float64)
    h = defaults("adam", beta2=0.9999, eps=0.0, bias_correction="m")
    step = -run("adam", torch.zeros(1, dtype=torch.float64), g, h).item()
    np.testing.assert_allclose(step, h.lr / (1 - h.beta2) ** 0.5, rtol=1e-9)


@pytest.mark.parametrize("beta", [0.0, 0.5, 0.9999, 1 - 1e-9])
@pytest.mark.parametrize("t", [1, 7, 10_000])
def test_bias_corrections_keep_their_digits(beta: float, t: int) -> None:
    terms = np.sum(np.longdouble(beta) ** np.arange(t, dtype=np.longdouble))
    expected = float((1 - np.longdouble(beta)) * terms)  # the geometric series: nothing cancels
    as_tensor = torch.tensor(beta, dtype=torch.float64)
    for b in (beta, as_tensor):
        for count in (t, torch.tensor(float(t), dtype=torch.float64)):
            np.testing.assert_allclose(float(one_minus_power(b, count)), expected, rtol=1e-13)


def test_adamax_weighs_the_past_by_its_largest_decayed_gradient() -> None:
    """u_t = max_i beta2^(t-i) |g_i|, so with beta1 = 0 the last step is lr g_t / u_t."""
    h = defaults("adamax", beta1=0.0, beta2=0.9)
    before = run("adamax", START, GRADIENTS[:-1], h)
    after = run("adamax", START, GRADIENTS, h)
    decay = 0.9 ** torch.arange(199, -1, -1, dtype=torch.float64)
    u = (decay[:, None] * GRADIENTS.abs()).amax(0)
    torch.testing.assert_close(before - after, h.lr * GRADIENTS[-1] / u, rtol=1e-9, atol=0)


def test_adamw_shrinks_theta_apart_from_the_gradient() -> None:
    h = defaults("adamw", lr=0.1, weight_decay=0.5)
    still = run("adamw", START, torch.zeros(10, 11, dtype=torch.float64), h)
    torch.testing.assert_close(still, START * 0.95**10, rtol=1e-12, atol=0)
