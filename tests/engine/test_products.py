"""The shared product of a stack's narrow layers: a linear map, to the bit whoever is beside it."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from adam_repro.engine.products import share_inputs

X = torch.randn(128, 784, generator=torch.Generator().manual_seed(0))
W = torch.randn(21, 10, 784, generator=torch.Generator().manual_seed(1))
B = torch.randn(21, 10, generator=torch.Generator().manual_seed(2))


def products(weights: Tensor, biases: Tensor, x: Tensor = X) -> tuple[Tensor, Tensor]:
    """The layer's outputs for every trial, and the gradient of half their squares."""
    layer = nn.Linear(784, 10, device="meta")
    share_inputs(layer)
    weights = weights.clone().requires_grad_()
    batched = 0 if x.ndim == 3 else None

    def one(weight: Tensor, bias: Tensor, x: Tensor) -> Tensor:
        return functional_call(layer, {"weight": weight, "bias": bias}, (x,))

    found = vmap(one, in_dims=(0, 0, batched))(weights, biases, x)
    (gradient,) = torch.autograd.grad(0.5 * found.square().sum(), weights)
    return found.detach(), gradient


@pytest.mark.parametrize("x", [X, X.expand(21, 128, 784)], ids=["shared", "own"])
def test_it_is_the_linear_map_and_so_is_its_gradient(x: Tensor) -> None:
    found, gradient = products(W, B, x)
    expected = X @ W.transpose(1, 2) + B[:, None]
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(gradient, expected.transpose(1, 2) @ X, rtol=1e-3, atol=1e-2)


@pytest.mark.parametrize("members", [[0], [20], [3, 4], list(range(5, 21)), [20, 7, 0]])
def test_the_company_of_a_trial_changes_no_bit(members: list[int]) -> None:
    whole, whole_gradient = products(W, B)
    found, gradient = products(W[members], B[members])
    assert torch.equal(found, whole[members])
    assert torch.equal(gradient, whole_gradient[members])


def test_a_wide_layer_is_left_as_it_is() -> None:
    wide = nn.Linear(784, 1000, device="meta")
    share_inputs(wide)
    assert "forward" not in vars(wide)
