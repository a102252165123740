"""The interface of a task: a model, a cost per example, and the random draws of its model."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from adam_repro import random_streams
from adam_repro.config import validate
from adam_repro.config.validate import Legal, Range
from adam_repro.data.dataset import Dataset
from adam_repro.errors import UserError
from adam_repro.tasks.options import Options

Inputs = Tensor | tuple[Tensor, ...]

DROPOUT_RATE = Range(ge=0, lt=1)


class Batch(NamedTuple):
    """A minibatch on the device.

    ``inputs``: [n, ...], or several such tensors, or (indices, offsets, values) of n sparse rows, as
    ``embedding_bag`` has them. ``targets``: int64 [n], or [n, ...] for sequences.
    """

    inputs: Inputs
    targets: Tensor


class InputSpec(NamedTuple):
    """The data a task can be trained on.

    ``values``: the number of values of a dense example, in any shape; for sparse rows, the largest
    number of columns. ``classes``: the largest number of classes; ``None`` if targets are not used.
    """

    values: int
    classes: int | None
    sparse: bool = False


class Task(ABC):
    """A model and a cost; no training loop, device, optimizer or random state.

    ``config`` is the resolved ``task`` section of the configuration. A task checks its own options
    and raises :class:`UserError` for an illegal one.
    """

    #: Columns that the task adds to metrics.csv, after the columns of every trial.
    columns: ClassVar[tuple[str, ...]] = ()

    #: Of `columns`, those with the mean training cost of each group of :meth:`groups`.
    group_columns: ClassVar[tuple[str, ...]] = ()

    #: Examples of an evaluation's minibatch.
    evaluation_batch: int = 1000

    #: Whether a stack can be computed as one batch: ``torch.func.vmap`` knows all of the model.
    batchable: ClassVar[bool] = True

    #: Whether :meth:`decode` is called.
    decodes: ClassVar[bool] = False

    def __init__(self, config: Mapping[str, Any]) -> None:
        self.config = config if isinstance(config, Options) else Options(config)
        self.l2 = float(option(self.config, "l2", Range(ge=0)))

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "model" in vars(cls) and "input_spec" not in vars(cls):
            cls.input_spec = None  # type: ignore[assignment,method-assign]

    @property
    def input_spec(self) -> InputSpec | None:
        """Data that do not match are rejected before training; ``None``: any data are accepted.

        A subclass that defines ``model`` does not inherit it: its model may need other data.
        """
        return None

    @property
    def stochastic(self) -> bool:
        """Whether the cost of a minibatch depends on random draws (dropout, latents)."""
        return False

    def prepare(self, dataset: Dataset) -> None:  # noqa: B027 - optional
        """Take from the data what the model depends on, as the number of words; before :meth:`model`."""

    def check_optimizer(self, optimizer: Mapping[str, Any]) -> None:  # noqa: B027 - optional
        """Refuse an ``optimizer`` section that the task cannot be trained with.

        Raises:
            UserError: naming the option, its value and what is legal.
        """

    def check_batch_size(self, batch_size: int) -> None:  # noqa: B027 - optional
        """Refuse a minibatch that the task cannot use.

        Raises:
            UserError: naming ``batch_size``, its value and what is legal.
        """

    @abstractmethod
    def model(self, generator: torch.Generator) -> nn.Module:
        """A new, initialised model; all random numbers come from ``generator``."""

    def initial_model(self, seed: int) -> nn.Module:
        """The model that trials of a seed begin with.

        Layers of torch.nn initialise themselves from PyTorch's global generator. It too has a seed of the
        trial's here, for models that leave them so, and is as before afterwards.
        """
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(random_streams.stream_seed(seed, "init", 1))
            return self.model(random_streams.generator(seed, "init"))

    @abstractmethod
    def costs(self, output: Any, batch: Batch) -> Tensor:
        """Cost of each example in nats, [n], without the L2 term.

        Or costs of its parts, [n, ...], as of the words of a text: their mean is the example's cost.
        """

    def errors(self, output: Any, batch: Batch) -> Tensor | None:
        """Whether each example is misclassified, [n]; ``None`` for a task without classes."""
        return None

    def test_metrics(self, output: Any, batch: Batch) -> dict[str, Tensor]:
        """Values of each test example, [n]; their means over the test set are logged.

        The keys are among :attr:`columns`. For the validation set, whose cost is logged if
        ``validation_cost`` is among the columns, so are they with the prefix ``validation_``.
        """
        return {}

    def row_metrics(self, row: Mapping[str, float | int | None]) -> dict[str, float | None]:
        """Columns computed from others of the same row, as a perplexity from ``test_cost``.

        The keys are among :attr:`columns`, or replace a value of the row.
        """
        return {}

    def groups(self, batch: Batch) -> Tensor | None:
        """The group of each training example, int64 [n]: a place in :attr:`group_columns`.

        Of each part, if :meth:`costs` has costs of parts: in its shape.
        """
        return None

    def batch_metrics(self, batch: Batch) -> dict[str, Tensor]:
        """Values, 0-dim, of a training minibatch that no parameter changes; their means are logged.

        The keys are among :attr:`columns`. All shapes are fixed and nothing waits for the device, so
        that a GPU can record it.
        """
        return {}

    def decode(
        self, model: nn.Module, dataset: Dataset, epoch: int, epochs: int
    ) -> Mapping[str, float | None]:
        """What only a whole model can say, as the BLEU of its translations; after epoch ``epoch``.

        Called for each trial, without gradients; ``epoch`` counts from 0. The keys are among
        :attr:`columns`.
        """
        return {}

    def initial_state(self, n: int, device: torch.device) -> tuple[Tensor, ...]:
        """The recurrent state before the first of a sequence of minibatches of n rows; () for none.

        If there is one, the model takes the state's tensors after its noise, and returns its output
        and the next state. The state is carried to the next minibatch as a constant. It begins anew
        in every epoch and every evaluation.
        """
        return ()

    def lengths(self, inputs: Tensor) -> Tensor:
        """The length of each stored example, [n], by which ``task.order=by_length`` sorts.

        Raises:
            UserError: where the examples have no lengths.
        """
        raise UserError(
            f"task.order=by_length: the examples of task={self.config['name']} have no lengths; "
            "use every_pass"
        )

    def preprocess(self, inputs: Tensor) -> Inputs:
        """Convert stored inputs (integers or float, [n, ...]) to the model's inputs."""
        return inputs

    def noise(self, batch: Batch, generator: torch.Generator) -> tuple[Tensor | None, ...]:
        """Random draws of one training step on ``batch``, the arguments of the model after its inputs.

        They are drawn once, on the generator's device, and shared by the trials of a stack.
        """
        return ()

    def evaluation_noise(
        self, batch: Batch, generator: torch.Generator
    ) -> tuple[Tensor | None, ...]:
        """Random draws of one evaluation; none unless the cost is a Monte-Carlo estimate."""
        return ()


