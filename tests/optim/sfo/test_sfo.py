"""The step as a whole: it reaches optima, survives failures, repeats itself and resumes."""

import copy
import math
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from adam_repro.optim.sfo import SFO
from tests.optim.sfo.problems import logistic_regression, optimum, quadratics, total


def zeros(M: int) -> Tensor:
    return torch.zeros(M, dtype=torch.float64)


def ready(seed: int = 0, steps: int = 30) -> SFO:
    """An optimizer of 6 quadratics in 50 dimensions, some steps on its way."""
    evaluate, _ = quadratics(50, 6)
    sfo = SFO(evaluate, zeros(50) + 3, 6, seed)
    for _ in range(steps):
        sfo.step()
    return sfo


# -- optima ---------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("M", "N", "passes"), [(5, 3, 30), (30, 20, 12), (200, 4, 30), (200, 12, 20), (400, 24, 12)]
)
def test_quadratics_reach_the_optimum_of_lbfgs(M: int, N: int, passes: int) -> None:
    evaluate, solution = quadratics(M, N)
    lowest, _ = optimum(evaluate, M, N)
    sfo = SFO(evaluate, zeros(M) + 1, N)
    sfo.run(passes)
    assert total(evaluate, sfo.theta, N) - lowest < 1e-8
    assert float((sfo.theta - solution).abs().max()) < 1e-7


@pytest.mark.slow
@pytest.mark.parametrize(
    ("features", "N", "passes"), [(12, 3, 40), (12, 10, 20), (60, 5, 60), (60, 10, 30)]
)
def test_logistic_regression_reaches_the_optimum_of_lbfgs(
    features: int, N: int, passes: int
) -> None:
    evaluate, M = logistic_regression(N, features)
    lowest, solution = optimum(evaluate, M, N)
    sfo = SFO(evaluate, zeros(M), N)
    sfo.run(passes)
    assert total(evaluate, sfo.theta, N) - lowest < 1e-8
    assert float((sfo.theta - solution).abs().max()) < 1e-6


@pytest.mark.slow
@pytest.mark.parametrize("selection", ["distance", "single", "random"])
def test_every_rule_of_selection_converges(selection: str) -> None:
    evaluate, solution = quadratics(100, 6)
    sfo = SFO(evaluate, zeros(100) + 1, 6, selection=selection)
    sfo.run(40 if selection == "random" else 20)
    assert float((sfo.theta - solution).abs().max()) < 1e-6


def test_single_precision_of_the_basis_costs_little() -> None:
    evaluate, _ = quadratics(100, 6)
    lowest, _ = optimum(evaluate, 100, 6)
    sfo = SFO(evaluate, zeros(100) + 1, 6, dtype="float32")
    sfo.run(25)
    assert sfo.theta.dtype == torch.float64
    assert total(evaluate, sfo.theta, 6) - lowest < 1e-8


@pytest.mark.slow
def test_one_subfunction_and_a_start_at_the_optimum() -> None:
    evaluate, solution = quadratics(30, 1)
    for start in (zeros(30), solution):
        sfo = SFO(evaluate, start, 1)
        sfo.run(200)
        assert float((sfo.theta - solution).abs().max()) < 1e-6


def test_a_gradient_of_zero_moves_nothing() -> None:
    sfo = SFO(lambda theta, i: (1.0, torch.zeros_like(theta)), zeros(9) + 1, 2)
    sfo.run(5)
    assert torch.equal(sfo.theta, zeros(9) + 1)


# -- the subspace along the way -------------------------------------------------------------------


def test_growth_and_collapse_of_the_subspace_keep_it_true() -> None:
    evaluate, _ = quadratics(300, 3)
    sfo = SFO(evaluate, zeros(300) + 1, 3)
    sizes = []
    for _ in range(60):
        sfo.step()
        s = sfo.subspace
        sizes.append(s.K)
        off = sfo.subspace.gram() - torch.eye(s.K, dtype=torch.float64)
        assert float(off.abs().max()) < 1e-10
        lifted = zeros(300)
        s.add_to(lifted, sfo.x)
        torch.testing.assert_close(lifted, sfo.theta, rtol=0, atol=1e-10)
    assert max(sizes) <= s.k_max == 12
    collapses = [k for k, (a, b) in enumerate(pairwise(sizes)) if b < a]
    assert len(collapses) >= 5


def test_a_collapse_changes_no_model_where_it_stands() -> None:
    evaluate, _ = quadratics(300, 3)
    sfo = SFO(evaluate, zeros(300) + 1, 3)
    while sfo.subspace.has_room(2):
        sfo.step()
    m = sfo.models
    before = [m.predict(i, sfo.x) for i in range(3)]
    slopes = [float(m.gradients[i] @ (sfo.x - m.positions[i])) for i in range(3)]
    K = sfo.subspace.K
    sfo._collapse()
    assert sfo.subspace.K == 8 < K
    assert [m.predict(i, sfo.x) for i in range(3)] == pytest.approx(before)
    after = [float(m.gradients[i] @ (sfo.x - m.positions[i])) for i in range(3)]
    assert after == pytest.approx(slopes)


