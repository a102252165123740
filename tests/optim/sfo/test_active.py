"""Which subfunction is next, and when the active set grows."""

import pytest
import torch

from adam_repro.optim.sfo.active import choose, draw, grow, is_noisy
from adam_repro.optim.sfo.quadratic import Metric, Quadratics
from adam_repro.optim.sfo.settings import Settings

EYE = Metric(torch.eye(4, dtype=torch.float64))
ORIGIN = torch.zeros(4, dtype=torch.float64)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def models(distances: list[float], counts: list[int], inactive: int = 0, **settings) -> Quadratics:
    """Subfunction i was last evaluated at distances[i] along axis i; inactive ones follow."""
    m = Quadratics(len(counts) + inactive, 4, Settings(**settings), torch.device("cpu"))
    for i, (distance, count) in enumerate(zip(distances, counts, strict=True)):
        m.activate(i, 1.0)
        m.positions[i, i] = distance
        m.counts[i] = count
    return m


def test_one_evaluated_once_comes_first_then_one_never_evaluated() -> None:
    assert choose(models([9, 1, 1], [5, 0, 1]), ORIGIN, generator()) == 2
    assert choose(models([9, 1, 1], [5, 0, 2]), ORIGIN, generator()) == 1


def test_the_farthest_comes_next_in_the_metric_of_the_sum() -> None:
    m = models([3, 2, 1], [2, 2, 2], selection="distance")
    assert choose(m, ORIGIN, generator()) == 0
    m.total[2, 2] = 100.0
    assert choose(m, ORIGIN, generator()) == 2


def test_the_farthest_comes_next_in_its_own_metric() -> None:
    m = models([3, 2, 1], [2, 2, 2], selection="single")
    m.total[2, 2] = 100.0
    assert choose(m, ORIGIN, generator()) == 0
    m.columns[1, 1, 0] = 1.0
    m.weights[1, 0] = 2.0
    assert choose(m, ORIGIN, generator()) == 1


def test_both_rules_take_turns_at_random() -> None:
    m = models([3, 2, 1], [2, 2, 2], selection="both")
    m.total[2, 2] = 100.0
    g = generator()
    picks = [choose(m, ORIGIN, g) for _ in range(40)]
    assert set(picks) == {0, 2}
    assert 10 <= picks.count(0) <= 30


def test_random_takes_any_active_one() -> None:
    m = models([3, 2, 1], [2, 2, 2], inactive=2, selection="random")
    g = generator()
    assert {choose(m, ORIGIN, g) for _ in range(60)} == {0, 1, 2}


def test_an_inactive_one_is_never_the_farthest() -> None:
    m = models([3, 2, 1], [2, 2, 2], selection="distance")
    m.active[0] = False
    assert choose(m, ORIGIN, generator()) == 1


def test_where_all_are_here_a_new_one_joins() -> None:
    m = models([0, 0, 0], [2, 2, 2], inactive=1, selection="distance")
    assert choose(m, ORIGIN, generator()) == 3
    assert m.active.tolist() == [True] * 4


def test_a_draw_takes_every_candidate_and_no_other() -> None:
    mask = torch.tensor([False, True, False, True, True])
    g = generator()
    assert {draw(mask, g) for _ in range(60)} == {1, 3, 4}


def with_gradients(a: list[float], b: list[float], inactive: int = 1) -> Quadratics:
    m = models([1, 1], [2, 2], inactive)
    m.gradients[0, :2], m.gradients[1, :2] = torch.tensor(a), torch.tensor(b)
    return m


def test_noise_is_the_squared_standard_error_of_the_mean_gradient() -> None:
    """Gradients (1, +-d): mean^2 = 1, noise = 2 d^2 / (2 * 1) = d^2."""
    assert not is_noisy(with_gradients([1, 0.99], [1, -0.99]), EYE)
    assert is_noisy(with_gradients([1, 1.01], [1, -1.01]), EYE)


def test_noise_is_measured_by_the_inverse_hessian() -> None:
    m = with_gradients([1, 1.01], [1, -1.01])
    assert not is_noisy(m, Metric(torch.tensor([1.0, 2, 1, 1], dtype=torch.float64).diag()))
    assert is_noisy(m, Metric(torch.tensor([9.0, 8, 1, 1], dtype=torch.float64).diag()))


def test_only_active_gradients_count_and_one_alone_is_not_noisy() -> None:
    m = with_gradients([1, 0], [1, 0])
    m.gradients[2, 3] = 100.0
    assert not is_noisy(m, EYE)
    assert not is_noisy(models([1], [2], 1), EYE)


@pytest.mark.parametrize(
    ("spread", "failed", "waited", "grows"),
    [(0.5, False, 2, False), (2, False, 0, True), (0.5, True, 0, True), (0.5, False, 3, True)],
    ids=["quiet", "noise", "failure", "patience"],
)
def test_when_the_active_set_grows(spread: float, failed: bool, waited: int, grows: bool) -> None:
    m = with_gradients([1, spread], [1, -spread])
    assert grow(m, EYE, failed, waited, generator()) is grows
    assert m.active.tolist() == [True, True, grows]


def test_it_does_not_grow_before_all_were_seen_twice_nor_beyond_all() -> None:
    m = with_gradients([1, 2], [1, -2])
    m.counts[1] = 1
    assert not grow(m, EYE, True, 99, generator())
    full = with_gradients([1, 2], [1, -2], inactive=0)
    assert not grow(full, EYE, True, 99, generator())
