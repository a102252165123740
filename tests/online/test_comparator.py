"""The best fixed point in hindsight."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import lsq_linear

from adam_repro.online import comparator, cost_streams
from adam_repro.online.cost_streams import CostStream
from tests.helpers import Compose


def stream(trial: Compose, name: str, rounds: int = 400, *more: str) -> CostStream:
    words = ["task=regret", f"task.data.name={name}", f"task.rounds={rounds}", *more]
    return cost_streams.build(trial(*words, tiny=False), rounds)


@pytest.mark.slow
@pytest.mark.parametrize("radius", [0.1, 1.0])
@pytest.mark.parametrize("name", ["least_squares", "sparse", "synthetic_text", "synthetic"])
def test_it_is_a_minimum_over_the_box_to_1e_8(trial: Compose, name: str, radius: float) -> None:
    objective = stream(trial, name).objective(400)
    best = comparator.solve(objective, radius, np.zeros(objective.x.shape[1]))
    assert np.abs(best.theta).max() <= radius
    cost, gradient = objective.value_and_gradient(best.theta)
    assert comparator.projected_gradient(best.theta, gradient, radius) < 1e-8
    assert 0 <= best.gap < 1e-6
    assert best.cost == cost
    rng = np.random.default_rng(0)
    for _ in range(50):
        other = np.clip(best.theta + 0.1 * rng.standard_normal(len(gradient)), -radius, radius)
        assert objective.value_and_gradient(other)[0] >= best.cost - best.gap


def test_it_is_scipys_bounded_least_squares(trial: Compose) -> None:
    objective = stream(trial, "least_squares").objective(400)
    best = comparator.solve(objective, 0.2, np.zeros(20))
    theirs = lsq_linear(objective.x, objective.y, (-0.2, 0.2), method="bvls", tol=1e-14)
    np.testing.assert_allclose(best.theta, theirs.x, atol=1e-7)
    assert (np.abs(best.theta) == 0.2).any()


def test_many_coordinates_go_without_newtons_method(
    trial: Compose, monkeypatch: pytest.MonkeyPatch
) -> None:
    objective = stream(trial, "synthetic_text").objective(400)
    start = np.zeros(objective.x.shape[1])
    newton = comparator.solve(objective, 0.3, start)
    monkeypatch.setattr(comparator, "MAX_DENSE", 0)
    alone = comparator.solve(objective, 0.3, start)
    assert alone.slope < 1e-8
    assert alone.cost == pytest.approx(newton.cost, abs=1e-8)


def test_what_is_no_minimum_gets_no_certificate(trial: Compose) -> None:
    objective = stream(trial, "least_squares").objective(400)
    with pytest.raises(ArithmeticError, match="projected gradient is"):
        comparator.certify(objective, 1.0, np.zeros(20))


@pytest.mark.parametrize("name", ["least_squares", "sparse"])
def test_gradients_and_hessians_are_those_of_the_cost(trial: Compose, name: str) -> None:
    some = stream(trial, name, 50, "batch_size=2")
    objective = some.objective(50)
    rng = np.random.default_rng(0)
    theta, direction = rng.standard_normal((2, some.d)) / 10
    step = 1e-6 * direction

    def difference(t: int) -> float:
        ahead, behind = (some.cost_and_gradient(t, theta + sign * step)[0] for sign in (1, -1))
        return (ahead - behind) / 2e-6

    slope = some.cost_and_gradient(7, theta)[1] @ direction
    assert slope == pytest.approx(difference(7), rel=1e-6, abs=1e-9)
    mean = np.mean([some.cost_and_gradient(t, theta)[0] for t in range(50)])
    assert objective.value_and_gradient(theta)[0] == pytest.approx(mean)
    ahead, behind = (objective.value_and_gradient(theta + sign * step)[1] for sign in (1, -1))
    hessian = objective.hessian(theta, np.ones(some.d, bool))
    np.testing.assert_allclose(hessian @ direction, (ahead - behind) / 2e-6, rtol=1e-5, atol=1e-7)
