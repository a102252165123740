"""Words that messages share: numbers of things, and the name that is meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

MANY = 3  # names with the same beginning, of which none is guessed


def counted(number: int, noun: str) -> str:
    """Such as "1 trial" and "2 trials"; the noun's plural ends in s."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def are(number: int) -> str:
    """The verb for so many things: "is" or "are"."""
    return "is" if number == 1 else "are"


def suggestion(word: object, legal: Iterable[str], prefix: str = "") -> str:
    """`` (did you mean ...?)`` for a word that is spelt much like a legal one, or begins some; else nothing.

    Capitals do not count. Letters in another order come first: ``adma`` is ``adam``, and not ``adamax``.
    """
    given = str(word).lower()
    by_lower = {name.lower(): name for name in map(str, legal) if name != word}
    near = [name for name in by_lower if sorted(name) == sorted(given)][:1]
    begun = [name for name in by_lower if len(given) > 1 and name.startswith(given)]
    near = near or (begun if len(begun) <= MANY else [])
    near = near or difflib.get_close_matches(given, by_lower, n=1)
    meant = " or ".join(prefix + by_lower[name] for name in near)
    return f" (did you mean {meant}?)" if near else ""
