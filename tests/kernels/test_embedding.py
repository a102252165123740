"""Rows of a table: the same numbers and gradients as PyTorch's own embedding, alone and in a stack."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.func import vmap
from torch.nn import functional

from adam_repro.kernels.embedding import embedding

WORDS = torch.tensor([[0, 4, 4], [2, 4, 0]])


def table(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1)).requires_grad_()


def test_it_is_pytorchs_embedding_and_its_gradient() -> None:
    weight, slopes = table(5, 3), torch.randn(2, 3, 3)
    found, expected = embedding(weight, WORDS), functional.embedding(WORDS, weight)
    assert torch.equal(found, expected)
    gradients = [torch.autograd.grad(output, weight, slopes)[0] for output in (found, expected)]
    torch.testing.assert_close(*gradients)
    assert (gradients[0][[1, 3]] == 0).all()


def test_a_trial_in_a_stack_has_the_bits_of_a_trial_alone() -> None:
    weights, slopes = table(4, 5, 3), torch.randn(4, 2, 3, 3)
    stacked = vmap(lambda weight: embedding(weight, WORDS))(weights)
    (gradient,) = torch.autograd.grad(stacked, weights, slopes)
    for i in range(4):
        alone = weights[i].detach().requires_grad_()
        output = embedding(alone, WORDS)
        assert torch.equal(stacked[i], output)
        assert torch.equal(gradient[i], torch.autograd.grad(output, alone, slopes[i])[0])
