"""Bengio et al. 2003's neural probabilistic language model: the next word from those before it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from adam_repro.config.validate import Flag, Whole
from adam_repro.data.dataset import Dataset
from adam_repro.kernels.embedding import embedding
from adam_repro.kernels.softmax_cost import Logits, softmax_cost
from adam_repro.tasks import text
from adam_repro.tasks.base import Batch, InputSpec, Task, option
from adam_repro.tasks.initialise import initialisation_name, initialise

# The most logits of an evaluation batch, 32 MB in float32.
EVALUATED_LOGITS = 2**23


class _Network(nn.Module):
    """The logits of the next word, from the numbers [n, context] of the words before it."""

    def __init__(self, words: int, context: int, features: int, hidden: int, direct: bool) -> None:
        super().__init__()
        width = context * features
        self.direct = direct
        self.features = nn.Parameter(torch.empty(words, features))  # C
        self.hidden = nn.Linear(width, hidden)  # H, d
        # U and W side by side: one product in place of two, and no sum of two arrays of logits.
        self.output = nn.Linear(hidden + width if direct else hidden, words)  # [U W], b

    def forward(self, context: Tensor) -> Logits:
        x = embedding(self.features, context).flatten(-2)
        h = torch.tanh(self.hidden(x))
        inputs = torch.cat([h, x], -1) if self.direct else h
        return Logits(inputs, self.output.weight, self.output.bias)


class NeuralLanguageModel(Task):
    """y = b + W x + U tanh(d + H x), x the features of the ``context`` words before the target.

    Equation 1 of Bengio et al. 2003; P(word) = softmax(y). ``task.features`` is their m,
    ``task.hidden`` their h, ``task.direct`` whether W is there, and the data's ``context`` their n - 1.
    The cost is -log P in nats a word. The vocabulary is that of the data set.
    """

    columns = (*text.TEXT_COLUMNS, "touched_rows")
    group_columns = text.TENTH_COLUMNS
    input_spec: InputSpec | None = None  # `prepare` checks the data

    def __init__(self, config: Mapping[str, Any]) -> None:
        super().__init__(config)
        self.init = initialisation_name(config)
        self.features = int(option(config, "features", Whole(1)))
        self.hidden = int(option(config, "hidden", Whole(1)))
        self.direct = bool(option(config, "direct", Flag()))

    def prepare(self, dataset: Dataset) -> None:
        self.tenths = text.FrequencyTenths(text.word_counts(self.config, dataset))
        self.vocabulary, self.context = dataset.classes, dataset.train.inputs.shape[1]
        self.evaluation_batch = max(1, min(1000, EVALUATED_LOGITS // self.vocabulary))

    def model(self, generator: torch.Generator) -> nn.Module:
        net = _Network(self.vocabulary, self.context, self.features, self.hidden, self.direct)
        return initialise(net, self.init, generator)

    def preprocess(self, inputs: Tensor) -> Tensor:
        return inputs.long()

    def costs(self, output: Logits, batch: Batch) -> Tensor:
        return softmax_cost(output, batch.targets)

    def groups(self, batch: Batch) -> Tensor:
        """The tenth of the training text that each target belongs to, by the word's frequency."""
        return self.tenths(batch.targets)

    def batch_metrics(self, batch: Batch) -> dict[str, Tensor]:
        """The share of the rows of C that the minibatch reads."""
        assert isinstance(batch.inputs, Tensor)
        return {"touched_rows": text.touched_rows(batch.inputs, self.vocabulary)}

    def row_metrics(self, row: Mapping[str, float | int | None]) -> dict[str, float | None]:
        return text.perplexities(row)
