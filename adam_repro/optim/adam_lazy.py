"""Lazy Adam: only coordinates with a gradient are updated, as `torch.optim.SparseAdam` does it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from adam_repro.kernels import fused_update
from adam_repro.optim.adam import Adam
from adam_repro.optim.ops import add_quotient_


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
        if theta.device.type != "cpu":  # counting the coordinates would wait for the device
            suits = fused_update.suits(theta, g, s)
            (LazyAdam.stack_kernel if suits else LazyAdam.update)(theta, g, s, c)
            return
        touched = g.view(-1).nonzero().view(-1)
        if len(touched) == g.numel():
            Adam.kernel(theta, g, s, c)
            return
        whole = [x.view(-1) for x in (theta, g, s.m, s.v)]
        some, slope, m, v = [x.index_select(0, touched) for x in whole]
        Adam.kernel(some, slope, SimpleNamespace(m=m, v=v), c)
        for x, new in ((whole[0], some), (whole[2], m), (whole[3], v)):
            x.index_copy_(0, touched, new)

    @staticmethod
    def stack_kernel(theta: Tensor, g: Tensor, s: Any, c: Any) -> None:
        scalars = (c.alpha_t, c.eps_hat, c.one_minus_beta1, c.one_minus_beta2)
        fused_update.step_("adam_lazy", theta, g, (s.m, s.v), scalars)
