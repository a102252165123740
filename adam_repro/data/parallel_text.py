"""Sentence pairs of two languages as arrays of subword ids, also from a person's own files.

Both sides are split into Moses tokens and these into subwords (`subwords`). What is learned from text,
the merges and the vocabularies, is learned from the training pairs that are used, and from no other.
The arrays are cached, for each choice of the options, beside the text they were made of.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from adam_repro.config.validate import Flag, Whole, check
from adam_repro.data import array_cache, subwords
from adam_repro.data.dataset import Array, Dataset, Split
from adam_repro.data.subwords import Tokens
from adam_repro.errors import UserError

VERSION = 1
SPLITS = ("train", "validation", "test")
SIDES = ("source", "target")
#: Ids that every vocabulary begins with: padding, begin and end of a sentence, an unknown piece.
SPECIAL = ("<pad>", "<s>", "</s>", "<unk>")
PAD, BOS, EOS, UNK = range(len(SPECIAL))

Lines = dict[str, tuple[list[str], list[str]]]  # split -> the sentences of source and target


@dataclass(frozen=True)
class ParallelDataset(Dataset):
    """Sentence pairs. Inputs are ids, int32 [n, 2, length]: the source, and the target.

    Both end with `EOS` and are filled up with `PAD`; targets are the target's ids [n, length]. An id of
    either side is an index into its ``*_words``: `SPECIAL`, then the pieces of the training text by
    falling frequency. ``references``: for each held-out split the target's tokens, a line a sentence.
    """

    source_words: tuple[str, ...] = ()
    target_words: tuple[str, ...] = ()
    references: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Settings:
    """How text becomes ids; the options of `load` and of `multi30k.load`."""

    lowercase: bool
    merges: int
    joint: bool
    max_length: int
    pairs: int | None

    def __post_init__(self) -> None:
        check("task.data.lowercase", self.lowercase, Flag())
        check("task.data.merges", self.merges, Whole(0))
        check("task.data.joint", self.joint, Flag())
        check("task.data.max_length", self.max_length, Whole(1))
        if self.pairs is not None:
            check("task.data.pairs", self.pairs, Whole(1))

    @property
    def key(self) -> str:
        """A word that names these settings and no others."""
        case, side = ("lower" if self.lowercase else "cased"), ("joint" if self.joint else "each")
        first = "all" if self.pairs is None else str(self.pairs)
        return f"{case}-{side}{self.merges}-{self.max_length}-{first}"


def load(
    train_source: str,
    train_target: str,
    validation_source: str,
    validation_target: str,
    test_source: str,
    test_target: str,
    languages: str = "en-de",
    lowercase: bool = True,
    merges: int = 10_000,
    joint: bool = True,
    max_length: int = 60,
    pairs: int | None = None,
) -> ParallelDataset:
    """A person's own pairs: six UTF-8 files, line i of a source beside line i of its target.

    ``languages``: of source and target, for the tokenizer. ``merges``: of the byte pair encoding,
    learned from both sides if ``joint``, else from each. ``max_length``: the most pieces of a sentence;
    longer training pairs are left out, and counted on stderr. ``pairs``: train on the first so many.

    Raises UserError: a file that cannot be read, is empty or not UTF-8; an empty sentence; sides of
    unequal length; a held-out sentence that is too long.
    """
    settings = Settings(lowercase, merges, joint, max_length, pairs)
    paths = {
        "train": (train_source, train_target),
        "validation": (validation_source, validation_target),
        "test": (test_source, test_target),
    }
    contents = {split: [_content(str(path)) for path in pair] for split, pair in paths.items()}
    digest = hashlib.sha256(f"{languages} {settings.key}".encode())
    for pair in contents.values():
        for content in pair:
            digest.update(f" {len(content)} ".encode() + content)

    def read() -> Lines:
        return {
            split: _pair(
                [decode(c, str(p)) for c, p in zip(contents[split], paths[split], strict=True)],
                paths[split],
            )
            for split in SPLITS
        }

    key = f"parallel-{digest.hexdigest()[:16]}"
    return prepare("parallel", key, digest.hexdigest(), read, language_pair(languages), settings)


def language_pair(languages: str) -> tuple[str, str]:
    """The two languages of ``en-de``; UserError for anything else."""
    source, dash, target = str(languages).partition("-")
    if not (dash and source and target):
        raise UserError(
            f"task.data.languages={languages}: must be two languages with a dash, as en-de"
        )
    return source, target


def _content(path: str) -> bytes:
    try:
        return Path(path).expanduser().read_bytes()
    except OSError as error:
        raise UserError(
            f"{path}: cannot be read ({error.strerror or error}); give text files as "
            "task.data.train_source=FILE and so on"
        ) from None


def decode(content: bytes, where: str) -> list[str]:
    """The sentences of a UTF-8 text, one a line; UserError naming the fault and its line."""
    try:
        lines = content.decode("utf-8").removesuffix("\n").split("\n")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise UserError(
            f"{where}, line {line}: not UTF-8; convert the file, as with iconv"
        ) from None
    if not content.strip():
        raise UserError(f"{where}: the text is empty; it must have a sentence a line")
    for number, sentence in enumerate(lines, 1):
        if not sentence.strip():
            raise UserError(f"{where}, line {number}: an empty sentence; remove the pair")
    return lines


def _pair(sides: list[list[str]], paths: tuple[str, str]) -> tuple[list[str], list[str]]:
    source, target = sides
    if len(source) != len(target):
        raise UserError(
            f"{paths[0]} has {len(source)} lines and {paths[1]} has {len(target)}; "
            "line i of one must be the translation of line i of the other"
        )
    return source, target


def prepare(
    name: str,
    key: str,
    base: str,
    read: Callable[[], Lines],
    languages: tuple[str, str],
    settings: Settings,
) -> ParallelDataset:
    """The data set of a text, encoded on first use and cached under ``key``.

    ``base``: sha256 of the text, which makes a cached file invalid when it changes.
    """

    def cached() -> array_cache.CacheFile | None:
        found = array_cache.open_if_valid(key, VERSION)
        return found if found and found.header["base"] == base else None

    file = cached()
    if file is None:
        with array_cache.lock(key):
            file = cached()  # another process may have written it meanwhile
            if file is None:
                array_cache.log_to_stderr(f"{name}: splitting the text into subwords, once")
                arrays, dropped = encode(read(), languages, settings)
                header = {"base": base, "origin": f"computed from {name}", "dropped": dropped}
                file = array_cache.open_file(array_cache.write_file(key, VERSION, arrays, **header))
    if file.header["dropped"]:
        array_cache.log_to_stderr(
            f"{name}: {file.header['dropped']} training pairs of more than "
            f"task.data.max_length={settings.max_length} pieces are left out"
        )
    return _dataset(name, file.arrays)


def encode(
    lines: Lines, languages: tuple[str, str], settings: Settings
) -> tuple[dict[str, Array], int]:
    """The arrays to cache, and the number of training pairs that were left out as too long."""
    lines = {**lines, "train": _first(lines["train"], settings.pairs)}
    words = {  # [split][side] -> tokens
        split: [
            subwords.tokenize(side, language, settings.lowercase)
            for side, language in zip(pair, languages, strict=True)
        ]
        for split, pair in lines.items()
    }
    encoders = _encoders(words["train"], settings)
    pieces = {
        split: [
            [encoder.encode(sentence) for sentence in side]
            for side, encoder in zip(pair, encoders, strict=True)
        ]
        for split, pair in words.items()
    }
    pieces["train"], dropped = _without_long(pieces["train"], settings.max_length)
    arrays: dict[str, Array] = {}
    vocabularies = []
    for side, sentences in zip(SIDES, pieces["train"], strict=True):
        counts = subwords.by_frequency(sentences)
        vocabularies.append({word: i for i, word in enumerate((*SPECIAL, *counts))})
        arrays[f"{side}_words"] = _text(vocabularies[-1])
        arrays[f"{side}_counts"] = np.array([0, 0, len(sentences), 0, *counts.values()], np.int64)
    for split, pair in pieces.items():
        if split != "train":
            _refuse_long(split, pair, settings.max_length)
            arrays[f"{split}_references"] = _text(" ".join(tokens) for tokens in words[split][1])
        arrays[split] = pair_ids(pair, vocabularies)
    return arrays, dropped


def _first(pair: tuple[list[str], list[str]], pairs: int | None) -> tuple[list[str], list[str]]:
    check("task.data.pairs", pairs if pairs is not None else 1, Whole(1, le=len(pair[0])))
    return pair[0][:pairs], pair[1][:pairs]


def _encoders(train: list[list[Tokens]], settings: Settings) -> list[subwords.Encoder]:
    texts = [[*train[0], *train[1]]] if settings.joint else train
    encoders = [subwords.Encoder(subwords.learn_merges(text, settings.merges)) for text in texts]
    return encoders * 2 if settings.joint else encoders


def _without_long(pair: list[list[Tokens]], limit: int) -> tuple[list[list[Tokens]], int]:
    kept = [both for both in zip(*pair, strict=True) if max(map(len, both)) <= limit]
    if not kept:
        shortest = min(max(map(len, both)) for both in zip(*pair, strict=True))
        raise UserError(
            f"task.data.max_length={limit}: every training pair is longer; "
            f"the shortest has {shortest} pieces"
        )
    return [[both[side] for both in kept] for side in range(2)], len(pair[0]) - len(kept)


def _refuse_long(split: str, pair: list[list[Tokens]], limit: int) -> None:
    # A score over a part of the held-out sentences could not be compared with any other.
    for side, sentences in zip(SIDES, pair, strict=True):
        number, length = max(enumerate(map(len, sentences), 1), key=lambda item: item[1])
        if length > limit:
            raise UserError(
                f"task.data.max_length={limit}: line {number} of the {split} set's {side} has "
                f"{length} pieces; choose at least {length}, or shorten the line"
            )


def pair_ids(pair: list[list[Tokens]], vocabularies: list[dict[str, int]]) -> Array:
    """The ids of two sides, int32 [n, 2, length], each with `EOS` and padding at its end."""
    length = 1 + max(len(sentence) for side in pair for sentence in side)
    ids = np.full((len(pair[0]), 2, length), PAD, np.int32)
    for side, (sentences, vocabulary) in enumerate(zip(pair, vocabularies, strict=True)):
        for row, sentence in enumerate(sentences):
            ids[row, side, : len(sentence)] = [vocabulary.get(piece, UNK) for piece in sentence]
            ids[row, side, len(sentence)] = EOS
    return ids


def _text(lines: Iterable[str]) -> Array:
    return np.frombuffer("\n".join(lines).encode("utf-8"), np.uint8)


def _lines(array: Array) -> tuple[str, ...]:
    return tuple(array.tobytes().decode("utf-8").split("\n"))


def _dataset(name: str, arrays: Mapping[str, Array]) -> ParallelDataset:
    splits = {split: Split(arrays[split], arrays[split][:, 1]) for split in SPLITS}
    words = {side: _lines(arrays[f"{side}_words"]) for side in SIDES}
    return ParallelDataset(
        name,
        splits["train"],
        splits["test"],
        classes=len(words["target"]),
        validation=splits["validation"],
        counts=arrays["target_counts"],
        source_words=words["source"],
        target_words=words["target"],
        references={split: _lines(arrays[f"{split}_references"]) for split in SPLITS[1:]},
    )
