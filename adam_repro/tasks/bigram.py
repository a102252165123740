"""The linear bigram model of Kunstner & Bach 2025 (arXiv 2505.19227), squared loss, full batch.

Their proposition 2.2 makes it a sum over single coordinates of W (:mod:`adam_repro.data.bigrams`). A
minibatch is the one example of all coordinates, so a step, a pass and an epoch are the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from adam_repro.data.dataset import Dataset, SparseRows
from adam_repro.errors import UserError
from adam_repro.tasks.base import Batch, Task

LINEAR = ("sgd", "sgd_momentum", "sgd_nesterov")
SCALE_FREE = ("signsgd", "lion")
#: Methods that divide by a root of squared gradients: scale-free where nothing is added to it.
NORMALISED = ("adam", "adamw", "amsgrad", "adagrad", "rmsprop")


class _Coordinates(nn.Module):
    """W, float64 and zero at first; its output is how far each coordinate is from its solution.

    In float32 the rounding of W would slow the last coordinates of a large vocabulary.
    """

    def __init__(self, count: int) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.zeros(count, dtype=torch.float64))

    def forward(self, coordinates: Tensor) -> Tensor:
        return self.w - coordinates[:, 1]


class Bigram(Task):
    """W x predicts the next word; the cost is the relative error (L(W) - L*) / (L(0) - L*).

    The gradient is that of the loss L itself, pi_i (W_ij - pi_j|i), so that stepsizes are the paper's.
    """

    def __init__(self, config: Mapping[str, Any]) -> None:
        super().__init__(config)
        self.count = 0

    def prepare(self, dataset: Dataset) -> None:
        """The number of coordinates.

        Raises:
            UserError: the data set is no list of coordinates.
        """
        inputs = dataset.train.inputs
        if isinstance(inputs, SparseRows) or inputs.ndim != 3 or inputs.shape[:2] != (1, 3):
            raise UserError(
                f"task.data.name={self.config['data']['name']}: holds no bigrams, and "
                f"task={self.config['name']} takes nothing else; choose zipf"
            )
        self.count = inputs.shape[2]

    def check_optimizer(self, optimizer: Mapping[str, Any]) -> None:
        """Refuse an optimizer for which the reduced problem is not equal to the whole one.

        Raises:
            UserError: naming the option, its value and what is legal.
        """
        reduction = self.config["data"].get("reduction", "none")
        name = optimizer["name"]
        free = name in SCALE_FREE or (name in NORMALISED and optimizer["eps"] == 0)
        free &= optimizer.get("weight_decay", 0) == 0
        exact = {"none": name != "sfo", "linear": name in LINEAR, "scale_free": free}
        if exact.get(reduction, True):
            return
        taken = {
            "none": "every elementwise optimizer, and sfo is none",
            "linear": f"{', '.join(LINEAR)} alone",
            "scale_free": f"{', '.join(SCALE_FREE)} alone, and {', '.join(NORMALISED)} with "
            "optimizer.eps=0, all without weight decay",
        }
        raise UserError(
            f"task.data.reduction={reduction}: with optimizer={name} it changes the result; it is for "
            f"{taken[reduction]}" + ("" if reduction == "none" else "; use none")
        )

    def model(self, generator: torch.Generator) -> nn.Module:
        return _Coordinates(self.count)

    def costs(self, output: Any, batch: Batch) -> Tensor:
        """The relative error, [n].

        One coordinate stands for its equals: its gradient is that of one of them, and its value that of
        all. So the value is a constant for autograd, and the gradient is that of a term of value 0.
        """
        assert isinstance(batch.inputs, Tensor)
        curvature, solution, weight = batch.inputs.unbind(1)
        loss = curvature * output.square() / 2
        start = (weight * curvature * solution.square()).sum(-1) / 2
        value = (weight * loss).sum(-1).detach() / start
        loss = loss.sum(-1)
        return (value + (loss - loss.detach())).float()
