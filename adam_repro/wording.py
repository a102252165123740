"""Words that messages share: numbers of things."""

from __future__ import annotations


def counted(number: int, noun: str) -> str:
    """Such as "1 trial" and "2 trials"; the noun's plural ends in s."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def are(number: int) -> str:
    """The verb for so many things: "is" or "are"."""
    return "is" if number == 1 else "are"
