"""IMDB's 50,000 labelled reviews as running text (Maas et al. 2011), from the archive that `imdb` reads.

A review is put in lower case. A word is a run of letters, digits and underscores; every other mark that
is no white space is a word of its own (so "don't" is three words); "<br />" is white space; <eos> ends a
review. Words that occur once are <unk> unless min_count says otherwise; 63,189 of 102,017 occur again.

The reviews follow each other by split, number and label: negative and positive ones take turns. The first
nine tenths train (all of the publisher's training reviews, and four fifths of its test reviews), a
twentieth validates and a twentieth tests: 45,000, 2,500 and 2,500 reviews.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from adam_repro.data import imdb, word_ids
from adam_repro.data.dataset import Array
from adam_repro.data.sources import DatasetSource, SourceError

WORD = re.compile(r"\w+|[^\w\s]")


def read_files(files: list[Path]) -> dict[str, Array]:
    """The arrays of the text (see `word_ids`), from the verified reviews."""
    reviews = sorted(imdb.read_reviews(files), key=_order)
    ends = _ends(len(reviews))
    parts = zip(word_ids.SPLITS, (0, *ends), (*ends, len(reviews)), strict=True)
    return word_ids.index({split: _words(reviews[first:end]) for split, first, end in parts})


def _order(review: imdb.Review) -> tuple[int, int, int]:
    split, label, number, _ = review
    return imdb.SPLITS.index(split), number, label


def _ends(reviews: int) -> tuple[int, int]:
    """How many reviews stand before the validation text, and before the test text."""
    return reviews * 9 // 10, reviews * 19 // 20


def _words(reviews: Sequence[imdb.Review]) -> Iterator[list[str]]:
    for _, _, _, text in reviews:
        words = WORD.findall(text.decode("utf-8").lower().replace("<br />", " "))
        yield [*words, word_ids.END_OF_LINE]


def verify(arrays: Mapping[str, Array]) -> None:
    """Raises SourceError unless every review has its end."""
    end = word_ids.words_of(arrays).index(word_ids.END_OF_LINE)
    reviews = 4 * imdb.PER_LABEL
    first, second = _ends(reviews)
    expected = dict(zip(word_ids.SPLITS, (first, second - first, reviews - second), strict=True))
    for split, number in expected.items():
        found = int(np.count_nonzero(arrays[split] == end))
        if found != number:
            raise SourceError(f"imdb_text: {split} has {found} reviews, {number} expected")


IMDB_TEXT = DatasetSource(
    name="imdb_text",
    version=1,
    description="12,512,600 + 674,580 + 664,614 words of 50,000 film reviews, 102,017 different",
    find=imdb.find_files,
    read=read_files,
    verify=verify,
    downloads=imdb.IMDB.downloads,
    instructions=imdb.IMDB.instructions,
)
