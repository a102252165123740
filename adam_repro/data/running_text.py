"""Running text as examples of word prediction: the vocabulary, and the text cut into rows.

layout=windows, for models that see the last words only: an example is the `context` words before a
word, and that word. Every word of the text is a target but the first `context`.

layout=tracks, for models that carry a state along: the text is cut into `tracks` continuous tracks of
equal length, and these into pieces of `steps` words. Row k * tracks + j is piece k of track j, so a
minibatch of `tracks` rows in order goes on where the one before it ended. The targets are the words one
place further on. What fills no piece is left out of training and of evaluation; a line on stderr says
how much.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from adam_repro.config.validate import Choice, Whole, check
from adam_repro.data import array_cache, word_ids
from adam_repro.data.dataset import Array, Dataset, Split
from adam_repro.data.sources import DatasetSource, fetch
from adam_repro.errors import UserError


class _WholeOrNull(Whole):
    def admits(self, value: object) -> bool:
        return value is None or super().admits(value)

    def __str__(self) -> str:
        return f"{super().__str__()}, or null for every word"


@dataclass(frozen=True)
class TextOptions:
    """Which words a text keeps, and how it is cut.

    vocabulary: the number of classes, <unk> among them: the most frequent words of the training text
    are kept, and the others become <unk>; null keeps all.
    min_count: words of fewer occurrences in the whole corpus become <unk>. Bengio et al. (2003) have 4.
    Raises UserError for an illegal value.
    """

    vocabulary: int | None = None
    min_count: int = 1
    layout: str = "windows"
    context: int = 4
    tracks: int = 20
    steps: int = 35

    def __post_init__(self) -> None:
        check("task.data.vocabulary", self.vocabulary, _WholeOrNull(2))
        check("task.data.layout", self.layout, Choice("windows", "tracks"))
        for name in ("min_count", "context", "tracks", "steps"):
            check(f"task.data.{name}", getattr(self, name), Whole(1))


def load(
    source: DatasetSource,
    *,
    vocabulary: int | None = None,
    min_count: int = 1,
    layout: str = "windows",
    context: int = 4,
    tracks: int = 20,
    steps: int = 35,
) -> Dataset:
    """A published text, cut into examples; see `TextOptions` and `arrange`. Raises UserError."""
    options = TextOptions(vocabulary, min_count, layout, context, tracks, steps)
    return arrange(source.name, fetch(source).arrays, options)


def arrange(name: str, arrays: Mapping[str, Array], options: TextOptions) -> Dataset:
    """The data set of a text's arrays (`word_ids` says which); its classes are its words.

    windows: inputs int32 [n - context, context], a view; targets int32 [n - context].
    tracks: inputs and targets int32 [pieces * tracks, steps].
    Raises UserError: a vocabulary that is larger than the corpus has, or a text that is too short.
    """
    arrays = _limit_vocabulary(name, arrays, options)
    cut = _windows if options.layout == "windows" else _tracks
    splits = {
        s: cut(f"{s} text of {name}", arrays[s], options) for s in word_ids.SPLITS if s in arrays
    }
    return Dataset(
        name,
        splits["train"],
        splits["test"],
        classes=len(arrays["counts"]),
        validation=splits.get("validation"),
        counts=arrays["counts"],
    )


def _limit_vocabulary(
    name: str, arrays: Mapping[str, Array], options: TextOptions
) -> Mapping[str, Array]:
    words = len(arrays["counts"])
    is_unknown = np.array([word == word_ids.UNKNOWN for word in word_ids.words_of(arrays)])
    kept = np.flatnonzero((arrays["totals"] >= options.min_count) & ~is_unknown)
    everything = len(kept) + int(is_unknown.any()) == words
    available = words if everything else len(kept) + 1
    wanted = available if options.vocabulary is None else options.vocabulary
    if wanted > available:
        rare = f" that occur at least {options.min_count} times, <unk> among them"
        raise UserError(
            f"task.data.vocabulary={wanted}: {name} has {available} words"
            f"{'' if options.min_count == 1 else rare}; choose at most {available}, or null for all"
        )
    if wanted == words:
        return arrays
    return word_ids.merge(arrays, kept[: wanted - 1])


def _windows(where: str, ids: Array, options: TextOptions) -> Split:
    context = options.context
    if len(ids) <= context:
        raise UserError(
            f"task.data.context={context}: the {where} has {len(ids)} words, and a window with its "
            f"target takes {context + 1}; choose a longer text or a smaller context"
        )
    return Split(np.lib.stride_tricks.sliding_window_view(ids[:-1], context), ids[context:])


def _tracks(where: str, ids: Array, options: TextOptions) -> Split:
    tracks, steps = options.tracks, options.steps
    length = len(ids) // tracks
    pieces = (length - 1) // steps
    if pieces < 1:
        raise UserError(
            f"task.data.tracks={tracks}: the {where} has {len(ids)} words, {max(length, 0)} a track, "
            f"and a row of steps={steps} with its last target takes {steps + 1}; "
            "choose a longer text, fewer tracks or fewer steps"
        )
    left_out = len(ids) - 1 - tracks * pieces * steps
    _say(f"layout=tracks leaves out {left_out} of {len(ids)} words of the {where}")
    rows = ids[: tracks * length].reshape(tracks, length)

    def cut(first: int) -> Array:
        part = rows[:, first : first + pieces * steps].reshape(tracks, pieces, steps)
        array = np.ascontiguousarray(part.swapaxes(0, 1)).reshape(-1, steps)
        array.setflags(write=False)
        return array

    return Split(cut(0), cut(1))


@functools.cache
def _say(text: str) -> None:
    """Print a line once a process: a sweep loads its text for every stack."""
    array_cache.log_to_stderr(text)
