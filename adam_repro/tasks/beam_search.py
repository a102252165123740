"""Translations by a decoder that gives one word at a time: the likeliest word, or a beam."""

from __future__ import annotations

import torch
from torch import Tensor

from adam_repro.data.parallel_text import BOS, EOS, PAD
from adam_repro.tasks.translator import Translator, trimmed


def limit(source: Tensor) -> int:
    """The most tokens of a translation of ``source`` [n, S]."""
    return 2 * source.shape[1] + 10


def greedy(model: Translator, source: Tensor) -> list[list[int]]:
    """For each source of ids [n, S] the translation whose every word is the likeliest."""
    source = trimmed(source)
    memory, state = model.encode(source)
    word = torch.full((len(source),), BOS, device=source.device)
    ended = torch.zeros_like(word, dtype=torch.bool)
    words = []
    for _ in range(limit(source)):
        log_p, state = model.step(word, state, memory)
        word = _possible(log_p).argmax(1).masked_fill(ended, PAD)
        words.append(word)
        ended |= word == EOS
        if bool(ended.all()):
            break
    return sentences(torch.stack(words, 1))


def beam(model: Translator, source: Tensor, width: int) -> list[list[int]]:
    """For each source the best of ``width`` hypotheses, by log p a token, the end included.

    At each step every hypothesis is continued by every word, and the ``width`` continuations with the
    highest log p stay. One that has ended stays as it is, as long as it is among them.
    """
    source = trimmed(source)
    n, device = len(source), source.device
    memory, state = model.encode(source)
    memory, state = memory.repeated(width), state.repeat_interleave(width, 0)
    first = torch.arange(n, device=device)[:, None] * width  # row of each source's first hypothesis
    score = torch.full((n, width), -torch.inf, device=device)
    score[:, 0] = 0.0  # at the start all hypotheses are the same one
    words = torch.full((n * width, 1), BOS, device=device)
    ended = torch.zeros(n * width, dtype=torch.bool, device=device)
    only_padding = torch.full((model.output.out_features,), -torch.inf, device=device)
    only_padding[PAD] = 0.0
    for _ in range(limit(source)):
        log_p, state = model.step(words[:, -1], state, memory)
        log_p = torch.where(ended[:, None], only_padding, _possible(log_p))
        every = (score.view(-1, 1) + log_p).view(n, -1)
        score, chosen = every.topk(width, 1)
        parent = (first + chosen // log_p.shape[1]).flatten()
        word = (chosen % log_p.shape[1]).flatten()
        words = torch.cat([words[parent], word[:, None]], 1)
        state, ended = state[parent], ended[parent] | (word == EOS)
        if bool(ended.all()):
            break
    lengths = (words[:, 1:] != PAD).sum(1).view(n, width)
    best = (first.squeeze(1) + (score / lengths).argmax(1)).flatten()
    return sentences(words[best, 1:])


def _possible(log_p: Tensor) -> Tensor:
    """log p [n, words] without what no sentence holds: padding and another beginning."""
    log_p[:, PAD] = log_p[:, BOS] = -torch.inf
    return log_p


def sentences(words: Tensor) -> list[list[int]]:
    """The ids of each row up to its end, without it."""
    return [row[: row.index(EOS)] if EOS in row else row for row in words.tolist()]
