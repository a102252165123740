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
    """Costs [n] for the classes ``targets`` [n], and slopes d cost / d logits [n, classes].

    The slopes are a second output, without a gradient of its own, because only outputs may be kept
    that are not inputs where ``vmap`` is at work.
    """

    @staticmethod
    def forward(x: Tensor, weight: Tensor, bias: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        logits = _product(x, weight, bias)
        largest = logits.amax(1)
        of_target = logits.gather(1, targets[:, None]).squeeze(1)
        slopes = torch.softmax(logits, 1)
        # log sum exp = largest logit - log of its probability, which is never below 1/classes
        costs = largest - slopes.amax(1).log_() - of_target
        slopes.scatter_add_(1, targets[:, None], slopes.new_full((len(targets), 1), -1.0))
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
        of_x = _product(slopes, weight.t()) * gradient[:, None]
        with_one = pad(x, (0, 1), value=1.0) * gradient[:, None]
        of_layer = _product(with_one.t().contiguous(), slopes.t())  # [in + 1, classes]
        return of_x, of_layer[:-1].t(), of_layer[-1], None

    @staticmethod
    def vmap(
        info: Any, in_dims: tuple[int | None, ...], *inputs: Tensor
    ) -> tuple[tuple[Tensor, Tensor], tuple[int, int]]:
        trials = zip(
            *(
                [each] * info.batch_size if dim is None else each.unbind(dim)
                for each, dim in zip(inputs, in_dims, strict=True)
            ),
            strict=True,
        )
        costs, slopes = zip(*(_SoftmaxCost.apply(*trial) for trial in trials), strict=True)
        return (torch.stack(costs), torch.stack(slopes)), (0, 0)


def _product(left: Tensor, right: Tensor, bias: Tensor | None = None) -> Tensor:
    """left [rows, k] times the transpose of right [columns, k], plus bias [columns]."""
    if ONEDNN and left.device.type == "cpu" and left.dtype == right.dtype == torch.float32:
        return torch.ops.mkldnn._linear_pointwise(left, right, bias, "none", [], "")
    return linear(left, right, bias)


def softmax_cost(logits: Logits, targets: Tensor) -> Tensor:
    """-log softmax(x W^T + b)[target] of each example, [n], in nats."""
    costs, _ = _SoftmaxCost.apply(*logits, targets)
    return costs
