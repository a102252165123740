"""The GPU's pooling: interpreted on a CPU, and compiled for a GPU that is not there."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType

import pytest
import torch
from torch.func import vmap

from adam_repro.kernels import max_pool
from tests.helpers import interpret
from tests.kernels.pooling_cases import pictures, pytorch_max_pool

pytest.importorskip("triton")

#: n, channels, height, width: whole windows, windows over either edge, more than one block, one window.
SHAPES = [(2, 3, 9, 9), (2, 5, 8, 9), (1, 64, 11, 8), (3, 1, 3, 3), (1, 7, 4, 16)]


@pytest.fixture
def interpreted(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    yield from interpret(max_pool, monkeypatch)


@pytest.mark.slow
@pytest.mark.parametrize("laid", [torch.channels_last, torch.contiguous_format], ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_it_is_pytorchs(
    interpreted: ModuleType, shape: tuple[int, ...], laid: torch.memory_format
) -> None:
    x = pictures(shape, laid)
    mine, wanted = interpreted.MaxPool.apply(x)[0], pytorch_max_pool(x)
    torch.testing.assert_close(mine, wanted, rtol=0, atol=0)
    assert mine.shape[2:] == tuple(interpreted.pooled_size(side) for side in shape[2:])
    slope = torch.randn(mine.shape)
    found, expected = (torch.autograd.grad(y, x, slope)[0] for y in (mine, wanted))
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-6)


def test_what_is_not_finite_comes_through(interpreted: ModuleType) -> None:
    x = torch.randn(1, 2, 9, 9)
    x[0, 0, 4, 4], x[0, 1, 0, 0], x[0, 1, 6:, 6:] = torch.nan, torch.inf, -torch.inf
    mine = interpreted.MaxPool.apply(x)[0]
    torch.testing.assert_close(mine, pytorch_max_pool(x), rtol=0, atol=0, equal_nan=True)
    assert mine.isnan().sum() == 4


def test_a_stack_is_its_trials(interpreted: ModuleType) -> None:
    x = pictures((3, 2, 4, 9, 9), torch.contiguous_format)
    mine, wanted = vmap(lambda y: interpreted.MaxPool.apply(y)[0])(x), vmap(pytorch_max_pool)(x)
    torch.testing.assert_close(mine, wanted, rtol=0, atol=0)
    slope = torch.randn(mine.shape)
    found, expected = (torch.autograd.grad(y, x, slope)[0] for y in (mine, wanted))
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["_forward", "_backward"])
def test_it_compiles_for_a_gpu(name: str) -> None:
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource, compile

    kernel = getattr(max_pool, name)
    sizes = {"height": 32, "width": 32, "rows": 16, "columns": 16, "channels": 64}
    kinds = dict.fromkeys(kernel.arg_names, "*fp32")
    kinds |= dict.fromkeys((*sizes, "block"), "constexpr") | {"place": "*i8"}
    source = ASTSource(kernel, kinds, {**sizes, "block": max_pool.BLOCK})
    text = compile(source, target=GPUTarget("cuda", 90, 32)).asm["ptx"]
    assert "atom" not in text  # nothing is summed in an order of chance
    assert "red." not in text


def test_a_cpu_is_not_offered_it() -> None:
    assert not max_pool.available(torch.device("cpu"))
    x = pictures((1, 1, 8, 8), torch.contiguous_format)
    torch.testing.assert_close(max_pool.max_pool(x), pytorch_max_pool(x), rtol=0, atol=0)
