"""Neural machine translation: an encoder and a decoder with attention (Bahdanau et al. 2014)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from adam_repro.config.validate import Whole
from adam_repro.data import subwords
from adam_repro.data.dataset import Dataset, Split
from adam_repro.data.parallel_text import PAD, ParallelDataset
from adam_repro.errors import UserError
from adam_repro.tasks import beam_search
from adam_repro.tasks.base import DROPOUT_RATE, Batch, Inputs, Task, dropout_mask, option
from adam_repro.tasks.initialise import initialisation_name, initialise
from adam_repro.tasks.translator import TokenCosts, Translator

DECODING_BATCH = 100
Search = Callable[[Translator, Tensor], list[list[int]]]


class Translation(Task):
    """Pairs of ids [n, 2, length] (`data.parallel_text`); the model is `translator.Translator`.

    ``embedding`` and ``state`` are the widths of its layers, ``dropout`` the rate of the embeddings,
    the encoder's states and the readout. The cost of a minibatch, and of the test set, is nats a token,
    the end of the sentence included: a sentence counts by its length.

    ``bleu_every``: epochs between translations of the validation set; 0: after the last epoch only;
    null: never. After the last one the test set is translated too, word by word and with ``beam``
    hypotheses. BLEU is of Moses tokens, in lower case where the data are (sacrebleu's signature:
    nrefs:1|case:mixed|eff:no|tok:none|smooth:exp), and no other BLEU compares with it.
    """

    columns: ClassVar[tuple[str, ...]] = (
        "validation_cost",
        "perplexity",
        "validation_perplexity",
        "sentence_cost",
        "validation_sentence_cost",
        "validation_bleu",
        "bleu",
        "bleu_beam",
    )
    batchable: ClassVar[bool] = False
    decodes: ClassVar[bool] = True
    evaluation_batch: int = 100

    def __init__(self, config: Mapping[str, Any]) -> None:
        super().__init__(config)
        self.init = initialisation_name(config)
        self.embedding = option(config, "embedding", Whole(1))
        self.state = option(config, "state", Whole(1))
        self.dropout_rate = option(config, "dropout", DROPOUT_RATE)
        self.beam = option(config, "beam", Whole(1))
        self.bleu_every = config.get("bleu_every")
        if self.bleu_every is not None:
            option(config, "bleu_every", Whole(0))

    @property
    def stochastic(self) -> bool:
        return self.dropout_rate > 0.0

    def prepare(self, dataset: Dataset) -> None:
        """Take the sizes of the vocabularies, and the mean length of the held-out sentences.

        Raises:
            UserError: data that are no pairs of sentences, or BLEU without sacrebleu.
        """
        if not isinstance(dataset, ParallelDataset):
            raise UserError(
                f"task.data.name={self.config['data']['name']}: it has no pairs of sentences; "
                f"task={self.config['name']} takes multi30k, parallel (your own) or synthetic_pairs"
            )
        if self.bleu_every is not None:
            subwords.package("sacrebleu")  # before training, and not at its end
        self.words = len(dataset.source_words), len(dataset.target_words)
        self.tokens = {"": _mean_length(dataset.test)}
        if dataset.validation is not None:
            self.tokens["validation_"] = _mean_length(dataset.validation)

    def model(self, generator: torch.Generator) -> nn.Module:
        return initialise(Translator(*self.words, self.embedding, self.state), self.init, generator)

    def preprocess(self, inputs: Tensor) -> Inputs:
        return inputs[:, 0].long(), inputs[:, 1].long()

    def lengths(self, inputs: Tensor) -> Tensor:
        """The number of target tokens, and of source tokens among those of equal ones."""
        source, target = (inputs != PAD).sum(2).unbind(1)
        return target * (inputs.shape[2] + 1) + source

    def noise(self, batch: Batch, generator: torch.Generator) -> tuple[Tensor | None, ...]:
        widths = (self.embedding, 2 * self.state, self.embedding, self.embedding)
        n = len(batch.targets)
        return tuple(dropout_mask((n, 1, width), self.dropout_rate, generator) for width in widths)

    def costs(self, output: TokenCosts, batch: Batch) -> Tensor:
        return output.costs.sum(1) * (len(output.tokens) / output.tokens.sum())

    def test_metrics(self, output: TokenCosts, batch: Batch) -> dict[str, Tensor]:
        return {"sentence_cost": output.costs.sum(1)}

    def row_metrics(self, row: Mapping[str, float | int | None]) -> dict[str, float | None]:
        found: dict[str, float | None] = {}
        for prefix, tokens in self.tokens.items():
            sentence = row.get(f"{prefix}sentence_cost")
            if sentence is not None:
                cost = sentence / tokens
                found[f"{prefix or 'test_'}cost"] = cost
                found[f"{prefix}perplexity"] = math.exp(cost) if cost < 700.0 else math.inf
        return found

    def decode(
        self, model: nn.Module, dataset: Dataset, epoch: int, epochs: int
    ) -> Mapping[str, float | None]:
        last = epoch + 1 == epochs
        every = self.bleu_every
        if every is None or not (last or (every and (epoch + 1) % every == 0)):
            return {}
        assert isinstance(model, Translator)
        assert isinstance(dataset, ParallelDataset)

        def wide(model: Translator, source: Tensor) -> list[list[int]]:
            return beam_search.beam(model, source, self.beam)

        found: dict[str, float | None] = {}
        if dataset.validation is not None:
            found["validation_bleu"] = score(model, dataset, "validation", beam_search.greedy)
        if last:
            found["bleu"] = score(model, dataset, "test", beam_search.greedy)
            found["bleu_beam"] = score(model, dataset, "test", wide)
        return found


def _mean_length(split: Split) -> float:
    return float((np.asarray(split.targets) != PAD).sum(1).mean())


def score(model: Translator, dataset: ParallelDataset, split: str, search: Search) -> float:
    """BLEU, in percent, of the translations of a held-out split."""
    return bleu(translate(model, dataset, split, search), dataset.references[split])


@torch.no_grad()
def translate(model: Translator, dataset: ParallelDataset, split: str, search: Search) -> list[str]:
    """The translation of every source of a split, as words with single spaces between them."""
    device = model.output.weight.device
    sources = torch.from_numpy(np.array(getattr(dataset, split).inputs[:, 0])).long()
    shortest_first = (sources != PAD).sum(1).argsort(stable=True)  # little padding in a minibatch
    found = [""] * len(sources)
    for rows in shortest_first.split(DECODING_BATCH):
        translations = search(model, sources[rows].to(device))
        for row, words in zip(rows.tolist(), translations, strict=True):
            found[row] = subwords.join(dataset.target_words[word] for word in words)
    return found


def bleu(translations: Sequence[str], references: Sequence[str]) -> float:
    """Corpus BLEU (Papineni et al. 2002) in percent, of tokens with one space between them."""
    sacrebleu = subwords.package("sacrebleu")
    result = sacrebleu.corpus_bleu(
        list(translations), [list(references)], tokenize="none", force=True
    )
    return float(result.score)
