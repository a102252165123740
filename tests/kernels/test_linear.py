"""The shared product of a stack's narrow layers: a linear map, to the bit whoever is beside it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from adam_repro.kernels import linear as module
from adam_repro.kernels.linear import dense, share_inputs

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


@pytest.mark.parametrize("x", [X, X.expand(21, 128, 784)], ids=["shared", "own"])
def test_a_wide_layer_of_a_gpu_has_the_same_product_and_gradients_that_lie_as_its_weights(
    x: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ONEDNN", False)
    layer = nn.Linear(784, 200, device="meta")
    share_inputs(layer, every=True)
    assert "forward" in vars(layer)
    weights = torch.randn(21, 200, 784, generator=torch.Generator().manual_seed(3))
    weights.requires_grad_()
    upstream = torch.randn(21, 128, 200, generator=torch.Generator().manual_seed(4))

    def one(weight: Tensor, x: Tensor) -> Tensor:
        bias = torch.zeros(200)
        return functional_call(layer, {"weight": weight, "bias": bias}, (x,))

    found = vmap(one, in_dims=(0, 0 if x.ndim == 3 else None))(weights, x)
    (gradient,) = torch.autograd.grad(found, weights, upstream)
    torch.testing.assert_close(found, X @ weights.transpose(1, 2), rtol=1e-4, atol=1e-3)
    torch.testing.assert_close(gradient, upstream.transpose(1, 2) @ X, rtol=1e-3, atol=1e-2)
    assert gradient.is_contiguous()


@pytest.mark.parametrize("members", [[0], [20], [3, 4], list(range(5, 21)), [20, 7, 0]])
def test_the_company_of_a_trial_changes_no_bit(members: list[int]) -> None:
    whole, whole_gradient = products(W, B)
    found, gradient = products(W[members], B[members])
    assert torch.equal(found, whole[members])
    assert torch.equal(gradient, whole_gradient[members])


ONEDNN = pytest.mark.skipif(not module.ONEDNN, reason="this build of PyTorch has no oneDNN")


def outputs_and_gradients(
    layer: nn.Module, x: Tensor, reduce: Callable[[Tensor], Tensor]
) -> list[Tensor]:
    x = x.clone().requires_grad_()
    found = layer(x)
    return [found.detach(), *torch.autograd.grad(reduce(found), [x, *layer.parameters()])]


@ONEDNN
@pytest.mark.parametrize(
    "reduce", [lambda y: y.square().sum(), torch.sum, lambda y: y.t()[1:3].sum()]
)
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("outputs", [1, 10, 300])
def test_the_product_by_onednn_is_the_linear_map_and_so_are_its_gradients(
    outputs: int, bias: bool, reduce: Callable[[Tensor], Tensor]
) -> None:
    torch.manual_seed(3)
    layer = nn.Linear(784, outputs, bias=bias)
    exact = nn.Linear(784, outputs, bias=bias, dtype=torch.float64)
    exact.load_state_dict(layer.state_dict())
    expected = outputs_and_gradients(exact, X.double(), reduce)
    dense(layer)
    found = outputs_and_gradients(layer, X, reduce)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one.double(), other, rtol=1e-4, atol=1e-5 * other.abs().max())


@ONEDNN
def test_under_vmap_every_trial_has_the_product_it_has_alone() -> None:
    layer = nn.Linear(784, 100, device="meta")
    dense(layer)
    weights, biases = torch.randn(5, 100, 784), torch.randn(5, 100)
    inputs = torch.randn(5, 128, 784)

    def one(weight: Tensor, bias: Tensor, x: Tensor) -> Tensor:
        return functional_call(layer, {"weight": weight, "bias": bias}, (x,))

    weights.requires_grad_()
    for x, dim in ((inputs, 0), (X, None), (inputs.movedim(0, 2).contiguous(), 2)):
        found = vmap(one, in_dims=(0, 0, dim))(weights, biases, x)
        (gradient,) = torch.autograd.grad(found.square().sum(), weights)
        for trial in range(5):
            own = x if dim is None else x.select(dim, trial)
            weight = weights[trial].detach().requires_grad_()
            alone = one(weight, biases[trial], own)
            assert torch.equal(found[trial], alone)
            assert torch.equal(
                gradient[trial], torch.autograd.grad(alone.square().sum(), weight)[0]
            )


@pytest.mark.parametrize("x", [X.double(), X.view(2, 64, 784)], ids=["float64", "three axes"])
def test_what_onednn_is_not_used_for_is_the_ordinary_product(x: Tensor) -> None:
    layer = nn.Linear(784, 10, dtype=x.dtype)
    expected = layer(x)
    dense(layer)
    assert torch.equal(layer(x), expected)


def test_without_onednn_no_layer_is_touched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ONEDNN", False)
    layer = nn.Linear(784, 10)
    dense(layer)
    assert "forward" not in vars(layer)


@pytest.mark.skipif(
    torch.__version__.startswith("2.7."),
    reason="PyTorch 2.7 splits these sums between threads; a trial keeps its number of threads",
)
def test_the_trials_of_a_stack_share_no_sum_between_threads() -> None:
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        one = products(W, B)
        torch.set_num_threads(2)
        two = products(W, B)
    finally:
        torch.set_num_threads(threads)
    assert all(torch.equal(a, b) for a, b in zip(one, two, strict=True))


def test_a_wide_layer_is_left_as_it_is() -> None:
    wide = nn.Linear(784, 1000, device="meta")
    share_inputs(wide)
    assert "forward" not in vars(wide)
