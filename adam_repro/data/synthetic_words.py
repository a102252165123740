"""Generated running text for tests. It is never used in place of a text that is missing."""

from __future__ import annotations

import numpy as np

from adam_repro.config.validate import Whole, check
from adam_repro.data import word_ids
from adam_repro.data.dataset import Array, Dataset
from adam_repro.data.running_text import TextOptions, arrange

TOKENS = 8000


def load(
    tokens: int | None = None,
    words: int = 200,
    seed: int = 0,
    *,
    vocabulary: int | None = None,
    min_count: int = 1,
    layout: str = "windows",
    context: int = 4,
    tracks: int = 20,
    steps: int = 35,
) -> Dataset:
    """Words of Zipf's law with pairs that attract each other; a quarter as long to validate, and to test.

    A word is drawn with probability proportional to 1/k, k = 1 ... `words`, or, every second time on
    average, it is the partner of the word before it (1 and 2 are partners, 3 and 4, ...): a model that
    sees the last word predicts better than one that knows the frequencies. Words that never occur are
    no classes. ``tokens``: words of the training text; null: `TOKENS`. The other options are those of
    `running_text.TextOptions`; raises UserError.
    """
    tokens = TOKENS if tokens is None else tokens
    for name, value in {"tokens": tokens, "words": words, "seed": seed}.items():
        check(f"task.data.{name}", value, Whole(0 if name == "seed" else 2))
    options = TextOptions(vocabulary, min_count, layout, context, tracks, steps)
    rng = np.random.default_rng(seed)
    lengths = {"train": tokens, "validation": -(-tokens // 4), "test": -(-tokens // 4)}
    splits = {split: _text(rng, length, words) for split, length in lengths.items()}
    names = [f"word{k}" for k in range(1, words + 1)]
    return arrange("synthetic_words", word_ids.rank(splits, names), options)


def _text(rng: np.random.Generator, length: int, words: int) -> Array:
    cumulative = np.cumsum(1 / np.arange(1, words + 1))
    drawn = np.searchsorted(cumulative, rng.random(length) * cumulative[-1], side="right")
    is_drawn = rng.random(length) < 0.5
    is_drawn[0] = True
    places = np.arange(length)
    last = np.maximum.accumulate(np.where(is_drawn, places, 0))  # the last place with a drawn word
    partner = drawn[last] ^ 1
    partner = np.where(partner < words, partner, drawn[last])  # an odd number leaves one alone
    return np.where((places - last) % 2 == 1, partner, drawn[last])
