"""A word-level language model with LSTM layers (Zaremba, Sutskever & Vinyals 2014, arXiv 1409.2329)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from adam_repro.config.validate import Choice, Whole, check
from adam_repro.data.dataset import Dataset
from adam_repro.errors import UserError
from adam_repro.kernels.softmax_cost import Logits, softmax_cost
from adam_repro.tasks.base import (
    DROPOUT_RATE,
    Batch,
    InputSpec,
    Task,
    apply_mask,
    dropout_mask,
    option,
)
from adam_repro.tasks.text import (
    TENTH_COLUMNS,
    TEXT_COLUMNS,
    FrequencyTenths,
    perplexities,
    touched_rows,
    word_counts,
)

INITIAL = 0.1  # half the width of the uniform distribution of the initial weights


class _Network(nn.Module):
    """An embedding, LSTM layers with dropout before, between and after them, and a softmax."""

    def __init__(self, words: int, embedding: int, hidden: int, layers: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(words, embedding)
        # Layers of their own, as the masks between them are given.
        widths = [embedding, *[hidden] * (layers - 1)]
        self.lstm = nn.ModuleList(nn.LSTM(width, hidden) for width in widths)
        self.output = nn.Linear(hidden, words)

    def forward(
        self, words: Tensor, *masks_and_state: Tensor | None
    ) -> tuple[Logits, tuple[Tensor, Tensor]]:
        """``words`` [n, steps]; a mask for each layer's inputs and the last outputs; h and c.

        Logits [steps * n, words] of the words that come next, steps first; and the next h and c.
        """
        *masks, h, c = masks_and_state
        assert h is not None
        assert c is not None
        x = apply_mask(self.embedding(words.t()), masks[0])
        after = []
        for i, (lstm, mask) in enumerate(zip(self.lstm, masks[1:], strict=True)):
            x, state = lstm(x, (h[i : i + 1], c[i : i + 1]))
            x = apply_mask(x, mask)
            after.append(state)
        h, c = (torch.cat(each) for each in zip(*after, strict=True))
        return Logits(x.flatten(0, 1), self.output.weight, self.output.bias), (h, c)


class LSTMLanguageModel(Task):
    """Predicts every word of a text from the words before it.

    The text is cut into ``task.data.tracks`` continuous tracks. A minibatch holds the next
    ``task.data.steps`` words of each; its first state is the last one of the minibatch before, as a
    constant (truncated backpropagation through time). An example is such a row. Its cost is the mean
    over its words, in nats. ``dropout`` is the rate at which the inputs of each layer and the last
    outputs are dropped; what is handed on within a layer is not.

    ``init``: weights of the embedding and the softmax are uniform on +-0.1 and the softmax has no bias.
    The LSTM's parameters are uniform on +-1/sqrt(hidden) with ``torch``, as in PyTorch's example
    ``word_language_model``. ``uniform``: everything on +-0.1, as Zaremba et al. have it.
    """

    columns = (*TEXT_COLUMNS, "touched_rows")
    group_columns = TENTH_COLUMNS

    def __init__(self, config: Mapping[str, Any]) -> None:
        super().__init__(config)
        self.init = option(config, "init", Choice("torch", "uniform"))
        self.embedding = option(config, "embedding", Whole(1))
        self.hidden = option(config, "hidden", Whole(1))
        self.layers = option(config, "layers", Whole(1))
        self.rate = option(config, "dropout", DROPOUT_RATE)
        option(config, "order", Choice("file"))  # the next minibatch continues the tracks
        data = config["data"]
        check("task.data.layout", data.get("layout"), Choice("tracks"))
        self.tracks = check("task.data.tracks", data.get("tracks"), Whole(1))
        self.steps = check("task.data.steps", data.get("steps"), Whole(1))
        self.evaluation_batch = self.tracks
        self.words = 0  # until the data say how many

    @property
    def input_spec(self) -> InputSpec | None:
        return InputSpec(self.steps, classes=None)

    @property
    def stochastic(self) -> bool:
        return self.rate > 0

    def check_batch_size(self, batch_size: int) -> None:
        if batch_size != self.tracks:
            raise UserError(
                f"batch_size={batch_size}: must be task.data.tracks={self.tracks}, as a minibatch of "
                f"task={self.config['name']} holds a row of each track; give both the same value"
            )

    def prepare(self, dataset: Dataset) -> None:
        self.tenths = FrequencyTenths(word_counts(self.config, dataset))
        self.words = dataset.classes

    @torch.no_grad()
    def model(self, generator: torch.Generator) -> nn.Module:
        net = _Network(self.words, self.embedding, self.hidden, self.layers)
        inner = INITIAL if self.init == "uniform" else self.hidden**-0.5
        for name, parameter in net.named_parameters():
            bound = inner if name.startswith("lstm.") else INITIAL
            if name == "output.bias" and self.init == "torch":
                parameter.zero_()
            else:
                parameter.uniform_(-bound, bound, generator=generator)
        return net

    def initial_state(self, n: int, device: torch.device) -> tuple[Tensor, ...]:
        return tuple(torch.zeros(2, self.layers, n, self.hidden, device=device))

    def noise(self, batch: Batch, generator: torch.Generator) -> tuple[Tensor | None, ...]:
        n = len(batch.targets)
        widths = (self.embedding, *[self.hidden] * self.layers)
        shapes = ((self.steps, n, width) for width in widths)
        return tuple(dropout_mask(shape, self.rate, generator) for shape in shapes)

    def evaluation_noise(
        self, batch: Batch, generator: torch.Generator
    ) -> tuple[Tensor | None, ...]:
        return (None,) * (1 + self.layers)

    def costs(self, output: Logits, batch: Batch) -> Tensor:
        words = batch.targets.t()
        return softmax_cost(output, words.flatten()).view(words.shape).t()

    def groups(self, batch: Batch) -> Tensor:
        return self.tenths(batch.targets)

    def batch_metrics(self, batch: Batch) -> dict[str, Tensor]:
        assert isinstance(batch.inputs, Tensor)
        return {"touched_rows": touched_rows(batch.inputs, self.words)}

    def row_metrics(self, row: Mapping[str, float | int | None]) -> dict[str, float | None]:
        return perplexities(row)