class Classifier(Task):
    """A task with the cross entropy of the softmax of the outputs [n, classes] as its cost."""

    def costs(self, output: Any, batch: Batch) -> Tensor:
        return cross_entropy(output, batch)

    def errors(self, output: Any, batch: Batch) -> Tensor | None:
        return misclassified(output, batch)


class LinearTask(Task):
    """A task whose model is one ``nn.Linear``, with the derivative of its cost.

    Its gradient is computed without autograd (:mod:`adam_repro.engine.linear_gradient`).
    """

    @abstractmethod
    def output_gradients(self, outputs: Tensor, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """Costs and errors [S, n] of the outputs [S, classes, n] of S trials, and d cost / d output.

        Costs and errors must equal those of :meth:`costs` and :meth:`errors`.
        """


def cross_entropy(output: Tensor, batch: Batch) -> Tensor:
    """Negative log likelihood -log softmax(output)[target] of each example, [n], in nats."""
    return nn.functional.cross_entropy(output, batch.targets, reduction="none")


def misclassified(output: Tensor, batch: Batch) -> Tensor:
    """Whether the class of the largest output [n, classes] is not the target, bool [n]."""
    return output.argmax(-1) != batch.targets


def apply_mask(x: Tensor, mask: Tensor | None) -> Tensor:
    """``x`` times a mask of :func:`dropout_mask`."""
    return x if mask is None else x * mask


def dropout_mask(shape: tuple[int, ...], rate: float, generator: torch.Generator) -> Tensor | None:
    """An inverted-dropout mask: 0 with probability ``rate``, else 1/(1 - rate); ``None`` at rate 0."""
    if rate == 0.0:
        return None
    # bernoulli_ takes four times as long on a CPU.
    uniform = torch.rand(shape, generator=generator, device=generator.device)
    return uniform.ge_(rate).div_(1.0 - rate)


def option(config: Mapping[str, Any], key: str, legal: Legal) -> Any:
    """``task.<key>``, which must be given and legal.

    Raises:
        UserError: naming the option, its value and the legal values.
    """
    return validate.option(config, "task.", key, legal)
