"""The cross entropy of a softmax over many classes, together with the product that makes its logits.

By PyTorch's layers a step fills three arrays [n, classes]: logits, their logarithmic softmax, and the
gradient. With 700 rows and 33,278 classes each has 93 MB. Here there is one, in blocks of rows. On a CPU
logits become probabilities, and these become gradients, where they lie, a few rows at a time that a core's
cache holds.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, linear

from adam_repro.kernels import twice
from adam_repro.kernels.linear import product

# Logits of a block, 24 MB. glibc's malloc reuses pieces below 32 MB. Larger ones come from the system
# every time, and to fill their pages with zeros takes a third as long as the product.
BLOCK = 6 * 2**20
# Logits that are worked on at once, 1 MB: they stay in a core's second cache.
CACHED = 2**18


class Logits(NamedTuple):
    """Logits x W^T + b that are not yet computed: x [n, in], W [classes, in], b [classes]."""

    x: Tensor
    weight: Tensor
    bias: Tensor

    def compute(self) -> Tensor:
        """The logits, [n, classes]."""
        return linear(self.x, self.weight, self.bias)


def softmax_cost(logits: Logits, targets: Tensor) -> Tensor:
    """-log softmax(x W^T + b)[target] of each row, [n], in nats; ``targets`` int64 [n].

    Each tensor may have a trial axis under ``vmap``. On a CPU the gradient can be taken once: it takes
    the place of the logits.
    """
    if logits.x.device.type == "cpu" and not twice.asked():
        return _SoftmaxCost.apply(*logits, targets)[0]
    return cross_entropy(logits.compute(), targets, reduction="none")


class _SoftmaxCost(torch.autograd.Function):
    """The costs [n], and the probabilities in blocks of rows, which the backward pass needs.

    They are outputs, without a gradient, because ``vmap`` lets only those be kept. Trials are computed
    one after another: each has work enough for all cores.
    """

    @staticmethod
    def forward(x: Tensor, weight: Tensor, bias: Tensor, targets: Tensor) -> tuple[Tensor, ...]:
        rows = _block_rows(len(x), len(weight))
        blocks = [product(part, weight, bias) for part in x.split(rows)]
        costs = [_to_probabilities(*one) for one in zip(blocks, targets.split(rows), strict=True)]
        return torch.cat(costs), *blocks

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: tuple[Tensor, ...]) -> None:
        x, weight, _, targets = inputs
        ctx.mark_non_differentiable(*output[1:])
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(x, weight, targets, *output[1:])

    @staticmethod
    def backward(ctx: Any, gradient: Tensor, *_: None) -> tuple[Tensor | None, ...]:
        x, weight, targets, *blocks = ctx.saved_tensors
        of_x: list[Tensor] = []
        of_bias: list[Tensor] = []
        of_weight: Tensor | None = None
        rows = _block_rows(len(x), len(weight))
        each = (one.split(rows) for one in (x, targets, gradient))
        for block, x_rows, at, scale in zip(blocks, *each, strict=True):
            _to_gradients(block, at, scale)
            of_x.append(product(block, weight.t(), None))
            of_bias.append(torch.ones_like(scale) @ block)  # half the time of a sum over rows
            if of_weight is not None:
                of_weight.addmm_(block.t(), x_rows)
            elif len(blocks) > 1:
                of_weight = block.t() @ x_rows
            else:  # oneDNN takes less time for the transposed gradient and a copy
                of_weight = product(x_rows.t(), block.t(), None).t().contiguous()
        return torch.cat(of_x), of_weight, torch.stack(of_bias).sum(0), None

    @staticmethod
    def vmap(
        info: Any, in_dims: tuple[int | None, ...], *inputs: Tensor
    ) -> tuple[tuple[Tensor], tuple[int]]:
        trials = [
            [one] * info.batch_size if dim is None else one.unbind(dim)
            for one, dim in zip(inputs, in_dims, strict=True)
        ]
        costs = [_SoftmaxCost.apply(*trial)[0] for trial in zip(*trials, strict=True)]
        return (torch.stack(costs),), (0,)


def _block_rows(n: int, classes: int) -> int:
    """The rows of a block, where n rows are cut into as few equal blocks as are small enough."""
    blocks = max(1, math.ceil(n * classes / BLOCK))
    return math.ceil(n / blocks)


def _to_probabilities(block: Tensor, targets: Tensor) -> Tensor:
    """Turn logits [n, classes] into their softmax, in place; the costs [n].

    A cost is log(sum of exp) - logit of the target, and the sum is exp(largest logit) over its
    probability, which is never below 1/classes.
    """
    rows = max(1, CACHED // block.shape[1])
    costs = []
    for part, at in zip(block.split(rows), targets[:, None].split(rows), strict=True):
        above = part.amax(1) - part.gather(1, at).squeeze(1)
        part.copy_(part.softmax(1))
        costs.append(above - part.amax(1).log_())
    return torch.cat(costs)


def _to_gradients(block: Tensor, targets: Tensor, scale: Tensor) -> None:
    """Turn probabilities [n, classes] into scale (probability - 1 at the target), in place."""
    rows = max(1, CACHED // block.shape[1])
    split = (one[:, None].split(rows) for one in (targets, scale))
    for part, at, factor in zip(block.split(rows), *split, strict=True):
        part.mul_(factor).scatter_add_(1, at, -factor)