# -- failure --------------------------------------------------------------------------------------


def test_a_rise_beyond_what_the_move_promised_is_a_failure() -> None:
    sfo = ready()
    i = int(sfo.models.counts.argmax())
    last, expected = float(sfo.models.values[i]), sfo.models.predict(i, sfo.x)
    sfo.predicted = 5.0
    limit = max(last, expected + 5.0 - (last - expected))
    assert not sfo._has_failed(i, limit - 1e-6)
    assert sfo._has_failed(i, limit + 1e-6)
    assert not sfo._has_failed(i, last - 1e-6)
    assert sfo._has_failed(i, math.nan)


def test_a_new_subfunction_fails_as_an_outlier_only() -> None:
    sfo = ready()
    m = sfo.models
    m.counts[2] = 0
    m.counts[:2], m.counts[3:] = 2, 1
    m.values[:2] = torch.tensor([1.0, 3.0])
    assert not sfo._has_failed(2, 4.9)
    assert sfo._has_failed(2, 5.1)
    m.counts[1] = 1
    assert not sfo._has_failed(2, 5.1)


def test_step_scale_halves_on_failure_and_recovers_by_a_share_of_n() -> None:
    sfo = ready()
    sfo.step_scale = 0.5
    sfo._has_failed = lambda i, value: False
    sfo.step()
    assert sfo.step_scale == pytest.approx(1 / 6 + 5 / 6 * 0.5)
    sfo._has_failed = lambda i, value: True
    sfo.step()
    assert sfo.step_scale == pytest.approx((1 / 6 + 5 / 6 * 0.5) / 2)
    sfo.step_scale = 1.5e-5
    sfo.step()
    assert sfo.step_scale == 1e-5


@pytest.mark.parametrize("previous_is_lower", [True, False])
def test_the_lower_point_is_kept_and_the_other_remembered(previous_is_lower: bool) -> None:
    sfo = ready()
    here, before = sfo.theta.clone(), sfo.previous_theta.clone()
    x, previous_x = sfo.x, sfo.previous_x
    value = 7.0
    other = 6.0 if previous_is_lower else 8.0
    sfo._evaluate = lambda theta, i: (other, theta * 0 + 1)
    sfo.predicted = 1e9
    seen, evaluations = int(sfo.models.counts[4]), sfo.evaluations
    kept, _ = sfo._fall_back(4, value, here * 0 + 2)
    assert kept == min(value, other)
    assert sfo.evaluations == evaluations + 1
    assert torch.equal(sfo.theta, before if previous_is_lower else here)
    assert torch.equal(sfo.x, previous_x if previous_is_lower else x)
    assert int(sfo.models.counts[4]) == seen + 1
    assert float(sfo.models.values[4]) == max(value, other)
    assert torch.equal(sfo.models.positions[4], x if previous_is_lower else previous_x)


def test_a_step_far_too_long_is_pulled_back_by_hundredths() -> None:
    """f_i = |theta - start|^2 from there: 1 at the failed point, 1e-4, then 1e-8 below it."""
    sfo = ready()
    start = sfo.previous_theta.clone()
    sfo.theta = start + torch.eye(50, dtype=torch.float64)[0]
    failed = sfo.theta.clone()
    sfo._evaluate = lambda theta, i: (float((theta - start).square().sum()), 2 * (theta - start))
    sfo.predicted = 1e-6
    evaluations = sfo.evaluations
    sfo._fall_back(0, 1.0, 2 * (failed - start))
    assert [v for _, v in sfo.history[evaluations:]] == pytest.approx([0.0, 1e-4, 1e-8])
    assert torch.equal(sfo.theta, start)
    torch.testing.assert_close(sfo.previous_theta, start + 1e-4 * (failed - start))


@pytest.mark.slow
@pytest.mark.parametrize("bad", [math.nan, math.inf, "gradient"])
def test_regions_that_are_not_finite_are_left(bad: float | str) -> None:
    evaluate, solution = quadratics(30, 4)
    wall = float(solution[0]) + 0.3
    hits = 0

    def walled(theta: Tensor, i: int) -> tuple[float, Tensor]:
        nonlocal hits
        value, gradient = evaluate(theta, i)
        if theta[0] <= wall:
            return value, gradient
        hits += 1
        return (value, gradient * math.nan) if bad == "gradient" else (float(bad), gradient)

    start = solution.clone()
    start[0] -= 20.0
    sfo = SFO(walled, start, 4, hessian_init=1e-3)
    sfo.run(60)
    assert hits > 0
    assert float((sfo.theta - solution).abs().max()) < 1e-6
    assert bool(torch.isfinite(sfo.models.values).all())


