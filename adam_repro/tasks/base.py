"""What a task is: a model, a cost per example, and the random draws its model consumes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from adam_repro.config import validate
from adam_repro.config.validate import Legal, Range

Inputs = Tensor | tuple[Tensor, ...]


RATE = Range(ge=0, lt=1)  # of dropped units


class Batch(NamedTuple):
    """A minibatch on the device.

    ``inputs``: [n, ...] float, or the (indices, offsets, values) of n sparse rows. ``targets``: [n].
    """

    inputs: Inputs
    targets: Tensor


class InputSpec(NamedTuple):
    """The data a task can be trained on.

    ``values``: of each dense example, in any shape; of sparse rows, the most columns. ``classes``: the
    most there may be, ``None`` where targets do not matter.
    """

    values: int
    classes: int | None
    sparse: bool = False


class Task(ABC):
    """A model, a cost and a data set; no loop, no device, no optimizer, no random state of its own.

    ``config`` is the resolved ``task`` section of the configuration. A task checks its own options
    and raises :class:`UserError` for what it cannot train.
    """

    #: What the task adds to metrics.csv, after the columns that every trial has.
    columns: ClassVar[tuple[str, ...]] = ()

    def __init__(self, config: Mapping[str, Any]) -> None:
        self.config = dict(config)
        self.l2 = float(option(self.config, "l2", Range(ge=0)))

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "model" in vars(cls) and "takes" not in vars(cls):
            cls.takes = None  # type: ignore[assignment,method-assign]

    @property
    def takes(self) -> InputSpec | None:
        """Other data are refused before training; ``None``: the model may be given any.

        Not inherited by a class with a model of its own, which may take something else.
        """
        return None

    @property
    def stochastic(self) -> bool:
        """Whether the cost of a minibatch depends on draws beside the minibatch (dropout, latents)."""
        return False

    @abstractmethod
    def model(self, generator: torch.Generator) -> nn.Module:
        """A freshly initialised model; all randomness comes from ``generator``."""

    @abstractmethod
    def costs(self, output: Any, batch: Batch) -> Tensor:
        """Cost of each example in nats, shape [n], without any L2 term."""

    def errors(self, output: Any, batch: Batch) -> Tensor | None:
        """Whether each example is misclassified, shape [n]; ``None`` where that has no meaning."""
        return None

    def test_metrics(self, output: Any, batch: Batch) -> dict[str, Tensor]:
        """Values of each example of the test set, [n] each; their means are columns of a row.

        The names are among :attr:`columns`.
        """
        return {}

    def row_metrics(self, row: Mapping[str, float | int | None]) -> dict[str, float | None]:
        """Columns that follow from others of the same row, as a perplexity from ``test_cost``.

        The names are among :attr:`columns`.
        """
        return {}

    def prepare(self, inputs: Tensor) -> Tensor:
        """Stored inputs (uint8 or float, [n, ...]) as the model takes them."""
        return inputs

    def noise(self, batch: Batch, generator: torch.Generator) -> tuple[Tensor | None, ...]:
        """The draws of one training step on ``batch``, passed to the model after its inputs.

        Drawn once and shared by every trial of a stack, on the generator's device.
        """
        return ()

    def evaluation_noise(
        self, batch: Batch, generator: torch.Generator
    ) -> tuple[Tensor | None, ...]:
        """The draws of one evaluation; none unless the cost itself is a Monte-Carlo estimate."""
        return ()


class LinearTask(Task):
    """A task whose model is one ``nn.Linear`` and which states the derivative of its cost.

    Its gradient is then computed without autograd (:mod:`adam_repro.engine.linear_gradient`).
    """

    @abstractmethod
    def slopes(self, outputs: Tensor, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """Costs and errors [S, n] of the outputs [S, classes, n] of S trials, and d cost / d output.

        Must agree with :meth:`costs` and :meth:`errors`.
        """


def cross_entropy(output: Tensor, batch: Batch) -> Tensor:
    """Negative log likelihood -log softmax(output)[target] of each example, [n], in nats."""
    return nn.functional.cross_entropy(output, batch.targets, reduction="none")


def misclassified(output: Tensor, batch: Batch) -> Tensor:
    """Whether the largest of the outputs [n, classes] is not the target's, [n] bool."""
    return output.argmax(-1) != batch.targets


def drop(x: Tensor, mask: Tensor | None) -> Tensor:
    """``x`` with the units of a dropout mask; the mask holds 0 and 1/keep (inverted dropout)."""
    return x if mask is None else x * mask


def dropout_mask(shape: tuple[int, ...], rate: float, generator: torch.Generator) -> Tensor | None:
    """An inverted-dropout mask: 0 with probability ``rate``, else 1/(1 - rate); ``None`` at rate 0."""
    if rate == 0.0:
        return None
    keep = 1.0 - rate
    # bernoulli_ draws four times as long on a CPU.
    uniform = torch.rand(shape, generator=generator, device=generator.device)
    return uniform.ge_(rate).div_(keep)


def option(config: Mapping[str, Any], key: str, legal: Legal) -> Any:
    """``task.<key>``, which the task needs, checked.

    Raises:
        UserError: naming the option, its value and what is legal.
    """
    return validate.option(config, "task.", key, legal)
