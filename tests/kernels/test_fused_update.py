"""The one-pass updates of a stack: interpreted on a CPU, and compiled for a GPU that is not there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from types import ModuleType, SimpleNamespace

import pytest
import torch

from adam_repro.kernels import fused_update
from adam_repro.optim import OPTIMIZERS, init_state, rule
from tests.helpers import interpret
from tests.optim.references import defaults

pytest.importorskip("triton")

TRIALS, LENGTH = 3, 2500  # more than two blocks, the last one not full
SCALARS = ("c1", "c2", "c3", "c4")


@pytest.fixture
def interpreted(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    yield from interpret(fused_update, monkeypatch)


def scalars(name: str, h: SimpleNamespace, t: int) -> SimpleNamespace:
    """Those of a step that the device counts."""
    counted = torch.tensor(float(t), dtype=torch.float64)
    return rule.prepare(OPTIMIZERS[name], h, counted, torch.float32)


def stacked(h: SimpleNamespace) -> SimpleNamespace:
    """One hyperparameter a trial, the stepsizes different."""
    numbers = {k: x for k, x in vars(h).items() if isinstance(x, float)}
    columns = {k: torch.full((TRIALS, 1), x, dtype=torch.float64) for k, x in numbers.items()}
    columns["lr"] = torch.tensor([[1e-3], [1e-2], [1e-1]], dtype=torch.float64)
    return SimpleNamespace(**{**vars(h), **columns})


def options(name: str) -> list[dict[str, object]]:
    """What changes the kernel's arithmetic beyond the defaults."""
    more = {"adam": [{"form": "efficient"}], "rmsprop": [{"momentum": 0.9}]}
    return [{}, *more.get(name, [])]


FUSED = [name for name, rule in OPTIMIZERS.items() if rule.stack_kernel is not None]
CASES = [(name, more) for name in FUSED for more in options(name)]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "more"), CASES, ids=str)
@pytest.mark.parametrize("alone", [False, True], ids=["stack", "one trial"])
def test_it_is_the_update(
    interpreted: ModuleType, name: str, more: dict[str, object], alone: bool
) -> None:
    method = OPTIMIZERS[name]
    h = SimpleNamespace(**{**vars(defaults(name)), **more})
    h = h if alone else stacked(h)
    whole = torch.randn(TRIALS, 2 * LENGTH)
    start = whole[:, 100 : 100 + LENGTH]  # rows of a longer vector, as a segment has them
    pick = (lambda x: x[0]) if alone else (lambda x: x)
    found, wanted = whole.clone()[:, 100 : 100 + LENGTH], start.clone()
    mine, theirs = (init_state(method, start) for _ in range(2))
    for t in range(1, 5):
        g = torch.randn(TRIALS, LENGTH)
        g[:, 7] = 0.0  # a coordinate that has never had a gradient does not move
        c = scalars(name, h, t)
        slots = [
            SimpleNamespace(**{slot: pick(x) for slot, x in s.items()}) for s in (mine, theirs)
        ]
        method.stack_kernel(pick(found), pick(g), slots[0], c)
        method.update(pick(wanted), pick(g), slots[1], c)
    torch.testing.assert_close(found, wanted, rtol=1e-6, atol=1e-6)
    for slot, x in theirs.items():
        most = float(x.abs().max())  # far below 1 in AdaDelta's d, above it in sums of gradients
        atol = min(1e-6 * most, 1e-7 * max(1.0, most))
        torch.testing.assert_close(mine[slot], x, rtol=1e-5, atol=atol)
    changed = pick(found) != pick(start)
    assert changed.any(-1).all()
    assert name == "adamw" or not changed[..., 7].any()


def test_a_rule_it_does_not_have_is_told(interpreted: ModuleType) -> None:
    theta = torch.zeros(2, 3)
    with pytest.raises(Exception, match="no such rule"):
        interpreted.step_("newton", theta, theta, (), (1.0,))


@pytest.mark.slow
@pytest.mark.parametrize("on_device", [(1, 1, 1, 1), (1, 1, 0, 0), (1, 0, 0, 0)], ids=str)
@pytest.mark.parametrize("name", FUSED)
def test_it_compiles_for_a_gpu(name: str, on_device: tuple[int, ...]) -> None:
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource, compile

    rule = "adam" if name == "adamw" else name
    kinds = dict.fromkeys(fused_update._step.arg_names, "i32")
    kinds |= dict.fromkeys(("theta", "g", "s1", "s2", "s3"), "*fp32")
    kinds |= {
        scalar: "*fp32" if there else "fp32"
        for scalar, there in zip(SCALARS, on_device, strict=True)
    }
    constants: dict[str, object] = {
        f"{scalar}_on_device": bool(there) for scalar, there in zip(SCALARS, on_device, strict=True)
    }
    constants |= {"rule": rule, "slots": len(OPTIMIZERS[name].slots), "block": fused_update.BLOCK}
    kinds |= dict.fromkeys(constants, "constexpr")
    target = GPUTarget("cuda", 90, 32)
    text = compile(ASTSource(fused_update._step, kinds, constants), target=target).asm["ptx"]
    # Quotient and root are rounded as PyTorch rounds them.
    quotient, root = (bool(re.search(rf"{one}\.rn(\.ftz)?\.f32", text)) for one in ("div", "sqrt"))
    assert quotient is ("sgd" not in name)
    assert root is ("sgd" not in name and name != "adamax")


def test_a_cpu_is_not_offered_it() -> None:
    theta, g = torch.zeros(2, 3), torch.zeros(2, 3)
    assert not fused_update.suits(theta, g, SimpleNamespace())


SHAPES = [(), (0,), (5,), (3, 4, 2, 2), (fused_update.MOST_ROWS + 1, 1)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", ["adagrad", "sgd_nesterov"])
def test_pytorchs_form_takes_parameters_of_any_shape(
    interpreted: ModuleType, monkeypatch: pytest.MonkeyPatch, name: str, shape: tuple[int, ...]
) -> None:
    start, slope = torch.randn(shape), torch.randn(shape)
    own, calls, found = interpreted.step_, [], []
    monkeypatch.setattr(interpreted, "step_", lambda *given: (calls.append(given[0]), own(*given)))
    for there in (True, False):
        monkeypatch.setattr(interpreted, "available", lambda _, there=there: there)
        p = torch.nn.Parameter(start.clone())
        p.grad = slope.clone()
        OPTIMIZERS[name]([p], lr=0.1).step()
        found.append(p.detach())
    torch.testing.assert_close(*found)
    assert calls == ([name] if start.numel() else [])
    assert not start.numel() or not torch.equal(found[0], start)


def test_a_stack_of_more_rows_or_longer_ones_than_it_can_count_is_not_offered_it(
    interpreted: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(interpreted, "available", lambda _: True)
    for rows in (interpreted.MOST_ROWS, interpreted.MOST_ROWS + 1):
        x = torch.zeros(rows, 2)
        assert interpreted.suits(x, x, SimpleNamespace()) is (rows == interpreted.MOST_ROWS)
    long = torch.empty(interpreted.LONGEST + 1, device="meta")
    assert not interpreted.suits(long, long, SimpleNamespace())
    assert interpreted.suits(long[1:], long[1:], SimpleNamespace())
