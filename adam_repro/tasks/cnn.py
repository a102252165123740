"""Convolutional network c64-c64-c128-1000 (section 6.3, figure 3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from adam_repro.config.validate import Choice, Whole
from adam_repro.kernels.max_pool import max_pool, pooled_size
from adam_repro.kernels.patch_conv import convolve
from adam_repro.tasks.base import (
    DROPOUT_RATE,
    Batch,
    Classifier,
    InputSpec,
    apply_mask,
    dropout_mask,
    option,
)
from adam_repro.tasks.initialise import initialisation_name, initialise

MAPS, HIDDEN, CLASSES = (64, 64, 128), 1000, 10
MIN_SIDE = 8  # three poolings leave one pixel of such an image


class _Network(nn.Module):
    """Three stages of 5x5 convolution (padding 2) and pooling, then 1000 ReLU units.

    A ReLU follows each pooling, unless ``linear``.
    """

    def __init__(self, channels: int, side: int, linear: bool) -> None:
        super().__init__()
        self.linear = linear
        self.conv1 = nn.Conv2d(channels, MAPS[0], 5, padding=2)
        self.conv2 = nn.Conv2d(MAPS[0], MAPS[1], 5, padding=2)
        self.conv3 = nn.Conv2d(MAPS[1], MAPS[2], 5, padding=2)
        side = pooled_size(pooled_size(pooled_size(side)))
        self.hidden = nn.Linear(MAPS[2] * side * side, HIDDEN)
        self.output = nn.Linear(HIDDEN, CLASSES)

    def forward(
        self, x: Tensor, input_mask: Tensor | None = None, mask: Tensor | None = None
    ) -> Tensor:
        # channels_last: on a CPU, convolutions and pooling take a third less time.
        x = apply_mask(x, input_mask).contiguous(memory_format=torch.channels_last)
        for convolution in (self.conv1, self.conv2, self.conv3):
            assert convolution.bias is not None
            x = convolve(x, convolution.weight)
            # Bias and ReLU commute with the max, and cost a quarter after the pooling.
            x = max_pool(x) + convolution.bias[:, None, None]
            x = x if self.linear else torch.relu(x)
        return self.output(apply_mask(torch.relu(self.hidden(x.flatten(1))), mask))


class _ImageShape:
    """The legal values of ``task.image``."""

    def admits(self, value: object) -> bool:
        minima = (1, MIN_SIDE)
        return (
            isinstance(value, (list, tuple))
            and len(value) == len(minima)
            and all(Whole(low).admits(size) for low, size in zip(minima, value, strict=True))
        )

    def __str__(self) -> str:
        return f"[channels, side], two whole numbers, the side at least {MIN_SIDE}"


class ConvolutionalNetwork(Classifier):
    """Images [n, channels, side, side]; ``dropout_input`` and ``dropout_hidden`` are rates.

    ``convolutions``: "relu", or "linear": the paper mentions ReLU for the fully connected layer only.
    ``image`` is [channels, side]. uint8 images are scaled to [0, 1]; whitened ones are not changed.
    """

    def __init__(self, config: Mapping[str, Any]) -> None:
        super().__init__(config)
        self.init = initialisation_name(config)
        self.linear = option(config, "convolutions", Choice("linear", "relu")) == "linear"
        self.channels, self.side = option(config, "image", _ImageShape())
        self.rates = (
            option(config, "dropout_input", DROPOUT_RATE),
            option(config, "dropout_hidden", DROPOUT_RATE),
        )

    @property
    def input_spec(self) -> InputSpec | None:
        return InputSpec(self.channels * self.side**2, CLASSES)

    @property
    def stochastic(self) -> bool:
        return any(self.rates)

    def model(self, generator: torch.Generator) -> nn.Module:
        return initialise(_Network(self.channels, self.side, self.linear), self.init, generator)

    def preprocess(self, inputs: Tensor) -> Tensor:
        images = inputs.view(-1, self.channels, self.side, self.side)
        return images.float().div_(255.0) if images.dtype == torch.uint8 else images

    def noise(self, batch: Batch, generator: torch.Generator) -> tuple[Tensor | None, ...]:
        n = len(batch.targets)
        pixels = (n, self.channels, self.side, self.side)
        shapes = zip((pixels, (n, HIDDEN)), self.rates, strict=True)
        return tuple(dropout_mask(shape, rate, generator) for shape, rate in shapes)