def test_a_start_that_is_not_finite_is_reported() -> None:
    sfo = SFO(lambda theta, i: (math.nan, theta), zeros(5), 2)
    with pytest.raises(FloatingPointError, match="not finite"):
        sfo.step()


def test_a_rugged_function_makes_steps_fail_and_still_descends() -> None:
    def evaluate(theta: Tensor, i: int) -> tuple[float, Tensor]:
        ripple, slope = torch.sin(6 * theta + i), 6 * torch.cos(6 * theta + i)
        return float((theta.square() + ripple).sum()), 2 * theta + slope

    start = torch.linspace(-5, 5, 40, dtype=torch.float64)
    sfo = SFO(evaluate, start, 4)
    sfo.run(25)
    assert sfo.evaluations > sfo.moves
    assert total(evaluate, sfo.theta, 4) < 0.1 * total(evaluate, start, 4)


# -- the length of a move -------------------------------------------------------------------------


def test_moves_are_neither_too_short_nor_too_long() -> None:
    sfo = ready()
    mean = sfo.path / sfo.evaluations
    sfo.step_scale = 0.5
    along = torch.eye(50, dtype=torch.float64)[0]
    assert float(sfo._limited(mean * along)[0]) == pytest.approx(0.5 * mean)
    assert float(sfo._limited(1e6 * along)[0]) == pytest.approx(10 * mean)
    assert float(sfo._limited(1e-12 * along)[0]) == pytest.approx(1e-8)
    assert not bool(sfo._limited(0 * along).any())
    del sfo.history[sfo.N :]
    assert float(sfo._limited(1e6 * along)[0]) == pytest.approx(5e5)


# -- counting, repeating, resuming ----------------------------------------------------------------


def test_the_first_evaluations_follow_the_active_set() -> None:
    sfo = ready(steps=4)
    first = [i for i, _ in sfo.history]
    assert first[0] == first[1] != first[2] == first[3]


def test_every_subfunction_becomes_active() -> None:
    sfo = SFO(quadratics(50, 6)[0], zeros(50), 6)
    assert int(sfo.models.active.sum()) == 2
    sfo.run(8)
    assert bool(sfo.models.active.all())
    assert {i for i, _ in sfo.history} == set(range(6))


def test_a_pass_is_n_evaluations_and_its_cost_their_mean() -> None:
    calls = []
    evaluate, _ = quadratics(50, 6)

    def counted(theta: Tensor, i: int) -> tuple[float, Tensor]:
        value, gradient = evaluate(theta, i)
        calls.append((i, value))
        return value, gradient

    sfo = SFO(counted, zeros(50) + 3, 6)
    costs = sfo.run(3) + sfo.run(2)
    assert sfo.history == calls
    assert sfo.evaluations == len(calls) >= 30
    if sfo.evaluations == sfo.moves:
        assert costs == [sum(v for _, v in calls[k : k + 6]) / 6 for k in range(0, 30, 6)]
    assert len(costs) == 5


def test_the_seed_decides_everything() -> None:
    a, b, other = ready(1), ready(1), ready(2)
    assert a.history == b.history
    assert torch.equal(a.theta, b.theta)
    assert a.history != other.history


def test_the_callers_tensor_stays_as_it_was() -> None:
    start = zeros(50) + 3
    SFO(quadratics(50, 6)[0], start, 6).run(2)
    assert torch.equal(start, zeros(50) + 3)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("steps", [3, 40])
def test_a_resumed_run_is_bit_identical(steps: int, dtype: str, tmp_path) -> None:
    evaluate, _ = quadratics(300, 4)
    whole = SFO(evaluate, zeros(300) + 1, 4, seed=5, dtype=dtype)
    for _ in range(steps):
        whole.step()
    torch.save(whole.state_dict(), tmp_path / "state.pt")
    resumed = SFO(evaluate, zeros(300), 4, seed=99, dtype=dtype)
    resumed.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    for _ in range(50):
        assert whole.step() == resumed.step()
        assert torch.equal(whole.theta, resumed.theta)
    assert whole.history == resumed.history


def test_loading_copies() -> None:
    whole, other = ready(1), ready(2)
    state = whole.state_dict()
    frozen = copy.deepcopy(state["theta"])
    other.load_state_dict(state)
    other.run(2)
    assert torch.equal(whole.theta, frozen)


def test_a_state_of_other_settings_is_refused() -> None:
    evaluate, _ = quadratics(50, 6)
    with pytest.raises(ValueError, match="the state has"):
        SFO(evaluate, zeros(50), 6, max_history=3).load_state_dict(ready().state_dict())
