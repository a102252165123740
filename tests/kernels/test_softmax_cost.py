"""The cost of a softmax over many words is PyTorch's cross entropy, and so is its gradient."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.func import vmap
from torch.nn.functional import cross_entropy, linear

from adam_repro.kernels import softmax_cost as module
from adam_repro.kernels.softmax_cost import Logits, softmax_cost

ROWS, WIDTH, WORDS = 23, 7, 41


def arrays(trials: int = 1) -> tuple[list[Tensor], Tensor, Tensor]:
    """x, weight and bias of every trial, the targets, and the weight of each row's cost."""
    draws = torch.Generator().manual_seed(0)
    shapes = ((ROWS, WIDTH), (WORDS, WIDTH), (WORDS,))
    factors = [3 * torch.randn(trials, *shape, generator=draws) for shape in shapes]
    targets = torch.randint(WORDS, (ROWS,), generator=draws)
    return [one.requires_grad_() for one in factors], targets, torch.rand(ROWS, generator=draws)


def expected(factors: list[Tensor], targets: Tensor) -> Tensor:
    return cross_entropy(linear(*factors), targets, reduction="none")


@pytest.mark.parametrize("block", [1, 5 * WORDS, 1000 * WORDS])
@pytest.mark.parametrize("cached", [1, 2 * WORDS, 1000 * WORDS])
def test_it_is_the_cross_entropy_however_it_is_cut(
    block: int, cached: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BLOCK", block)
    monkeypatch.setattr(module, "CACHED", cached)
    factors, targets, weight = arrays()
    alone = [one[0] for one in factors]
    costs, reference = softmax_cost(Logits(*alone), targets), expected(alone, targets)
    torch.testing.assert_close(costs, reference)
    found = torch.autograd.grad(costs, factors, weight)
    torch.testing.assert_close(found, torch.autograd.grad(reference, factors, weight))


def test_a_stack_has_the_bits_of_each_trial_alone() -> None:
    factors, targets, weight = arrays(3)
    costs = vmap(lambda *one: softmax_cost(Logits(*one), targets))(*factors)
    found = torch.autograd.grad(costs, factors, weight.expand_as(costs))
    for i in range(3):
        alone = [one[i].detach().clone().requires_grad_() for one in factors]
        own = softmax_cost(Logits(*alone), targets)
        assert torch.equal(own, costs[i])
        gradients = torch.autograd.grad(own, alone, weight)
        assert all(torch.equal(a, b[i]) for a, b in zip(gradients, found, strict=True))


def test_large_logits_cost_a_finite_number() -> None:
    logits = Logits(torch.ones(1, 1), torch.tensor([[300.0], [-300.0]]), torch.zeros(2))
    assert softmax_cost(logits, torch.tensor([0])).item() == 0.0
    assert softmax_cost(logits, torch.tensor([1])).item() == 600.0


@pytest.mark.parametrize("scale", [0.01, 1.0, 10.0])  # at the last, probabilities underflow
def test_it_is_as_exact_as_float32_can_be(scale: float) -> None:
    factors, targets, weight = arrays()
    found = [(scale * one[0].detach()).requires_grad_() for one in factors]
    exact = [one.detach().double().requires_grad_() for one in found]
    costs, reference = softmax_cost(Logits(*found), targets), expected(exact, targets)
    torch.testing.assert_close(costs.double(), reference, rtol=1e-5, atol=1e-5)
    gradients = torch.autograd.grad(costs, found, weight)
    right = torch.autograd.grad(reference, exact, weight.double())
    for one, other in zip(gradients, right, strict=True):
        torch.testing.assert_close(one.double(), other, rtol=1e-4, atol=1e-5 * scale)


def test_logits_that_are_asked_for_are_the_layers() -> None:
    factors, _, _ = arrays()
    alone = [one[0] for one in factors]
    torch.testing.assert_close(Logits(*alone).compute(), linear(*alone))


def test_a_logit_that_is_not_finite_costs_no_finite_number() -> None:
    logits = Logits(torch.ones(1, 1), torch.tensor([[float("inf")], [0.0]]), torch.zeros(2))
    assert not torch.isfinite(softmax_cost(logits, torch.tensor([1]))).any()


def test_a_second_gradient_is_refused() -> None:
    """The first one took the place of the logits."""
    factors, targets, weight = arrays()
    costs = softmax_cost(Logits(*(one[0] for one in factors)), targets)
    torch.autograd.grad(costs, factors, weight, retain_graph=True)
    with pytest.raises(RuntimeError, match="inplace"):
        torch.autograd.grad(costs, factors, weight)
