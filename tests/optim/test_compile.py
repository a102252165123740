"""`torch.compile(optimizer.step)`: one graph a rule, whatever the shapes, the step and the stepsize."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import nn

from adam_repro.optim import OPTIMIZERS

SHAPES = [
    (3, 4),
    (4,),
    (),
    (0,),
    (2, 3, 5),
    (7,),
    (1,),
    (9,),
    (11,),
    (13,),
]  # the recompile limit is 8


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    import torch._dynamo.testing  # here, since it takes a second to import

    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


def parameters(dtype: torch.dtype = torch.float32) -> list[nn.Parameter]:
    torch.manual_seed(0)
    return [nn.Parameter(torch.randn(shape).to(dtype)) for shape in SHAPES]


def give_gradients(seed: int, *lists: list[nn.Parameter]) -> None:
    for params in lists:
        torch.manual_seed(seed)
        for p in params:
            p.grad = torch.randn(p.shape).to(p.dtype)


@pytest.mark.slow
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_rule_is_one_graph_that_is_compiled_once(name: str) -> None:
    eager, compiled = parameters(), parameters()
    lr = torch.tensor(0.01)
    by_hand, optimizer = OPTIMIZERS[name](eager), OPTIMIZERS[name](compiled, lr=lr)
    counter = torch._dynamo.testing.CompileCounterWithBackend("aot_eager")
    step = torch.compile(optimizer.step, backend=counter, fullgraph=True)
    start = [p.detach().clone() for p in compiled]
    for t in range(4):
        by_hand.param_groups[0]["lr"] = 0.01 / (t + 1)
        lr.fill_(0.01 / (t + 1))  # a schedule
        give_gradients(t, eager, compiled)
        by_hand.step()
        version = compiled[0]._version
        step()
        assert compiled[0]._version > version
    assert counter.frame_count == 1
    for a, b, old in zip(compiled, eager, start, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)
        assert not a.numel() or not torch.equal(a, old)
    for p in compiled:
        assert optimizer.state[p]["step"] == 4
    optimizer.step()  # and uncompiled it goes on
    assert optimizer.state[compiled[0]]["step"] == 5


@pytest.mark.slow
@pytest.mark.parametrize("name", ["adam", "adamw", "adagrad", "lion"])
def test_groups_half_precision_and_a_state_of_before(name: str) -> None:
    """Compiled in the middle of training; two groups, one of them in float16."""
    lists = []
    for compiled in (False, True):
        params = [*parameters()[:3], *parameters(torch.float16)[:3]]
        groups = [{"params": params[:3], "lr": 0.1}, {"params": params[3:]}]
        optimizer = OPTIMIZERS[name](groups, lr=0.01)
        give_gradients(0, params)
        optimizer.step()
        counter = torch._dynamo.testing.CompileCounterWithBackend("aot_eager")
        step = torch.compile(optimizer.step, backend=counter) if compiled else optimizer.step
        for t in range(1, 4):
            give_gradients(t, params)
            step()
        assert counter.frame_count == int(compiled)
        lists.append(params)
    for a, b in zip(*lists, strict=True):
        half = a.dtype == torch.float16
        torch.testing.assert_close(a, b, rtol=2e-3 if half else 1e-5, atol=1e-3 if half else 1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["adam", "adamw"])
def test_it_compiles_with_inductor(name: str) -> None:
    inductor = pytest.importorskip("torch._inductor.cpp_builder")
    try:
        inductor.get_cpp_compiler()
    except Exception:
        pytest.skip("no C++ compiler for torch.compile's default backend")
    eager, compiled = parameters()[:3], parameters()[:3]
    by_hand, optimizer = (OPTIMIZERS[name](p, lr=0.01) for p in (eager, compiled))
    step = torch.compile(optimizer.step)
    for t in range(3):
        give_gradients(t, eager, compiled)
        by_hand.step()
        step()
    for a, b in zip(compiled, eager, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)
