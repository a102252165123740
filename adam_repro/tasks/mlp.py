"""Fully connected network with two hidden layers of 1000 ReLU units (section 6.2, figure 2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

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

PIXELS, HIDDEN, CLASSES = 784, 1000, 10


class _Network(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.hidden1 = nn.Linear(PIXELS, HIDDEN)
        self.hidden2 = nn.Linear(HIDDEN, HIDDEN)
        self.output = nn.Linear(HIDDEN, CLASSES)

    def forward(
        self,
        x: Tensor,
        input_mask: Tensor | None = None,
        mask1: Tensor | None = None,
        mask2: Tensor | None = None,
    ) -> Tensor:
        h1 = apply_mask(torch.relu(self.hidden1(apply_mask(x, input_mask))), mask1)
        h2 = apply_mask(torch.relu(self.hidden2(h1)), mask2)
        return self.output(h2)


class MultilayerPerceptron(Classifier):
    """784-1000-1000-10; ``dropout_input`` and ``dropout_hidden`` are the rates of dropped units."""

    input_spec: InputSpec | None = InputSpec(PIXELS, CLASSES)

    def __init__(self, config: Mapping[str, Any]) -> None:
        super().__init__(config)
        self.init = initialisation_name(config)
        hidden = option(config, "dropout_hidden", DROPOUT_RATE)
        self.rates = (option(config, "dropout_input", DROPOUT_RATE), hidden, hidden)

    @property
    def stochastic(self) -> bool:
        return any(self.rates)

    def model(self, generator: torch.Generator) -> nn.Module:
        return initialise(_Network(), self.init, generator)

    def preprocess(self, inputs: Tensor) -> Tensor:
        return inputs.flatten(1).float().div_(255.0)

    def noise(self, batch: Batch, generator: torch.Generator) -> tuple[Tensor | None, ...]:
        n = len(batch.targets)
        layers = zip((PIXELS, HIDDEN, HIDDEN), self.rates, strict=True)
        return tuple(dropout_mask((n, width), rate, generator) for width, rate in layers)
