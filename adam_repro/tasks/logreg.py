"""Multinomial logistic regression on images (section 6.1, figure 1 left)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from adam_repro.tasks.base import Batch, Classifier, InputSpec, LinearTask
from adam_repro.tasks.initialise import initialisation_name, initialise

PIXELS, CLASSES = 784, 10


class LogisticRegression(Classifier, LinearTask):
    """softmax(W x + b) on pixels scaled to [0, 1]: x [n, 784], W [10, 784]."""

    input_spec: InputSpec | None = InputSpec(PIXELS, CLASSES)

    def __init__(self, config: Mapping[str, Any]) -> None:
        super().__init__(config)
        self.init = initialisation_name(config)

    def model(self, generator: torch.Generator) -> nn.Module:
        return initialise(nn.Linear(PIXELS, CLASSES), self.init, generator)

    def preprocess(self, inputs: Tensor) -> Tensor:
        return inputs.flatten(1).float().div_(255.0)

    def output_gradients(self, outputs: Tensor, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """d cost / d output = softmax(output) - onehot(target)."""
        targets = batch.targets
        log_probabilities = outputs.log_softmax(1)
        costs = -log_probabilities.gather(1, targets.expand(len(outputs), 1, -1)).squeeze(1)
        errors = outputs.max(1).indices != targets
        one_hot = torch.eye(CLASSES, device=outputs.device).index_select(1, targets)
        return costs, errors, log_probabilities.exp_().sub_(one_hot)
