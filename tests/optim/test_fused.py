"""The one-pass update of a stack: interpreted on a CPU, and compiled for a GPU that is not there."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from types import ModuleType, SimpleNamespace

import pytest
import torch

from adam_repro.optim import METHODS, blocks, fused, init_state
from tests.optim.references import defaults

pytest.importorskip("triton")

TRIALS, LENGTH = 3, 2500  # more than two blocks, the last one not full
SCALARS = ("weight1", "weight2", "alpha", "eps")


@pytest.fixture
def interpreted(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    yield importlib.reload(fused)
    monkeypatch.undo()
    importlib.reload(fused)


def scalars(h: SimpleNamespace, t: int) -> SimpleNamespace:
    """Those of a step that the device counts."""
    return blocks.prepare(
        METHODS["adam"], h, torch.tensor(float(t), dtype=torch.float64), torch.float32
    )


def stacked(h: SimpleNamespace) -> SimpleNamespace:
    """One hyperparameter a trial, the stepsizes different."""
    numbers = {k: x for k, x in vars(h).items() if isinstance(x, float)}
    columns = {k: torch.full((TRIALS, 1), x, dtype=torch.float64) for k, x in numbers.items()}
    columns["lr"] = torch.tensor([[1e-3], [1e-2], [1e-1]], dtype=torch.float64)
    return SimpleNamespace(**{**vars(h), **columns})


@pytest.mark.parametrize("form", ["algorithm1", "efficient"])
@pytest.mark.parametrize("alone", [False, True], ids=["stack", "one trial"])
def test_it_is_the_update(interpreted: ModuleType, form: str, alone: bool) -> None:
    method = METHODS["adam"]
    h = SimpleNamespace(**{**vars(defaults("adam")), "form": form})
    h = h if alone else stacked(h)
    whole = torch.randn(TRIALS, 2 * LENGTH)
    start = whole[:, 100 : 100 + LENGTH]  # rows of a longer vector, as a segment has them
    pick = (lambda x: x[0]) if alone else (lambda x: x)
    found, wanted = (start.clone() for _ in range(2))
    found = whole.clone()[:, 100 : 100 + LENGTH]
    mine, theirs = (init_state(method, start) for _ in range(2))
    for t in range(1, 5):
        g = torch.randn(TRIALS, LENGTH)
        c = scalars(h, t)
        interpreted.adam_(pick(found), pick(g), pick(mine["m"]), pick(mine["v"]), c)
        slots = SimpleNamespace(**{name: pick(slot) for name, slot in theirs.items()})
        method.update(pick(wanted), pick(g), slots, c)
    torch.testing.assert_close(found, wanted, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(mine, theirs, rtol=1e-5, atol=1e-7)
    assert not torch.equal(pick(found), pick(start))


@pytest.mark.parametrize("on_device", [(1, 1, 1, 1), (0, 0, 1, 1), (0, 0, 1, 0)], ids=str)
def test_it_compiles_for_a_gpu(on_device: tuple[int, ...]) -> None:
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource, compile

    kinds = dict.fromkeys(fused._adam.arg_names, "i32")
    kinds |= dict.fromkeys(("theta", "g", "m", "v"), "*fp32")
    kinds |= {
        name: "*fp32" if there else "fp32" for name, there in zip(SCALARS, on_device, strict=True)
    }
    constants: dict[str, object] = {"block": fused.BLOCK}
    for name, there in zip(SCALARS, on_device, strict=True):
        constants[f"{name}_on_device"] = bool(there)
    kinds |= dict.fromkeys(constants, "constexpr")
    target = GPUTarget("cuda", 90, 32)
    text = compile(ASTSource(fused._adam, kinds, constants), target=target).asm["ptx"]
    # Quotient and root are rounded as PyTorch rounds them.
    assert "div.rn.f32" in text
    assert "sqrt.rn.f32" in text


def test_a_cpu_is_not_offered_it() -> None:
    theta, g = torch.zeros(2, 3), torch.zeros(2, 3)
    assert not fused.suits(theta, g, SimpleNamespace())
