"""The cost of a softmax over many classes: the last layer and its cross entropy as one operation.

By PyTorch's layers a step writes five arrays of the logits' size [n, classes], and reads each again: the
logits, their log softmax, two gradients and a transposed copy. Here there are the logits and the softmax,
which backward reads twice. The factors of the examples' costs go to the narrow side of the products, and
the gradient of the bias is a column of the weights'.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import linear, pad

from adam_repro.kernels.linear import ONEDNN


class Logits(NamedTuple):
    """Logits x W^T + b that are not yet computed: x [n, in], W [classes, in], b [classes]."""

    x: Tensor
    weight: Tensor
    bias: Tensor

    def compute(self) -> Tensor:
        """The logits, [n, classes]."""
        return linear(self.x, self.weight, self.bias)


class _SoftmaxCost(torch.autograd.Function):
    """Costs [..., n] for the classes ``targets`` [..., n], and d cost / d logits [..., n, classes].

    The slopes are a second output, without a gradient of its own: only inputs and outputs may be kept for
    backward under ``vmap``. All tensors have the trial axis of a stack, or none has.
    """

    @staticmethod
    def forward(x: Tensor, weight: Tensor, bias: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        logits = _product(x, weight, bias)
        at = targets[..., None]
        largest, of_target = logits.amax(-1), logits.gather(-1, at).squeeze(-1)
        slopes = torch.softmax(logits, -1)
        # log sum exp = largest logit - log of its probability, which is never below 1/classes
        costs = largest - slopes.amax(-1).log_() - of_target
        slopes.scatter_add_(-1, at, slopes.new_full(at.shape, -1.0))
        return costs, slopes

    @staticmethod
    def setup_context(
        ctx: Any, inputs: tuple[Tensor, Tensor, Tensor, Tensor], output: tuple[Tensor, Tensor]
    ) -> None:
        x, weight, _, _ = inputs
        _, slopes = output
        ctx.mark_non_differentiable(slopes)
        ctx.save_for_backward(x, weight, slopes)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor, _: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        x, weight, slopes = ctx.saved_tensors
        factors = gradient[..., None]
        of_x = _product(slopes, weight.mT) * factors
        with_one = pad(x, (0, 1), value=1.0) * factors
        of_layer = _product(with_one.mT.contiguous(), slopes.mT)  # [..., in + 1, classes]
        return of_x, of_layer[..., :-1, :].mT, of_layer[..., -1, :], None

    @staticmethod
    def vmap(
        info: Any, in_dims: tuple[int | None, ...], *inputs: Tensor
    ) -> tuple[tuple[Tensor, Tensor], tuple[int, int]]:
        stacked = [
            each.expand(info.batch_size, *each.shape) if dim is None else each.movedim(dim, 0)
            for each, dim in zip(inputs, in_dims, strict=True)
        ]
        if not _by_onednn(*stacked[:2]):
            return _SoftmaxCost.apply(*stacked), (0, 0)
        # oneDNN has no stacked product. A product a trial also keeps the bits of a trial alone.
        each = [_SoftmaxCost.apply(*trial) for trial in zip(*stacked, strict=True)]
        costs, slopes = zip(*each, strict=True)
        return (torch.stack(costs), torch.stack(slopes)), (0, 0)


def _by_onednn(left: Tensor, right: Tensor) -> bool:
    return ONEDNN and left.device.type == "cpu" and left.dtype == right.dtype == torch.float32


def _product(left: Tensor, right: Tensor, bias: Tensor | None = None) -> Tensor:
    """left [..., rows, k] times the transpose of right [..., columns, k], plus bias [..., columns]."""
    if left.dim() == 2 and _by_onednn(left, right):
        return torch.ops.mkldnn._linear_pointwise(left, right, bias, "none", [], "")
    if bias is None:
        return left @ right.mT
    if left.dim() == 2:
        return linear(left, right, bias)
    return torch.baddbmm(bias[:, None], left, right.mT)


def softmax_cost(logits: Logits, targets: Tensor) -> Tensor:
    """-log softmax(x W^T + b)[target] of each example, [n], in nats."""
    costs, _ = _SoftmaxCost.apply(*logits, targets)
    return costs
