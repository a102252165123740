"""The first convolution as a product: interpreted on a CPU, and compiled for a GPU that is not there."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType

import pytest
import torch
from torch.func import vmap
from torch.nn.functional import conv2d

from adam_repro.kernels import patch_conv
from tests.helpers import interpret

pytest.importorskip("triton")

SHAPES = [(2, 3, 8, 9), (1, 1, 16, 16), (3, 4, 3, 2), (2, 2, 1, 1)]  # n, channels, height, width


@pytest.fixture
def interpreted(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    for module in interpret(patch_conv, monkeypatch):
        monkeypatch.setattr(module, "available", lambda _: True)
        yield module


@pytest.fixture
def laid(interpreted: ModuleType, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many columns each call has laid out."""
    calls: list[int] = []
    own = interpreted.patches

    def counted(x: torch.Tensor) -> torch.Tensor:
        out = own(x)
        calls.append(out.shape[1])
        return out

    monkeypatch.setattr(interpreted, "patches", counted)
    return calls


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_it_is_pytorchs(interpreted: ModuleType, laid: list[int], shape: tuple[int, ...]) -> None:
    x = torch.randn(shape)
    weight = torch.randn(7, shape[1], 5, 5, requires_grad=True)
    mine, wanted = interpreted.convolve(x, weight), conv2d(x, weight, padding=2)
    torch.testing.assert_close(mine, wanted, rtol=1e-5, atol=1e-5)
    assert mine.is_contiguous(memory_format=torch.channels_last)
    slope = torch.randn_like(wanted)
    found, expected = (torch.autograd.grad(y, weight, slope)[0] for y in (mine, wanted))
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-4)
    assert laid == [16 * -(-25 * shape[1] // 16)]


def test_a_stack_shares_its_patches(interpreted: ModuleType, laid: list[int]) -> None:
    x, weights = torch.randn(2, 3, 6, 6), torch.randn(4, 5, 3, 5, 5, requires_grad=True)
    mine = vmap(lambda weight: interpreted.convolve(x, weight))(weights)
    wanted = torch.stack([conv2d(x, weight, padding=2) for weight in weights])
    torch.testing.assert_close(mine, wanted, rtol=1e-5, atol=1e-5)
    assert len(laid) == 1


def test_where_patches_do_not_pay_there_are_none(interpreted: ModuleType, laid: list[int]) -> None:
    few, many = torch.randn(1, 3, 4, 4), torch.randn(1, interpreted.FEW + 1, 4, 4)
    weights = {x: torch.randn(2, x.shape[1], 5, 5, requires_grad=True) for x in (few, many)}
    interpreted.convolve(many, weights[many])
    with torch.no_grad():
        interpreted.convolve(few, weights[few])
    asked = few.clone().requires_grad_()
    (slope,) = torch.autograd.grad(interpreted.convolve(asked, weights[few]).sum(), asked)
    assert slope.abs().sum() > 0
    interpreted.convolve(few.double(), weights[few].double())
    assert laid == []


def test_it_compiles_for_a_gpu() -> None:
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource, compile

    sizes = {"height": 32, "width": 32, "channels": 3, "columns": 80, "side": 5, "margin": 2}
    kinds = {"x": "*fp32", "out": "*fp32", **dict.fromkeys((*sizes, "block"), "constexpr")}
    source = ASTSource(patch_conv._lay_out, kinds, {**sizes, "block": patch_conv.BLOCK})
    assert compile(source, target=GPUTarget("cuda", 90, 32)).asm["ptx"]


def test_a_cpu_is_not_offered_it() -> None:
    assert not patch_conv.available(torch.device("cpu"))
