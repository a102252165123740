"""Softmax regression on classes of very unequal size (Kunstner et al. 2024, arXiv 2402.19449, section 3)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from adam_repro.data.dataset import Dataset
from adam_repro.errors import UserError
from adam_repro.tasks.base import Batch, Classifier, LinearTask
from adam_repro.tasks.initialise import initialisation_name, initialise

GROUPS = 11  # most groups of classes; the class sizes of two neighbours differ by a factor of two


class RareClasses(Classifier, LinearTask):
    """softmax(W x + b); the training cost is logged by group of classes of the same size.

    ``group_cost_1`` is that of the largest classes, and so on; as many as the data have. All groups
    have equally many examples, so the training cost is the mean of theirs.
    """

    group_columns = tuple(f"group_cost_{1 + i}" for i in range(GROUPS))
    columns = group_columns

    def __init__(self, config: Mapping[str, Any]) -> None:
        super().__init__(config)
        self.init = initialisation_name(config)
        self.features = self.classes = 0
        self.group_of = torch.empty(0, dtype=torch.int64)

    def prepare(self, dataset: Dataset) -> None:
        """Number of features and classes, and the group of each class.

        Raises:
            UserError: the data set has no counts, or too many different ones.
        """
        counts = dataset.counts
        shape = dataset.train.inputs.shape
        sizes = [] if counts is None else sorted(set(counts.tolist()), reverse=True)
        if counts is None or len(shape) != 2 or len(sizes) > GROUPS:
            raise UserError(
                f"task.data.name={self.config['data']['name']}: task={self.config['name']} takes dense "
                f"rows in classes of at most {GROUPS} different sizes; choose class_sizes"
            )
        self.features, self.classes = math.prod(shape[1:]), dataset.classes
        self.group_of = torch.tensor([sizes.index(count) for count in counts.tolist()])

    def model(self, generator: torch.Generator) -> nn.Module:
        return initialise(nn.Linear(self.features, self.classes), self.init, generator)

    def preprocess(self, inputs: Tensor) -> Tensor:
        return inputs.float()

    def groups(self, batch: Batch) -> Tensor:
        if self.group_of.device != batch.targets.device:
            self.group_of = self.group_of.to(batch.targets.device)
        return self.group_of[batch.targets]

    def output_gradients(self, outputs: Tensor, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """d cost / d output = softmax(output) - onehot(target)."""
        targets = batch.targets.expand(len(outputs), 1, -1)
        log_probabilities = outputs.log_softmax(1)
        costs = -log_probabilities.gather(1, targets).squeeze(1)
        errors = outputs.max(1).indices != batch.targets
        minus_one = outputs.new_full((), -1.0).expand(targets.shape)
        return costs, errors, log_probabilities.exp_().scatter_add_(1, targets, minus_one)
