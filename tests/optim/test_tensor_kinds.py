"""Parameters that are not PyTorch's plain contiguous float32 tensors, and what autograd sees of a step."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.fx.experimental.proxy_tensor import make_fx
from torch.utils._pytree import tree_map

from adam_repro.kernels import fused_update
from adam_repro.optim import OPTIMIZERS, Adam, apply, init_state, ops
from tests.optim.references import defaults

every_method = pytest.mark.parametrize("name", OPTIMIZERS)


class CopyingViews(Tensor):
    """A tensor whose views are copies of its data, as a sharded tensor's may be."""

    inner: Tensor

    @staticmethod
    def __new__(cls, inner: Tensor) -> CopyingViews:
        made = Tensor._make_wrapper_subclass(
            cls, inner.shape, dtype=inner.dtype, device=inner.device, strides=inner.stride()
        )
        made.inner = inner
        return made

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        def unwrap(x: Any) -> Any:
            return x.inner if isinstance(x, CopyingViews) else x

        def wrap(x: Any) -> Any:
            return CopyingViews(x.clone()) if isinstance(x, Tensor) else x

        out = func(*tree_map(unwrap, args), **tree_map(unwrap, kwargs or {}))
        written = (kwargs or {}).get("out", args[0] if func._schema.is_mutable else None)
        return written if written is not None else tree_map(wrap, out)


@pytest.mark.slow
@every_method
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_a_subclass_whose_views_copy_is_trained(name: str, dtype: torch.dtype) -> None:
    start = torch.randn(6, 4).to(dtype)
    plain, wrapped = nn.Parameter(start.clone()), nn.Parameter(CopyingViews(start.clone()))
    assert type(wrapped) is not nn.Parameter
    a, b = (OPTIMIZERS[name]([p], lr=0.01) for p in (plain, wrapped))
    for _ in range(3):
        plain.grad = torch.randn(6, 4).to(dtype)
        wrapped.grad = CopyingViews(plain.grad.clone())
        a.step()
        b.step()
    inside = wrapped.data.inner
    torch.testing.assert_close(
        inside, plain.data, rtol=1e-5, atol=1e-3 if dtype.itemsize == 2 else 1e-6
    )
    assert not torch.equal(inside, start)


def layouts(x: Tensor) -> list[Tensor]:
    """The same numbers in other layouts: channels_last, transposed, every second element."""
    spread = torch.zeros(*x.shape[:-1], 2 * x.shape[-1], dtype=x.dtype)
    spread[..., ::2] = x
    transposed = x.transpose(0, 1).contiguous().transpose(0, 1)
    return [x.to(memory_format=torch.channels_last), transposed, spread[..., ::2]]


@every_method
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_the_answer_does_not_depend_on_the_layout(name: str, dtype: torch.dtype) -> None:
    start, gradients = torch.randn(2, 4, 3, 5).to(dtype), torch.randn(5, 2, 4, 3, 5).to(dtype)
    gradients[:, :, 1] = 0.0
    found = []
    for p in map(nn.Parameter, [start.clone(), *layouts(start)]):
        optimizer = OPTIMIZERS[name]([p], lr=4.0 if name == "adadelta" else 0.01)
        for g in gradients:
            p.grad = g.clone()
            optimizer.step()
        found.append(p.detach())
    for other in found[1:]:
        torch.testing.assert_close(other, found[0], rtol=0, atol=0)
    assert found[0].isfinite().all()
    assert not torch.equal(found[0], start)


@every_method
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("contiguous", [True, False])
def test_in_half_precision_a_coordinate_without_gradient_stays(
    name: str, dtype: torch.dtype, contiguous: bool
) -> None:
    p = nn.Parameter(
        torch.ones(6, 4, dtype=dtype) if contiguous else torch.ones(4, 6, dtype=dtype).t()
    )
    more = (
        {"eps": 0.0}
        if name not in ("adadelta",) and "eps" in OPTIMIZERS[name].hyperparameters
        else {}
    )
    more |= {"weight_decay": 0.0} if "weight_decay" in OPTIMIZERS[name].hyperparameters else {}
    optimizer = OPTIMIZERS[name]([p], **{"lr": 4.0 if name == "adadelta" else 0.1, **more})
    for _ in range(3):
        p.grad = torch.randn(6, 4, dtype=dtype)
        p.grad[2:4] = 0.0
        optimizer.step()
    assert (p[2:4] == 1.0).all()
    assert p.isfinite().all()
    assert (p[:2] != 1.0).any()


