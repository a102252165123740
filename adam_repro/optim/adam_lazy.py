"""Lazy Adam: only coordinates with a gradient are updated, as `torch.optim.SparseAdam` does it."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from adam_repro.kernels import fused_update
from adam_repro.optim.adam import Adam
from adam_repro.optim.ops import add_quotient_
from adam_repro.optim.rule import BLOCK

FEW = 0.2  # share of touched coordinates up to which gathering them is faster than updating all


class LazyAdam(Adam):
    """Adam that leaves parameters and moments alone wherever the gradient is exactly zero.

    Where g_t is not zero, this is `Adam`, with its hyperparameters, bit for bit. Elsewhere

        m_t = m_{t-1}        v_t = v_{t-1}        theta_t = theta_{t-1}

    so that a word's embedding moves only in steps that look the word up. The bias corrections take the step
    count t of the whole parameter, not how often a coordinate was updated, as SparseAdam has it. That one
    updates whatever is listed in a sparse gradient; this one also leaves alone a listed zero.

    An L2 term in the cost gives every coordinate a gradient: then nothing is lazy.
    """

    @staticmethod
    def update(theta: Tensor, g: Tensor, s: Any, c: Any) -> None:
        touched = g != 0  # a NaN is a gradient too
        m, v = s.m.lerp(g, c.one_minus_beta1), s.v.lerp(g * g, c.one_minus_beta2)
        s.m.copy_(torch.where(touched, m, s.m))
        s.v.copy_(torch.where(touched, v, s.v))
        add_quotient_(theta, -c.alpha_t, m.mul_(touched), v.sqrt_().add_(c.eps_hat))

    @staticmethod
    def kernel(theta: Tensor, g: Tensor, s: Any, c: Any) -> None:
        if theta.device.type != "cpu" or _traced():  # where coordinates cannot be counted at once
            suits = fused_update.suits(theta, g, s)
            (LazyAdam.stack_kernel if suits else LazyAdam.update)(theta, g, s, c)
            return
        blocks = [x.view(-1).split(BLOCK) for x in (theta, g, s.m, s.v)]
        for place, slope, m, v in zip(*blocks, strict=True):
            _update_block(place, slope, m, v, c)

    @staticmethod
    def stack_kernel(theta: Tensor, g: Tensor, s: Any, c: Any) -> None:
        scalars = (c.alpha_t, c.eps_hat, c.one_minus_beta1, c.one_minus_beta2)
        fused_update.step_("adam_lazy", theta, g, (s.m, s.v), scalars)


def _traced() -> bool:
    """Whether `make_fx` records what is done, for any gradient."""
    module = sys.modules.get("torch.fx.experimental.proxy_tensor")
    return module is not None and module.get_proxy_mode() is not None


def _update_block(theta: Tensor, g: Tensor, m: Tensor, v: Tensor, c: Any) -> None:
    """The same on a few contiguous coordinates, by Adam's kernel: bit for bit its result where g is not 0."""
    touched = int(g.count_nonzero())
    if touched == len(g):
        Adam.kernel(theta, g, SimpleNamespace(m=m, v=v), c)
    elif touched > FEW * len(g):
        there, before = g != 0, [x.clone() for x in (theta, m, v)]
        Adam.kernel(theta, g, SimpleNamespace(m=m, v=v), c)
        for x, old in zip((theta, m, v), before, strict=True):
            torch.where(there, x, old, out=x)
    elif touched:
        at = g.nonzero().view(-1)
        some, slope, m_some, v_some = [x.index_select(0, at) for x in (theta, g, m, v)]
        Adam.kernel(some, slope, SimpleNamespace(m=m_some, v=v_some), c)
        for x, new in ((theta, some), (m, m_some), (v, v_some)):
            x.index_copy_(0, at, new)
