"""The analytic gradient of linear models: one product, without autograd.

For outputs z = W x + b, with x [n, in] shared by all trials, the gradient of a cost is dW = D x and db = D 1,
where D [out, n] holds the derivatives of the costs by the outputs. A
:class:`adam_repro.tasks.base.LinearTask` states D. On so small a model autograd's graph takes longer than
the products.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from adam_repro.engine.parameter_layout import ParameterLayout
from adam_repro.kernels import linear
from adam_repro.tasks import Batch, LinearTask, Task


class LinearGradient:
    """Costs and gradients of one linear layer for a stack, W [S, out, in] and b [S, out].

    ``alone``: the one trial of a looped stack. It needs no padding for bitwise reproducibility.
    """

    def __init__(self, task: LinearTask, layout: ParameterLayout, alone: bool) -> None:
        self.task = task
        self.layout = layout
        self.alone = alone

    @classmethod
    def of(
        cls, task: Task, model: nn.Module, layout: ParameterLayout, alone: bool
    ) -> LinearGradient | None:
        """``None`` where the gradient is left to autograd.

        That is where the model is not one linear layer with a bias, or the task does not state its
        slopes, or derives from one that does and has a cost of its own.
        """
        plain = type(model) is nn.Linear and layout.names == ["weight", "bias"]
        if plain and isinstance(task, LinearTask) and _states(type(task)):
            return cls(task, layout, alone)
        return None

    def measure(self, theta: Tensor, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """Costs and errors [S, n] of the parameters ``theta`` [S, P], and the slopes [S, out, n]."""
        weights, biases = self.layout.views(theta)
        x = _dense(batch)
        if self.alone:
            outputs = torch.addmm(biases[0][:, None], weights[0], x.t())[None]
        else:
            outputs = linear.in_groups(weights, x.t()).add_(biases[:, :, None])
        return self.task.output_gradients(outputs, batch)

    def step(
        self, theta: Tensor, batch: Batch, weight: Tensor
    ) -> tuple[Tensor, Tensor, list[Tensor]]:
        """Costs, errors, and the gradient of sum(weight * costs) by segment, [S, length] each."""
        costs, errors, slopes = self.measure(theta, batch)
        slopes.mul_(weight)
        x = _dense(batch)
        product = torch.mm(slopes[0], x)[None] if self.alone else linear.in_groups(slopes, x)
        return costs, errors, self.layout.gather((product, slopes.sum(2)))


def _states(kind: type[LinearTask]) -> bool:
    """Whether the slopes are those of the task's own costs and errors, not of a parent's."""

    def owner(name: str) -> type:
        return next(one for one in kind.__mro__ if name in vars(one))

    return all(issubclass(owner("output_gradients"), owner(name)) for name in ("costs", "errors"))


def _dense(batch: Batch) -> Tensor:
    assert isinstance(batch.inputs, Tensor)
    return batch.inputs