@every_method
def test_half_precision_is_single_precision_rounded_once(name: str) -> None:
    start, g = torch.randn(9, 5), torch.randn(9, 5)
    moved = []
    for dtype in (torch.float32, torch.float16):
        p = nn.Parameter(start.half().to(dtype))
        p.grad = g.half().to(dtype)
        OPTIMIZERS[name]([p], lr=0.25).step()
        moved.append(p.detach())
    torch.testing.assert_close(moved[1], moved[0].half(), rtol=2**-11, atol=1e-6)


@every_method
@pytest.mark.parametrize("contiguous", [True, False])
def test_a_graph_of_before_the_step_is_told_that_it_is_stale(name: str, contiguous: bool) -> None:
    p = nn.Parameter(torch.ones(3, 2) if contiguous else torch.ones(2, 3).t())
    optimizer = OPTIMIZERS[name]([p])
    loss = p.square().sum()
    p.grad = torch.ones_like(p)
    version = p._version
    optimizer.step()
    assert p._version > version
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()
    moments = {slot: optimizer.state[p][slot]._version for slot in optimizer.slots}
    optimizer.step()
    assert all(optimizer.state[p][slot]._version > v for slot, v in moments.items())


def test_the_triton_kernel_raises_the_version_counters(monkeypatch: pytest.MonkeyPatch) -> None:
    class Launched:
        def __getitem__(self, grid: Any) -> Any:
            return lambda *given: None

    pytest.importorskip("triton")
    monkeypatch.setattr(fused_update, "_step", Launched())
    theta, m, v = (torch.zeros(4) for _ in range(3))
    before = [x._version for x in (theta, m, v)]
    fused_update.step_("adam", theta, torch.ones(4), (m, v), (1.0,) * 4)
    assert [x._version for x in (theta, m, v)] == [version + 1 for version in before]


@pytest.mark.slow
@every_method
def test_fake_tensors_are_stepped_and_leave_no_trace(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As memory estimators do it; then a real model is trained as ever."""
    monkeypatch.setattr(ops, "_ENDLESS", {})  # as in a fresh process
    method = OPTIMIZERS[name]
    with FakeTensorMode():
        model = nn.Sequential(nn.Linear(5, 4), nn.Linear(4, 1))
        optimizer = method(model.parameters(), lr=torch.tensor(0.1))
        for _ in range(3):
            model(torch.randn(2, 5)).sum().backward()
            optimizer.step()
    real, alone = nn.Parameter(torch.ones(3)), nn.Parameter(torch.ones(3))
    with FakeTensorMode(allow_non_fake_inputs=True):  # a kernel's constant is made under the mode
        ops._endless(torch.device("cpu"))
    for p in (real, alone):
        p.grad = torch.ones(3)
        method([p]).step()
    assert type(real.data) is Tensor
    assert torch.equal(real, alone)
    assert (real != 1).all()


@pytest.mark.slow
@every_method
@pytest.mark.parametrize("mode", ["real", "fake", "symbolic"])
def test_a_step_can_be_traced_by_make_fx(
    name: str, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ops, "_ENDLESS", {})
    method, h = OPTIMIZERS[name], defaults(name)

    def one_step(theta: Tensor, g: Tensor, *slots: Tensor) -> list[Tensor]:
        theta, *slots = (x.clone() for x in (theta, *slots))
        apply(method, theta, g, dict(zip(method.slots, slots, strict=True)), h, 1)
        return [theta, *slots]

    theta, g = torch.randn(7), torch.randn(7)
    slots = list(init_state(method, theta).values())
    with torch.no_grad():
        traced = make_fx(one_step, tracing_mode=mode)(theta, g, *slots)
        torch.testing.assert_close(traced(theta, g, *slots), one_step(theta, g, *slots))
    assert all(type(x) is Tensor for x in ops._ENDLESS.values())


def test_every_type_of_parameter_in_one_group() -> None:
    shapes: list[tuple[int, ...]] = [(3, 4), (4,), (), (0,), (2, 3, 5)]
    dtypes = [torch.float32, torch.float64, torch.bfloat16, torch.float16]
    params = [nn.Parameter(torch.ones(shape, dtype=dtype)) for shape in shapes for dtype in dtypes]
    params.append(nn.Parameter(CopyingViews(torch.ones(3))))
    optimizer = Adam(params, lr=0.125)
    for p in params:
        p.grad = torch.ones_like(p)
    optimizer.step()
    for p in params[:-1]:
        torch.testing.assert_close(p.detach().double(), torch.full(p.shape, 0.875).double())
    torch.testing.assert_close(params[-1].data.inner, torch.full((3,), 0.875))
