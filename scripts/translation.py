"""Training translation by hand, to measure the engine against: the same network of PyTorch's layers.

Tensors in memory, minibatches of sentences of one length, trimmed to their longest, cuDNN's kind of
layers where there are any, `torch.optim.Adam(fused=True)`, costs looked at once an epoch.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, pad
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from adam_repro import data
from adam_repro.config import compose
from adam_repro.config.trial import Run
from adam_repro.runs.execute import execute
from jobs import Clock

EPOCHS, BATCH = 3, 64


class ByHand(nn.Module):
    def __init__(self, source_words: int, target_words: int, e: int = 128, h: int = 256) -> None:
        super().__init__()
        self.source, self.target = nn.Embedding(source_words, e), nn.Embedding(target_words, e)
        self.encoder = nn.GRU(e, h, batch_first=True, bidirectional=True)
        self.start, self.keys = nn.Linear(h, h), nn.Linear(2 * h, h)
        self.query, self.energy = nn.Linear(h, h, bias=False), nn.Linear(h, 1, bias=False)
        self.cell, self.readout = nn.GRUCell(e + 2 * h, h), nn.Linear(e + 3 * h, e)
        self.output = nn.Linear(e, target_words)

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        """The summed cost of the targets' tokens."""
        padding = source == 0
        lengths = (~padding).sum(1).cpu()
        packed = pack_padded_sequence(
            self.source(source), lengths, batch_first=True, enforce_sorted=False
        )
        states, last = self.encoder(packed)
        states = pad_packed_sequence(states, batch_first=True)[0]
        keys, s = self.keys(states), torch.tanh(self.start(last[1]))
        readouts = []
        for word in self.target(pad(target[:, :-1], (1, 0), value=1)).unbind(1):
            energy = self.energy(torch.tanh(keys + self.query(s)[:, None])).squeeze(2)
            weights = energy.masked_fill(padding, -torch.inf).softmax(1)
            context = torch.bmm(weights[:, None], states).squeeze(1)
            s = self.cell(torch.cat([word, context], 1), s)
            readouts.append(torch.tanh(self.readout(torch.cat([s, word, context], 1))))
        logits = self.output(torch.stack(readouts, 1))
        return cross_entropy(
            logits.flatten(0, 1), target.flatten(), ignore_index=0, reduction="sum"
        )


def _trimmed(ids: Tensor) -> Tensor:
    return ids[:, : int((ids != 0).sum(1).max())]


def _cost(model: ByHand, pairs: Tensor) -> tuple[Tensor, Tensor]:
    source, target = (_trimmed(side) for side in pairs.unbind(1))
    return model(source, target), (target != 0).sum()


def lean(pairs: int) -> float:
    """Seconds of an epoch by hand, with the evaluation of both held-out sets."""
    dataset = data.load("multi30k", pairs=pairs)
    train, validation, test = (
        torch.from_numpy(np.array(split.inputs)).long()
        for split in (dataset.train, dataset.validation, dataset.test)
    )
    model = ByHand(len(dataset.source_words), len(dataset.target_words))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)
    lengths = (train != 0).sum(2)
    ends = []
    for _ in range(EPOCHS):
        rows: list[Tensor] = []
        for pool in torch.randperm(len(train)).split(20 * BATCH):
            pool = pool[(lengths[pool, 1] * 100 + lengths[pool, 0]).argsort()]
            rows += [one for one in pool.split(BATCH) if len(one) == BATCH]
        total = torch.zeros(())
        for i in torch.randperm(len(rows)).tolist():
            optimizer.zero_grad()
            cost, tokens = _cost(model, train[rows[i]])
            mean = cost / tokens
            mean.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 5.0)
            optimizer.step()
            total += mean.detach()
        with torch.no_grad():
            for held_out in (validation, test):
                for part in held_out.split(100):
                    total += _cost(model, part)[0]
        total.item()
        ends.append(time.perf_counter())
    return (ends[-1] - ends[0]) / (EPOCHS - 1)


def ours(pairs: int) -> float:
    """Seconds of an epoch in the engine, with its rows and checkpoints; nothing is translated."""
    trial = compose.trial(
        ["task=nmt", "optimizer=adam", "task.dropout=0", "task.bleu_every=null",
         f"batch_size={BATCH}", f"epochs={EPOCHS}", f"+task.data.pairs={pairs}"]
    )  # fmt: skip
    clock = Clock()
    with tempfile.TemporaryDirectory() as results:
        execute([trial], Run(device="cpu", results_dir=Path(results), progress=False), [clock])
    return (clock.ends[-1] - clock.ends[0]) / (EPOCHS - 1)
