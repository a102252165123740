"""Words and subwords: Moses tokens, and byte pair encoding (Sennrich et al. 2016).

Tokens are those of the Moses tokenizer, as ``sacremoses`` computes them, without its escapes. Byte pair
encoding is ``subword-nmt``, its authors' own: it is pure Python, it breaks ties by the letters, so that
one text always gives the same merges, and learning 10,000 of them takes ten seconds. A piece that does
not end its word carries the suffix ``@@``.
"""

from __future__ import annotations

import contextlib
import importlib
import io
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from adam_repro.errors import UserError

EXTRA = "pip install sacremoses subword-nmt sacrebleu"
SUFFIX = "@@"

Tokens = list[str]


def package(name: str) -> Any:
    """A module of the extra ``text``; UserError that names the extra when it is not installed."""
    try:
        return importlib.import_module(name)
    except ImportError:
        raise UserError(
            f"{name.partition('.')[0]} is not installed; translation needs it: {EXTRA}"
        ) from None


def tokenize(lines: Iterable[str], language: str, lowercase: bool) -> list[Tokens]:
    """The Moses tokens of each line; ``language`` is its two letters, for abbreviations and clitics."""
    tokenizer = package("sacremoses").MosesTokenizer(language)
    return [tokenizer.tokenize(line.lower() if lowercase else line, escape=False) for line in lines]


def learn_merges(sentences: Iterable[Sequence[str]], merges: int) -> str:
    """At most ``merges`` merges, most frequent pair first, in subword-nmt's own text format.

    Pairs that occur once are not merged.
    """
    learn = package("subword_nmt.learn_bpe").learn_bpe
    counts = Counter(word for sentence in sentences for word in sentence)
    words = [f"{word} {count}" for word, count in sorted(counts.items())]
    out = io.StringIO()
    with contextlib.redirect_stderr(io.StringIO()):  # a bar that cannot be switched off
        learn(words, out, merges, is_dict=True)
    return out.getvalue()


class Encoder:
    """Splits words into the pieces that the merges make of them."""

    def __init__(self, merges: str) -> None:
        count = len(merges.splitlines()) - 1  # said, because it ends the process at none
        self.bpe = package("subword_nmt.apply_bpe").BPE(io.StringIO(merges), merges=count)
        self.pieces: dict[str, Tokens] = {}

    def encode(self, words: Iterable[str]) -> Tokens:
        """The pieces of a sentence."""
        found: Tokens = []
        for word in words:
            if word not in self.pieces:
                self.pieces[word] = self.bpe.segment_tokens([word])
            found += self.pieces[word]
        return found


def join(pieces: Iterable[str]) -> str:
    """The words of a sentence of pieces, with single spaces between them."""
    text = " ".join(pieces).replace(f"{SUFFIX} ", "")
    return text.removesuffix(SUFFIX)  # a sentence that was cut off within a word


def by_frequency(sentences: Iterable[Sequence[str]]) -> Mapping[str, int]:
    """Every token with its number of occurrences: the most frequent first, ties by the letters."""
    counts = Counter(token for sentence in sentences for token in sentence)
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
