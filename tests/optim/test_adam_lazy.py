"""Lazy Adam: SparseAdam on an embedding, Adam wherever every coordinate has a gradient."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn

from adam_repro.optim import Adam, LazyAdam, apply, init_state
from adam_repro.optim.rule import prepare
from tests.optim.references import defaults, stack

VOCABULARY, WIDTH = 50, 6


def look_up(embedding: nn.Embedding, optimizer: torch.optim.Optimizer, steps: int) -> Tensor:
    """Train an embedding on minibatches of words, the first ones frequent and the last ones rare."""
    generator = torch.Generator().manual_seed(0)
    frequencies = 1 / torch.arange(1.0, VOCABULARY + 1) ** 2
    target = torch.randn(VOCABULARY, WIDTH, generator=generator, dtype=embedding.weight.dtype)
    for _ in range(steps):
        words = torch.multinomial(frequencies, 8, replacement=True, generator=generator)
        optimizer.zero_grad()
        (embedding(words) - target[words]).square().sum().backward()
        optimizer.step()
    return embedding.weight.detach()


def embedding(sparse: bool, dtype: torch.dtype = torch.float64) -> nn.Embedding:
    torch.manual_seed(1)
    return nn.Embedding(VOCABULARY, WIDTH, sparse=sparse, dtype=dtype)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_it_is_sparse_adam_on_an_embedding(dtype: torch.dtype) -> None:
    ours, theirs = embedding(False, dtype), embedding(True, dtype)
    start = ours.weight.detach().clone()
    a = look_up(ours, LazyAdam(ours.parameters(), lr=0.05, form="efficient"), 300)
    b = look_up(theirs, torch.optim.SparseAdam(theirs.parameters(), lr=0.05), 300)
    tolerance = 1e-4 if dtype == torch.float32 else 1e-11
    torch.testing.assert_close(a, b, rtol=tolerance, atol=tolerance)
    dense = embedding(False, dtype)
    c = look_up(dense, Adam(dense.parameters(), lr=0.05, form="efficient"), 300)
    assert (a - c).abs().max() > 1e-2  # the test can tell them apart
    never = (a == start).all(1)
    assert 0 < never.sum() < VOCABULARY  # a word that was never looked up has not moved


@pytest.mark.parametrize("shape", [(7, 5), (2, 200_001)])
def test_it_is_adam_to_the_bit_where_every_coordinate_has_a_gradient(
    shape: tuple[int, int],
) -> None:
    start = torch.randn(shape)
    lazy, dense = nn.Parameter(start.clone()), nn.Parameter(start.clone())
    a, b = LazyAdam([lazy], lr=0.1), Adam([dense], lr=0.1)
    for _ in range(20):
        lazy.grad = torch.randn(shape)
        dense.grad = lazy.grad.clone()
        a.step()
        b.step()
    assert torch.equal(lazy, dense)
    for slot in ("m", "v"):
        assert torch.equal(a.state[lazy][slot], b.state[dense][slot])


def test_a_stack_is_adam_to_the_bit_where_every_coordinate_has_a_gradient() -> None:
    h = stack("adam_lazy", [defaults("adam_lazy"), defaults("adam_lazy", lr=0.1, beta1=0.3)])
    start, gradients = torch.randn(2, 4001), torch.randn(10, 2, 4001)
    found = []
    for method in (LazyAdam, Adam):
        theta, state = start.clone(), init_state(method, start)
        for t, g in enumerate(gradients, start=1):
            apply(method, theta, g, state, h, t)
        found.append((theta, state["m"], state["v"]))
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))


@pytest.mark.parametrize("stacked", [False, True])
def test_what_has_no_gradient_stays_as_it_is(stacked: bool) -> None:
    """Parameters and moments, after they have moved; Adam goes on moving."""
    h = defaults("adam_lazy", lr=0.1)
    h = stack("adam_lazy", [h, h]) if stacked else h
    start = torch.randn(2, 9) if stacked else torch.randn(9)
    theta, state = start.clone(), init_state(LazyAdam, start)
    apply(LazyAdam, theta, torch.randn(start.shape), state, h, 1)
    before = [x.clone() for x in (theta, *state.values())]
    g = torch.randn(start.shape)
    g[..., :4] = 0.0
    apply(LazyAdam, theta, g, state, h, 2)
    for x, old in zip((theta, *state.values()), before, strict=True):
        assert torch.equal(x[..., :4], old[..., :4])
        assert (x[..., 4:] != old[..., 4:]).all()


def test_the_bias_corrections_count_every_step() -> None:
    """A coordinate that is first touched in step 10 takes a larger step than one touched in step 1."""
    p = nn.Parameter(torch.zeros(2, dtype=torch.float64))
    optimizer = LazyAdam([p], lr=0.1, eps=0.0)
    for step in range(1, 11):
        p.grad = torch.tensor([0.0, 0.0] if 1 < step < 10 else [step == 1, step == 10]).double()
        optimizer.step()
    alpha = [0.1 * (1 - 0.999**t) ** 0.5 / (1 - 0.9**t) * 0.1 / 0.001**0.5 for t in (1, 10)]
    torch.testing.assert_close(p.detach(), -torch.tensor(alpha, dtype=torch.float64))


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 1.0])
def test_the_kernel_is_the_update_whatever_the_share_of_coordinates_with_a_gradient(
    share: float,
) -> None:
    """One trial on a CPU; its tensor is longer than a block, and some blocks have no gradient at all."""
    h = defaults("adam_lazy", lr=0.1)
    start = torch.randn(600_000)
    a, b = start.clone(), start.clone()
    kernel, update = init_state(LazyAdam, start), init_state(LazyAdam, start)
    for t in range(1, 4):
        g = torch.randn(start.shape) * (torch.rand(start.shape) < share)
        g[:300_000] *= share == 1.0
        c = prepare(LazyAdam, h, t, start.dtype)
        LazyAdam.kernel(a, g, SimpleNamespace(**kernel), c)
        LazyAdam.update(b, g, SimpleNamespace(**update), c)
    torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)
    for slot in ("m", "v"):
        torch.testing.assert_close(kernel[slot], update[slot], rtol=1e-5, atol=1e-7)
    assert torch.equal(a, start) is (share == 0.0)
