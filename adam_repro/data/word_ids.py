"""Words as numbers: an id is a word's rank by frequency in the training text, 0 the most frequent.

The arrays of a text, as the cache holds them:

    train, validation, test   int32 [tokens], the ids of the running text, one array a split
    words                     uint8, the words in the order of their ids, UTF-8, joined by newlines
    counts, totals            int64 [words], occurrences in the training text, and in all splits
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from adam_repro.data.dataset import Array

UNKNOWN, END_OF_LINE = "<unk>", "<eos>"
SPLITS = ("train", "validation", "test")


def index(texts: Mapping[str, Iterable[Sequence[str]]]) -> dict[str, Array]:
    """The arrays of the splits' texts; a text comes in pieces, each a list of words.

    One piece at a time is in memory as words: a text of 13 million words as strings takes a gigabyte.
    """
    numbers: defaultdict[str, int] = defaultdict()
    numbers.default_factory = numbers.__len__  # a new word gets the next number

    def encode(pieces: Iterable[Sequence[str]]) -> Array:
        empty = np.empty(0, np.int32)
        arrays = (np.fromiter(map(numbers.__getitem__, p), np.int32, len(p)) for p in pieces)
        return np.concatenate([empty, *arrays])

    splits = {name: encode(pieces) for name, pieces in texts.items()}
    return rank(splits, list(numbers))


def rank(splits: Mapping[str, Array], words: Sequence[str]) -> dict[str, Array]:
    """The arrays of splits whose numbers are places in `words`; words that never occur are left out.

    Words of equal training count are in alphabetical order.
    """
    counts = {name: np.bincount(ids, minlength=len(words)) for name, ids in splits.items()}
    train, totals = counts["train"], sum(counts.values(), np.zeros(len(words), np.int64))
    order = sorted(np.flatnonzero(totals).tolist(), key=lambda i: (-train[i], words[i]))
    ids = np.zeros(len(words), np.int32)
    ids[order] = np.arange(len(order), dtype=np.int32)
    arrays: dict[str, Array] = {name: ids[split] for name, split in splits.items()}
    text = "\n".join(words[i] for i in order)
    arrays["words"] = np.frombuffer(text.encode("utf-8"), np.uint8)
    return {**arrays, "counts": train[order].astype(np.int64), "totals": totals[order]}


def words_of(arrays: Mapping[str, Array]) -> list[str]:
    """The word of each id."""
    return arrays["words"].tobytes().decode("utf-8").split("\n")


def decode(arrays: Mapping[str, Array], split: str) -> list[str]:
    """The words of a split's text."""
    words = words_of(arrays)
    return [words[i] for i in arrays[split].tolist()]


def merge(arrays: Mapping[str, Array], chosen: Array) -> dict[str, Array]:
    """The splits and the counts when every word but the `chosen` ids, increasing, becomes <unk>.

    <unk> gets the place that its count gives it; the others keep their order.
    """
    counts = arrays["counts"][chosen]
    counts = np.append(counts, arrays["counts"].sum() - counts.sum())
    order = np.argsort(-counts, kind="stable")
    ids = np.empty(len(order), np.int32)
    ids[order] = np.arange(len(order), dtype=np.int32)
    table = np.full(len(arrays["counts"]), ids[-1], np.int32)
    table[chosen] = ids[:-1]
    splits = {name: table[arrays[name]] for name in SPLITS if name in arrays}
    return {**splits, "counts": counts[order]}
