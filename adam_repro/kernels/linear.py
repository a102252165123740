"""The products of linear layers, in the forms that a CPU computes fastest.

PyTorch gives float32 products to MKL, which uses half the vector width of an AMD processor. oneDNN, which
PyTorch's builds for x86 contain, takes 0.45 times as long there. A trial alone and a trial in a batch use
oneDNN for the same products, so that both round alike. (Where the input of a ReLU is within rounding of 0,
rounding decides the gradient.)

In a stack, ``vmap`` makes one product [n, in] by [in, out] per trial, which is slow if ``out`` is ten. If
the trials share ``x``, their weights are stacked into one matrix. Every product has the same shape, whatever
the number of trials, so that a trial's bits do not depend on the other trials.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, pad

# Rows of weights in one product: about as many as fill a core's vector units.
ROWS = 80
NARROW = ROWS // 2  # outputs of a layer up to which weights are stacked
ONEDNN = torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")


class _Dense(torch.autograd.Function):
    """x W^T + b by oneDNN, for float32 x [n, in], W [out, in] and b [out] or ``None``.

    Under ``vmap`` each may have a trial axis, and every trial has its own product.
    """

    @staticmethod
    def forward(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return _onednn(x, weight, bias)

    @staticmethod
    def setup_context(
        ctx: Any, inputs: tuple[Tensor, Tensor, Tensor | None], output: Tensor
    ) -> None:
        ctx.save_for_backward(*inputs[:2])

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        of_x, of_weight, of_bias = ctx.needs_input_grad
        gradient = gradient.contiguous()  # the gradient of a sum is one number, expanded
        return (
            _onednn(gradient, weight.t()) if of_x else None,
            _onednn(gradient.t(), x.t()) if of_weight else None,
            gradient.sum(0) if of_bias else None,
        )

    @staticmethod
    def vmap(
        info: Any, in_dims: tuple[int | None, ...], *factors: Tensor | None
    ) -> tuple[Tensor, int]:
        rows = [
            [factor] * info.batch_size if dim is None or factor is None else factor.unbind(dim)
            for factor, dim in zip(factors, in_dims, strict=True)
        ]
        products = [_Dense.apply(*trial) for trial in zip(*rows, strict=True)]
        return torch.stack(products), 0


def _onednn(left: Tensor, right: Tensor, bias: Tensor | None = None) -> Tensor:
    """left [rows, k] times the transpose of right [columns, k], plus bias [columns]."""
    return torch.ops.mkldnn._linear_pointwise(left, right, bias, "none", [], "")


def product(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """x W^T + b for x [n, in], by oneDNN if it suits; autograd does not see it."""
    if _suits_onednn(x, weight):
        return _onednn(x.contiguous(), weight, bias)
    return linear(x, weight, bias)


def _suits_onednn(x: Tensor, weight: Tensor) -> bool:
    return ONEDNN and x.device.type == "cpu" and x.dtype == weight.dtype == torch.float32


def dense(model: nn.Module) -> None:
    """Let the model's linear layers on [n, in] compute their products by oneDNN, if it is available.

    Layers that :func:`share_inputs` has changed stay as they are.
    """
    for module in _linear(model) if ONEDNN else []:
        if "forward" not in vars(module):
            module.forward = partial(_by_onednn, module)  # type: ignore[method-assign]


def _by_onednn(module: nn.Linear, x: Tensor) -> Tensor:
    if x.dim() == 2 and _suits_onednn(x, module.weight):
        return _Dense.apply(x.contiguous(), module.weight, module.bias)
    return linear(x, module.weight, module.bias)


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
        if of_x is not None and _suits_onednn(x, weight):
            return _Dense.vmap(info, (*in_dims, None), x, weight, None)
        if of_weight is not None:
            weight = weight.movedim(of_weight, 0)
        if of_x is None and of_weight is not None:
            return _shared(x, weight), 0
        if of_x is not None:
            x = x.movedim(of_x, 0)
        if of_x is not None and of_weight is not None and x.dim() == 3:
            # In this order the gradient of the weights comes out as they lie.
            return torch.bmm(weight, x.transpose(1, 2)).transpose(1, 2).contiguous(), 0
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
    if _suits_onednn(left, right):
        # Without a graph the operator itself: PyTorch takes 20 µs to bind the arguments of `apply`.
        multiply = _Dense.apply if left.requires_grad or right.requires_grad else _onednn
        transposed = right.t()
        products = torch.stack([multiply(group, transposed, None) for group in groups])
    else:  # bmm: matmul would fold the groups into one product, whose shape depends on their number
        products = torch.bmm(groups, right.expand(len(groups), *right.shape))
    return products.view(-1, rows, right.shape[1])[:trials]


def share_inputs(model: nn.Module, every: bool = False) -> None:
    """Let the model's narrow linear layers on [n, in] share their products under ``vmap``.

    ``every``: the wide ones too. PyTorch's own form gives the gradients of a stack of weights
    transposed, and to put them in order takes a tenth of a GPU's step.
    """
    for module in _linear(model) if every else _narrow(model):
        module.forward = partial(_shared_product, module)  # type: ignore[method-assign]


def _shared_product(module: nn.Linear, x: Tensor) -> Tensor:
    product = _Product.apply(x, module.weight)
    return product if module.bias is None else product + module.bias


def _narrow(model: nn.Module) -> list[nn.Linear]:
    return [module for module in _linear(model) if module.out_features <= NARROW]


def _linear(model: nn.Module) -> list[nn.Linear]:
    return [module for module in model.modules() if type(module) is nn.Linear]
