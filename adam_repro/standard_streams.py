"""Standard output and error as they are in people's shells: closed, full, cut off, or not UTF-8.

Training must not end because nobody reads what it says. A stream that cannot be written to is given up,
and its user finds out afterwards (`failure`).
"""

from __future__ import annotations

import codecs
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO

#: What our texts use beyond ASCII, for a stream that cannot show it.
PLAIN = {
    "–": "-", "—": "-", "−": "-", "…": "...", "×": "x", "·": "-", "’": "'", "“": '"', "”": '"',
    "√": "sqrt", "λ": "lambda", "α": "alpha", "§": "section ",
}  # fmt: skip


def _degrade(error: UnicodeError) -> tuple[str, int]:
    """What stands in for the characters that a stream's encoding lacks."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lost = error.object[error.start : error.end]
    return "".join(PLAIN.get(character, "?") for character in lost), error.end


codecs.register_error("adam-repro", _degrade)


class Lenient:
    """A text stream whose failing writes are forgotten, but for the first error."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.failure: OSError | None = None

    def write(self, text: str) -> int:
        if self.failure is None:
            try:
                return self.stream.write(text)
            except OSError as error:
                self._give_up(error)
        return len(text)

    def flush(self) -> None:
        if self.failure is None:
            try:
                self.stream.flush()
            except OSError as error:
                self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        self.failure = error
        # What is still in its buffer has to go somewhere, or Python complains when it exits.
        with suppress(OSError):  # a stream without a file has no buffer
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.stream.fileno())
            os.close(nowhere)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


@contextmanager
def lenient() -> Iterator[Lenient]:
    """Both streams lenient for the block; gives standard output, to ask it for its failure."""
    _open_closed()
    before = sys.stdout, sys.stderr
    for stream in before:
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="adam-repro")
    out, error = Lenient(sys.stdout), Lenient(sys.stderr)
    sys.stdout, sys.stderr = out, error
    try:
        yield out
    finally:
        out.flush()
        error.flush()
        sys.stdout, sys.stderr = before


def _open_closed() -> None:
    """Open what the shell has closed: the next file opened would else get its number, and its text."""
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number: this one
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115
