"""History, curvature without history, and the sum of the models."""

import pytest
import torch
from torch import Tensor

from adam_repro.optim.sfo import SFO
from adam_repro.optim.sfo.quadratic import Quadratics
from adam_repro.optim.sfo.settings import Settings
from tests.optim.sfo.problems import quadratics

CPU = torch.device("cpu")


def models(N: int = 3, k_max: int = 8, **settings: int) -> Quadratics:
    return Quadratics(N, k_max, Settings(**settings), CPU)


def e(k: int, scale: float = 1.0) -> Tensor:
    v = torch.zeros(8, dtype=torch.float64)
    v[k] = scale
    return v


def parts(m: Quadratics) -> Tensor:
    """The sum of the low-rank parts, one after the other."""
    return sum(m.columns[i] @ torch.diag(m.weights[i]) @ m.columns[i].T for i in range(m.N))


def test_history_begins_with_the_second_evaluation_and_keeps_the_newest() -> None:
    m = models(max_history=3)
    for k in range(6):
        m.record(1, e(0, k * k), e(0, 2.0 * k * k), value=float(k))
    assert m.kept.tolist() == [0, 3, 0]
    assert m.steps[1, :, 0].tolist() == [5.0, 7.0, 9.0]
    assert m.changes[1, :, 0].tolist() == [10.0, 14.0, 18.0]
    assert float(m.values[1]) == 5.0
    assert m.counts.tolist() == [0, 6, 0]
    assert torch.equal(m.positions[1], e(0, 25.0))


@pytest.mark.parametrize(
    ("step", "change"),
    [(e(0, 1e-13), e(0)), (e(0), e(0, 1e-13)), (e(0), e(1)), (e(0), e(1) + e(0, 1e-13))],
    ids=["step", "change", "orthogonal", "cosine"],
)
def test_pairs_that_tell_nothing_are_left_out(step: Tensor, change: Tensor) -> None:
    m = models()
    m.record(0, 0 * e(0), 0 * e(0), 1.0)
    m.record(0, step, change, 2.0)
    assert int(m.kept[0]) == 0
    assert int(m.counts[0]) == 2
    assert torch.equal(m.positions[0], step)
    m.record(0, step + e(2), change + e(2, -1.0), 2.0)
    assert int(m.kept[0]) == 1


def test_without_history_curvature_is_an_average_one() -> None:
    m = models()
    m.activate(0, 6.0)
    m.activate(1, 2.0)
    m.total[:4, :4] = torch.diag(torch.tensor([0.0, 2.0, 4.0, 90.0], dtype=torch.float64))
    m.activate(2)
    m.record(2, e(0), e(1), 0.0)
    m.refit(2, 4)
    assert float(m.diagonal[2]) == pytest.approx((8 + 3) / 2)


def test_curvature_without_history_falls_at_the_third_and_fourth_evaluation() -> None:
    m = models(N=1)
    m.activate(0, 1000.0)
    curvatures = []
    for _ in range(5):
        m.record(0, e(0), e(1), 0.0)
        m.refit(0, 3)
        curvatures.append(float(m.diagonal[0]))
    assert curvatures == pytest.approx([1000, 1000, 100, 10, 10])


def test_a_history_that_is_forgotten_takes_its_curvature_along() -> None:
    m = models(N=1)
    m.activate(0, 1.0)
    for k in range(3):
        m.record(0, e(k), e(k, 4.0) + e(5, 0.1 * k), 0.0)
    m.refit(0, 8)
    assert bool(m.total.any())
    m.kept[0] = 0
    m.refit(0, 8)
    assert not bool(m.columns.any())
    torch.testing.assert_close(m.total, torch.zeros_like(m.total), rtol=0, atol=1e-14)


def test_prediction_and_gradient_are_those_of_the_quadratics() -> None:
    evaluate, _ = quadratics(8, 3, seed=1)
    m = models()
    g = torch.Generator().manual_seed(0)
    for i in range(2):
        m.activate(i, 1.0)
        for _ in range(4):
            x = torch.randn(8, generator=g, dtype=torch.float64)
            value, gradient = evaluate(x, i)
            m.record(i, x, gradient, value)
            m.refit(i, 8)
    x = torch.randn(8, generator=g, dtype=torch.float64)
    summed, eye = torch.zeros(8, dtype=torch.float64), torch.eye(8, dtype=torch.float64)
    for i in range(2):
        H = m.columns[i] @ torch.diag(m.weights[i]) @ m.columns[i].T + m.diagonal[i] * eye
        d = x - m.positions[i]
        expected = float(m.values[i] + d @ m.gradients[i] + 0.5 * d @ H @ d)
        assert m.predict(i, x) == pytest.approx(expected)
        torch.testing.assert_close(m.curve(i, d), H @ d)
        torch.testing.assert_close(m.curve_each(m.offsets(x))[i], H @ d)
        summed += H @ d + m.gradients[i]
    torch.testing.assert_close(m.gradient(x), summed)
    torch.testing.assert_close(m.hessian(8), parts(m) + m.diagonal.sum() * eye)


@pytest.mark.slow
def test_the_running_sum_is_the_sum_of_its_parts_after_many_steps() -> None:
    evaluate, _ = quadratics(200, 8)
    sfo = SFO(evaluate, torch.ones(200, dtype=torch.float64), 8)
    sfo.run(40)
    m = sfo.models
    scale = float(m.total.abs().max())
    torch.testing.assert_close(m.total, parts(m), rtol=0, atol=1e-10 * scale)


def test_transform_turns_every_model_with_the_coordinates() -> None:
    """In rotated coordinates the sum of the models is the same function."""
    evaluate, _ = quadratics(8, 3, seed=1)
    m = models()
    g = torch.Generator().manual_seed(0)
    for i in range(3):
        m.activate(i, 1.0)
        for _ in range(3):
            x = torch.randn(8, generator=g, dtype=torch.float64)
            value, gradient = evaluate(x, i)
            m.record(i, x, gradient, value)
            m.refit(i, 8)
    x = torch.randn(8, generator=g, dtype=torch.float64)
    rotation = torch.linalg.qr(torch.randn(8, 8, generator=g, dtype=torch.float64))[0]
    predictions, gradient, kept = [m.predict(i, x) for i in range(3)], m.gradient(x), m.kept.clone()
    m.transform(rotation)
    assert [m.predict(i, x @ rotation) for i in range(3)] == pytest.approx(predictions)
    torch.testing.assert_close(m.gradient(x @ rotation), gradient @ rotation)
    torch.testing.assert_close(m.total, parts(m))
    assert torch.equal(m.kept, kept)


def test_transform_forgets_pairs_whose_step_is_cut() -> None:
    m = models(N=2, max_history=4)
    m.record(0, 0 * e(0), 0 * e(0), 0.0)
    for k in (0, 1, 2):
        position = m.positions[0] + e(k) + (e(7, 3.0) if k == 1 else 0)
        m.record(0, position, m.gradients[0] + e(k, 2.0 + k) + e(6), 0.0)
    assert int(m.kept[0]) == 3
    m.transform(torch.eye(8, dtype=torch.float64)[:, :5])
    assert int(m.kept[0]) == 2
    assert m.steps[0, :, :5].tolist() == [[0] * 5, [0] * 5, [1, 0, 0, 0, 0], [0, 0, 1, 0, 0]]
    assert m.changes[0, 2:, :5].tolist() == [[2, 0, 0, 0, 0], [0, 0, 4, 0, 0]]
