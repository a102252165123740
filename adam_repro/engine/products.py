"""The products of narrow linear layers, in the shapes that a CPU computes fastest.

One trial: ``x W^T`` for ten outputs takes half as long again as its transpose ``W x^T``.

A stack: ``vmap`` makes one product a trial, [n, in] by [in, out], which is slow where ``out`` is ten.
Here the weights of several trials are stacked to one matrix. Every product has the same shape, whatever the
length of the stack, so that a trial's numbers do not depend, to the bit, on who is trained beside it.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

# Rows of weights in one product. From about here on a product fills a core's vector units.
ROWS = 80
NARROW = ROWS // 2  # outputs of a layer up to which it is treated here


class _Product(torch.autograd.Function):
    """x W^T for x [n, in] and W [out, in]; under ``vmap`` either may have a trial axis."""

    @staticmethod
    def forward(x: Tensor, weight: Tensor) -> Tensor:
        return x @ weight.t()

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        return gradient @ weight if ctx.needs_input_grad[0] else None, gradient.t() @ x

    @staticmethod
    def vmap(
        info: Any, in_dims: tuple[int | None, int | None], x: Tensor, weight: Tensor
    ) -> tuple[Tensor, int]:
        of_x, of_weight = in_dims
        if of_weight is not None:
            weight = weight.movedim(of_weight, 0)
        if of_x is None and of_weight is not None:
            return _shared(x, weight), 0
        if of_x is not None:
            x = x.movedim(of_x, 0)
        return x @ weight.transpose(-1, -2), 0


def _shared(x: Tensor, weights: Tensor) -> Tensor:
    """x [n, in] times the weights [S, out, in] of every trial: [S, n, out]."""
    return in_groups(weights, x.t()).transpose(1, 2).contiguous()


def in_groups(left: Tensor, right: Tensor) -> Tensor:
    """The products of left [S, rows, k] and right [k, columns], which all trials share.

    As many trials to a product as fill it, the last filled up with zeros.
    """
    trials, rows, width = left.shape
    together = max(1, ROWS // rows)
    missing = -trials % together
    padded = pad(left, (0, 0, 0, 0, 0, missing)) if missing else left
    groups = padded.reshape(-1, together * rows, width)
    # bmm: matmul would fold the groups into one product, whose shape depends on their number.
    products = torch.bmm(groups, right.expand(len(groups), *right.shape))
    return products.view(-1, rows, right.shape[1])[:trials]


def transpose(model: nn.Module) -> None:
    """Let the model's narrow linear layers on [n, in] compute the transpose of their product."""
    for module in _narrow(model):
        module.forward = partial(_transposed, module)  # type: ignore[method-assign]


def _transposed(module: nn.Linear, x: Tensor) -> Tensor:
    if module.bias is None:
        product = torch.mm(module.weight, x.t())
    else:
        product = torch.addmm(module.bias[:, None], module.weight, x.t())
    # What follows goes row by row; on the transpose argmax would take five times as long.
    return product.t().contiguous()


def share_inputs(model: nn.Module) -> None:
    """Let the model's narrow linear layers on [n, in] share their products under ``vmap``."""
    for module in _narrow(model):
        module.forward = partial(_shared_product, module)  # type: ignore[method-assign]


def _shared_product(module: nn.Linear, x: Tensor) -> Tensor:
    product = _Product.apply(x, module.weight)
    return product if module.bias is None else product + module.bias


def _narrow(model: nn.Module) -> list[nn.Linear]:
    return [
        module
        for module in model.modules()
        if type(module) is nn.Linear and module.out_features <= NARROW
    ]
