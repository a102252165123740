"""The softmax's cost: PyTorch's layers in float64 to rounding, the same bits in a stack."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.func import vmap
from torch.nn import functional

from adam_repro.kernels import softmax_cost as kernel
from adam_repro.kernels.softmax_cost import Logits, softmax_cost

CLASSES, WIDTH, N = 37, 5, 9
TARGETS = torch.arange(N) * 4
WEIGHT = torch.linspace(0.5, 1.5, N) / N


def factors(*trials: int, scale: float = 1.0) -> list[Tensor]:
    draws = torch.Generator().manual_seed(2)
    shapes = ((N, WIDTH), (CLASSES, WIDTH), (CLASSES,))
    drawn = (scale * torch.randn(*trials, *shape, generator=draws) for shape in shapes)
    return [each.requires_grad_() for each in drawn]


@pytest.mark.parametrize("scale", [0.01, 1.0, 10.0])  # at the last, probabilities underflow
def test_costs_and_gradients_are_the_layers(scale: float) -> None:
    found = factors(scale=scale)
    exact = [each.detach().double().requires_grad_() for each in found]
    costs = softmax_cost(Logits(*found), TARGETS)
    logits = functional.linear(*exact)
    expected = functional.cross_entropy(logits, TARGETS, reduction="none")
    torch.testing.assert_close(costs.double(), expected, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(Logits(*found).compute().double(), logits, rtol=1e-4, atol=1e-4)
    slopes = torch.autograd.grad(costs, found, WEIGHT)
    right = torch.autograd.grad(expected, exact, WEIGHT.double())
    for one, other in zip(slopes, right, strict=True):
        torch.testing.assert_close(one.double(), other, rtol=1e-4, atol=1e-5 * scale)


def test_a_trial_in_a_stack_has_the_bits_of_a_trial_alone() -> None:
    stacked = factors(3)
    costs = vmap(lambda *one: softmax_cost(Logits(*one), TARGETS))(*stacked)
    slopes = torch.autograd.grad(costs, stacked, WEIGHT.expand(3, N))
    for i in range(3):
        alone = [each[i].detach().requires_grad_() for each in stacked]
        cost = softmax_cost(Logits(*alone), TARGETS)
        assert torch.equal(cost, costs[i])
        for one, other in zip(torch.autograd.grad(cost, alone, WEIGHT), slopes, strict=True):
            assert torch.equal(one, other[i])


def test_without_onednn_a_stack_is_one_product(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a GPU: the same numbers as trial by trial, to rounding."""
    monkeypatch.setattr(kernel, "ONEDNN", False)
    stacked = factors(3)
    costs = vmap(lambda *one: softmax_cost(Logits(*one), TARGETS))(*stacked)
    slopes = torch.autograd.grad(costs, stacked, WEIGHT.expand(3, N))
    for i in range(3):
        exact = [each[i].detach().double().requires_grad_() for each in stacked]
        expected = functional.cross_entropy(functional.linear(*exact), TARGETS, reduction="none")
        torch.testing.assert_close(costs[i].double(), expected, rtol=1e-5, atol=1e-5)
        right = torch.autograd.grad(expected, exact, WEIGHT.double())
        for one, other in zip(slopes, right, strict=True):
            torch.testing.assert_close(one[i].double(), other, rtol=1e-4, atol=1e-5)
