"""Rows of a table by their numbers, for one trial or for a stack that shares the numbers.

Under ``vmap`` PyTorch's own embedding offsets the numbers by trial, in a gather over the whole stack.
Its gradient takes up to 20 times as long as the one here.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from adam_repro.kernels import twice


class _Rows(torch.autograd.Function):
    """weight[..., rows, :] for weight [V, m] or [S, V, m], and rows int [n] without a trial axis."""

    @staticmethod
    def forward(weight: Tensor, rows: Tensor) -> Tensor:
        return weight.index_select(-2, rows)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
        weight, rows = inputs
        ctx.shape = weight.shape
        ctx.save_for_backward(rows)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (rows,) = ctx.saved_tensors
        table = gradient.new_zeros(ctx.shape)
        if not table.is_cuda:
            return table.index_add_(-2, rows, gradient), None
        # There index_add_ adds in any order. This sorts first, and gives the same bits every time.
        trials = (
            () if table.dim() == 2 else (torch.arange(len(table), device=table.device)[:, None],)
        )
        return table.index_put_((*trials, rows), gradient, accumulate=True), None

    @staticmethod
    def vmap(
        info: Any, in_dims: tuple[int | None, int | None], weight: Tensor, rows: Tensor
    ) -> tuple[Tensor, int]:
        of_weight, of_rows = in_dims
        assert of_weight is not None
        assert of_rows is None, "the trials share their minibatch"
        return _Rows.apply(weight.movedim(of_weight, 0), rows), 0


def embedding(weight: Tensor, rows: Tensor) -> Tensor:
    """The rows [..., m] of ``weight`` [V, m] that the whole numbers ``rows`` [...] name."""
    if twice.asked():
        return torch.nn.functional.embedding(rows, weight)
    return _Rows.apply(weight, rows.flatten()).unflatten(0, rows.shape)
