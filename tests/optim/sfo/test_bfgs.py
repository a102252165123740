"""The Hessian of one subfunction: equal to dense BFGS, and positive definite whatever the pairs."""

import pytest
import torch
from torch import Tensor

from adam_repro.optim.sfo.bfgs import Curvature, curvature_range, fit, repair_eigenvalues, update
from tests.optim.sfo.problems import quadratics


def dense(curvature: Curvature, K: int) -> Tensor:
    low_rank = curvature.columns @ torch.diag(curvature.weights) @ curvature.columns.T
    return low_rank + curvature.diagonal * torch.eye(K, dtype=torch.float64)


def pairs(K: int, p: int, seed: int, convex: bool = True) -> tuple[Tensor, Tensor]:
    g = torch.Generator().manual_seed(seed)
    R = torch.randn(K, K, generator=g, dtype=torch.float64)
    A = R @ R.T + torch.eye(K, dtype=torch.float64) if convex else R + R.T
    S = torch.randn(K, p, generator=g, dtype=torch.float64)
    return S, A @ S


def dense_bfgs(S: Tensor, Y: Tensor, fallback: float, max_condition: float) -> Tensor:
    """The textbook update in the full space, then the same repair of the eigenvalues there.

    Eigenvalues outside span(S, Y) are those of the start; the repair may not see them.
    """
    K, p = S.shape
    A = Y @ torch.linalg.pinv(S)
    singular = torch.linalg.eigvalsh(A.T @ A).abs().sqrt().sort(descending=True).values[:p]
    most = float(singular.max()) or fallback
    least = max(float(singular.min()) or fallback, most / max_condition)
    H = least * torch.eye(K, dtype=torch.float64)
    for s, y in zip(S.T, Y.T, strict=True):
        H = H + torch.outer(y, y) / (y @ s) - H @ torch.outer(s, s) @ H / (s @ H @ s)
    Q = torch.linalg.svd(torch.cat([S, Y], 1), full_matrices=False)[0]
    values, vectors = torch.linalg.eigh(Q.T @ H @ Q)
    if bool((values > 0).any()):
        median = values[values > 0].quantile(0.5)
        values = torch.where(values < values.abs().max() / max_condition, median, values)
    else:
        values = torch.full_like(values, most)
    outside = torch.eye(K, dtype=torch.float64) - Q @ Q.T
    return Q @ vectors @ torch.diag(values) @ vectors.T @ Q.T + least * outside


@pytest.mark.parametrize("convex", [True, False])
@pytest.mark.parametrize("p", [1, 2, 5, 10])
def test_real_form_equals_dense_bfgs(p: int, convex: bool) -> None:
    for seed in range(5):
        S, Y = pairs(30, p, seed, convex)
        expected = dense_bfgs(S, Y, 1.0, 1e8)
        actual = dense(fit(S, Y, 1.0, 1e8), 30)
        torch.testing.assert_close(actual, expected, rtol=1e-8, atol=1e-8 * float(expected.max()))


def test_the_newest_pair_is_satisfied() -> None:
    S, Y = pairs(20, 6, seed=3)
    H = dense(fit(S, Y, 1.0, 1e8), 20)
    torch.testing.assert_close(H @ S[:, -1], Y[:, -1], rtol=1e-9, atol=1e-9)


def test_order_matters_oldest_first() -> None:
    S, Y = pairs(20, 6, seed=3)
    reversed_order = dense(fit(S.flip(1), Y.flip(1), 1.0, 1e8), 20)
    assert not torch.allclose(reversed_order @ S[:, -1], Y[:, -1], rtol=1e-3)


def test_pairs_that_span_the_space_give_the_hessian_of_a_quadratic() -> None:
    evaluate, _ = quadratics(4, 1, seed=2)
    zero, eye = torch.zeros(4, dtype=torch.float64), torch.eye(4, dtype=torch.float64)
    A = torch.stack([evaluate(e, 0)[1] - evaluate(zero, 0)[1] for e in eye])
    conjugate = torch.linalg.eigh(A)[1]
    H = dense(fit(conjugate, A @ conjugate, 1.0, 1e8), 4)
    torch.testing.assert_close(H, A, rtol=1e-9, atol=1e-9)


def test_negative_curvature_ends_positive_definite() -> None:
    for seed in range(20):
        S, Y = pairs(12, 4, seed, convex=False)
        eigenvalues = torch.linalg.eigvalsh(dense(fit(S, Y, 1.0, 1e8), 12))
        assert float(eigenvalues.min()) > 0
        assert float(eigenvalues.max() / eigenvalues.min()) < 1e9


def test_scales_are_the_extreme_curvatures_seen() -> None:
    S = torch.tensor([[1.0, 0.0], [0.0, 2.0], [0.0, 0.0]], dtype=torch.float64)
    Y = torch.tensor([[3.0, 0.0], [0.0, 14.0], [0.0, 0.0]], dtype=torch.float64)
    assert curvature_range(S, Y) == pytest.approx((3.0, 7.0))


def test_repeated_steps_do_not_pass_for_a_direction_without_curvature() -> None:
    s = torch.tensor([[1.0], [1.0], [0.0]], dtype=torch.float64)
    assert curvature_range(torch.cat([s, s], 1), torch.cat([5 * s, 5 * s], 1)) == pytest.approx(
        (5.0, 5.0)
    )


def test_a_scale_of_zero_takes_the_fallback() -> None:
    S = torch.eye(4, 2, dtype=torch.float64)
    Y = torch.zeros(4, 2, dtype=torch.float64)
    Y[:2] = 2.0
    assert curvature_range(S, Y) == pytest.approx((0.0, 4.0))
    assert fit(S, Y, 0.5, 1e8).diagonal == 0.5


def test_the_diagonal_is_not_below_the_maximum_over_the_condition() -> None:
    S = torch.eye(4, 2, dtype=torch.float64)
    Y = S @ torch.diag(torch.tensor([1e-9, 1.0], dtype=torch.float64))
    assert fit(S, Y, 1.0, 1e3).diagonal == pytest.approx(1e-3)


def test_repair_of_eigenvalues() -> None:
    values = torch.tensor([-9.0, 1e-12, 1.0, 2.0, 5.0], dtype=torch.float64)
    assert repair_eigenvalues(values, 7.0, 1e8).tolist() == [1.5, 1.5, 1.0, 2.0, 5.0]
    assert repair_eigenvalues(-values[2:], 7.0, 1e8).tolist() == [7.0, 7.0, 7.0]


def test_a_pair_on_which_the_curvature_vanishes_is_passed_over() -> None:
    H = torch.diag(torch.tensor([1.0, -1.0], dtype=torch.float64))
    s = torch.ones(2, 1, dtype=torch.float64)
    torch.testing.assert_close(update(H, s, s), H)
