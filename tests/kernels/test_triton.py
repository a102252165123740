"""Whether kernels of our own are used is found out by trying, not by believing."""

from __future__ import annotations

import pytest
import torch

from adam_repro.kernels import triton

GPU = torch.device("cuda")


def broken() -> None:
    raise RuntimeError("no compiler here")


def test_what_compiles_is_used_and_what_fails_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(triton, "triton", object())
    assert triton.compiles(GPU, lambda: None)
    assert not triton.compiles(GPU, broken)


def test_without_a_gpu_or_triton_nothing_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[int] = []
    assert not triton.compiles(torch.device("cpu"), lambda: tried.append(1))
    monkeypatch.setattr(triton, "triton", None)
    assert not triton.compiles(GPU, lambda: tried.append(1))
    assert tried == []
