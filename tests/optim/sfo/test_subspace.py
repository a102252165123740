"""The shared subspace: orthonormal, lossless as it grows, keeping what it must in a collapse."""

import pytest
import torch
from torch import Tensor

from adam_repro.optim.sfo.memory import subspace_sizes
from adam_repro.optim.sfo.subspace import Subspace


def vector(M: int, seed: int) -> Tensor:
    g = torch.Generator().manual_seed(seed)
    return torch.randn(M, generator=g, dtype=torch.float64)


def space(M: int = 300, N: int = 6, dtype: str = "float64") -> Subspace:
    return Subspace(vector(M, 0), N, dtype, torch.Generator().manual_seed(0))


def lift(s: Subspace, coordinates: Tensor, M: int = 300) -> Tensor:
    theta = torch.zeros(M, dtype=torch.float64)
    s.add_to(theta, coordinates)
    return theta


def off_identity(s: Subspace) -> float:
    return float((s.gram() - torch.eye(s.K, dtype=torch.float64)).abs().max())


def test_sizes() -> None:
    assert subspace_sizes(10_000, 24) == (50, 75)
    assert subspace_sizes(60, 24) == (50, 60)
    assert subspace_sizes(7, 24) == (7, 7)
    assert subspace_sizes(1_796_010, 469) == (940, 1410)


def test_it_starts_with_the_start() -> None:
    s = space()
    assert s.K == 1
    torch.testing.assert_close(s.basis[0], vector(300, 0) / vector(300, 0).norm())


def test_a_start_of_zeros_gives_a_random_direction() -> None:
    s = Subspace(torch.zeros(300, dtype=torch.float64), 6, "float64", torch.Generator())
    assert s.K == 1
    assert float(s.basis[0].norm()) == pytest.approx(1.0)


def test_every_projected_vector_comes_back() -> None:
    s = space()
    stored = [(v, s.project(v)) for v in (vector(300, k) * 10.0 ** (k - 5) for k in range(1, 11))]
    for v, coordinates in stored:
        torch.testing.assert_close(lift(s, coordinates), v, rtol=0, atol=1e-13 * float(v.norm()))
    assert s.K == 11
    assert off_identity(s) < 1e-13


def test_a_vector_inside_adds_nothing() -> None:
    s = space()
    v = vector(300, 1)
    s.project(v)
    coordinates = s.project(3 * v - vector(300, 0))
    assert s.K == 2
    torch.testing.assert_close(lift(s, coordinates), 3 * v - vector(300, 0))
    assert not bool(s.project(torch.zeros(300, dtype=torch.float64)).any())
    assert s.K == 2


def test_nearly_dependent_vectors_stay_orthogonal() -> None:
    """One Gram-Schmidt pass would leave 1e-16 / 1e-9 here."""
    s = space()
    v = vector(300, 1)
    s.project(v)
    for seed in range(2, 8):
        s.project(v + 1e-9 * vector(300, seed))
    assert s.K == 8
    assert off_identity(s) < 1e-13


def test_collapse_keeps_what_it_is_reported_to() -> None:
    s = space()
    kept = torch.stack([s.project(vector(300, k)) for k in range(1, 15)])
    for k in range(30, 36):
        s.project(vector(300, k))
    assert s.K == 21
    assert not s.has_room(1)
    before = [lift(s, c) for c in kept]
    change = s.collapse(kept[:9], torch.Generator().manual_seed(1))
    assert s.K == 14
    assert s.has_room(7)
    assert change.shape == (21, 14)
    for c, full in zip(kept[:9], before, strict=False):
        transformed = torch.nn.functional.pad(c @ change, (0, 7))
        torch.testing.assert_close(lift(s, transformed), full, rtol=0, atol=1e-12)
    lost = torch.nn.functional.pad(kept[12] @ change, (0, 7))
    assert float((lift(s, lost) - before[12]).norm()) > 1.0
    assert off_identity(s) < 1e-13


def test_collapse_restores_an_orthonormality_that_was_lost() -> None:
    s = space()
    kept = torch.stack([s.project(vector(300, k)) for k in range(1, 15)])
    s.basis[:15] += 1e-7 * torch.randn(15, 300, generator=torch.Generator().manual_seed(5))
    full = lift(s, kept[3])
    assert off_identity(s) > 1e-8
    change = s.collapse(kept, torch.Generator())
    assert off_identity(s) < 1e-13
    transformed = torch.nn.functional.pad(kept[3, :15] @ change, (0, 7))
    torch.testing.assert_close(lift(s, transformed), full, rtol=0, atol=1e-12)


def test_where_it_spans_everything_coordinates_are_the_vector() -> None:
    s = space(M=9, N=6)
    v = vector(9, 3)
    assert s.whole
    assert s.basis.numel() == 0
    assert torch.equal(s.project(v), v)
    assert s.has_room(100)


def test_single_precision_halves_the_basis_and_stays_orthonormal_to_its_rounding() -> None:
    s = space(dtype="float32")
    for k in range(1, 15):
        s.project(vector(300, k))
    s.project(vector(300, 1))
    assert s.K == 15
    assert s.basis.element_size() == 4
    assert off_identity(s) < 1e-5
