"""Logistic regression on bags of words, with dropout on the words (section 6.1, figure 1 right)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, embedding_bag

from adam_repro.tasks.base import DROPOUT_RATE, Batch, InputSpec, Task, dropout_mask, option
from adam_repro.tasks.initialise import initialisation_name, initialise

WORDS = 10_000


class _SparseProduct(torch.autograd.Function):
    """X W for sparse rows X [n, words], given as (words, offsets, values), and W [words, columns].

    PyTorch's gradient of this product takes ten times as long as the product, and ``vmap`` has no
    rule for it. Here the weights of a stack's trials are columns of one W, so that each word of a
    batch is looked up once for all trials.
    """

    @staticmethod
    def forward(weight: Tensor, words: Tensor, offsets: Tensor, values: Tensor) -> Tensor:
        offsets = offsets.to(words.dtype)
        return embedding_bag(words, weight, offsets, mode="sum", per_sample_weights=values)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        weight, *rows = inputs
        ctx.words = len(weight)
        ctx.save_for_backward(*rows)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        words, offsets, values = ctx.saved_tensors
        lengths = torch.diff(offsets, append=offsets.new_tensor([len(words)]))
        row = torch.repeat_interleave(lengths, output_size=len(words))
        entries = gradient[row] * values[:, None]
        product = gradient.new_zeros(ctx.words, gradient.shape[1])
        return product.index_add_(0, words, entries), None, None, None

    @staticmethod
    def vmap(
        info: Any, in_dims: tuple[int | None, ...], weight: Tensor, *rows: Tensor
    ) -> tuple[Tensor, int]:
        columns = weight.movedim(in_dims[0] or 0, 1).contiguous()  # [words, S, columns]
        product = _SparseProduct.apply(columns.flatten(1), *rows)
        # Make each trial's outputs contiguous. Else the number of trials would change the order in
        # which the bias gradient is summed, and so its bits.
        return product.unflatten(1, columns.shape[1:]).movedim(1, 0).contiguous(), 0


class _SparseLinear(nn.Module):
    """w . x + b for sparse rows x; reads only the weights of words that occur."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(1, WORDS))  # the shape of nn.Linear, for the fan-in
        self.bias = nn.Parameter(torch.empty(1))

    def forward(
        self, words: Tensor, offsets: Tensor, values: Tensor, mask: Tensor | None = None
    ) -> Tensor:
        values = values if mask is None else values * mask
        product = _SparseProduct.apply(self.weight.view(WORDS, 1), words, offsets, values)
        return product.squeeze(-1) + self.bias


class SparseLogisticRegression(Task):
    """sigmoid(w . x + b): x [n, 10000] sparse, ``dropout_input`` the rate of dropped words.

    Masks are drawn for the entries of the sparse rows only: the other words have the value 0.
    """

    input_spec: InputSpec | None = InputSpec(WORDS, classes=2, sparse=True)

    def __init__(self, config: Mapping[str, Any]) -> None:
        super().__init__(config)
        self.init = initialisation_name(config)
        self.dropout_rate = option(config, "dropout_input", DROPOUT_RATE)

    @property
    def stochastic(self) -> bool:
        return self.dropout_rate > 0.0

    def model(self, generator: torch.Generator) -> nn.Module:
        return initialise(_SparseLinear(), self.init, generator)

    def preprocess(self, inputs: Tensor) -> Tensor:
        return inputs.float()

    def noise(self, batch: Batch, generator: torch.Generator) -> tuple[Tensor | None, ...]:
        return (dropout_mask(tuple(batch.inputs[0].shape), self.dropout_rate, generator),)

    def costs(self, output: Tensor, batch: Batch) -> Tensor:
        targets = batch.targets.to(output.dtype)
        return binary_cross_entropy_with_logits(output, targets, reduction="none")

    def errors(self, output: Tensor, batch: Batch) -> Tensor:
        return (output > 0) != (batch.targets > 0)
