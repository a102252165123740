"""What a value may be, and the one wording in which an illegal one is refused.

``check("epochs", 0, Whole(1))`` raises ``epochs=0: must be a whole number, at least 1``.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Protocol

from adam_repro.errors import UserError
from adam_repro.wording import suggestion

LARGEST = 3.4e38  # parameters and their updates are float32
LARGEST_WHOLE = 2**63 - 1  # counts are 64-bit integers


class Legal(Protocol):
    """A set of legal values; its text completes the sentence "must be ..."."""

    def admits(self, value: object) -> bool:
        """Whether the value is one of them."""


class Range:
    """A finite number in an interval: `gt` or `ge` is its lower end, `lt` or `le` its upper end.

    None is larger than `LARGEST`: float32 would make it infinite.
    """

    largest = LARGEST

    def __init__(
        self,
        *,
        gt: float | None = None,
        ge: float | None = None,
        lt: float | None = None,
        le: float | None = None,
    ) -> None:
        self.gt, self.ge, self.lt, self.le = gt, ge, lt, le

    def admits(self, value: object) -> bool:
        """Whether `value` is a finite number inside the interval (a bool is not a number here)."""
        if isinstance(value, bool) or not isinstance(value, numbers.Real):
            return False
        try:
            value = float(value)
        except OverflowError:  # a whole number of hundreds of digits
            return False
        return (
            math.isfinite(value)
            and abs(value) <= self.largest
            and (self.gt is None or value > self.gt)
            and (self.ge is None or value >= self.ge)
            and (self.lt is None or value < self.lt)
            and (self.le is None or value <= self.le)
        )

    def __str__(self) -> str:
        lower = (("above", self.gt), ("at least", self.ge))
        upper = (("below", self.lt), ("at most", self.le))
        ends = [f"{word} {end:g}" for word, end in (*lower, *upper) if end is not None]
        return ", ".join(["a finite number", " and ".join(ends)]) if ends else "a finite number"


class Whole(Range):
    """A whole number, at least ``ge`` and at most ``le``.

    ``counts``: it is a number of things, at most `LARGEST_WHOLE`; a seed may have more digits.
    """

    largest = math.inf

    def __init__(self, ge: int, le: int | None = None, counts: bool = True) -> None:
        super().__init__(ge=ge, le=le)
        self.counts = counts

    def admits(self, value: object) -> bool:
        small = isinstance(value, int) and (value <= LARGEST_WHOLE or not self.counts)
        return small and super().admits(value)

    def __str__(self) -> str:
        return super().__str__().replace("finite", "whole")


class Choice:
    """One of a few words, in the order in which they are listed to the user."""

    def __init__(self, *values: str) -> None:
        self.values = values

    def admits(self, value: object) -> bool:
        """Whether `value` is one of the words."""
        return isinstance(value, str) and value in self.values

    def __str__(self) -> str:
        return f"one of {', '.join(self.values)}"


class Flag:
    """true or false."""

    def admits(self, value: object) -> bool:
        """Whether `value` is a boolean."""
        return isinstance(value, bool)

    def __str__(self) -> str:
        return "true or false"


class FolderName:
    """A word that can name a folder of its own among the results."""

    def admits(self, value: object) -> bool:
        """Whether `value` is a word without slashes, and none of "." and ".."."""
        return (
            isinstance(value, str)
            and value not in ("", ".", "..")
            and not set(value) & set("/\\\0")
        )

    def __str__(self) -> str:
        return "a word that can name a folder, without slashes"


def check(option: str, value: Any, legal: Legal) -> Any:
    """``value``, if it is legal.

    Raises:
        UserError: naming the option, the value and what is legal.
    """
    if not legal.admits(value):
        near = (
            suggestion(value, legal.values) if isinstance(legal, Choice) else _limit(value, legal)
        )
        raise UserError(f"{option}={_shown(value)}: must be {legal}{near}")
    return value


def _shown(value: Any) -> str:
    """The value for a message; of hundreds of digits, the first and how many there are."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 10**40:
        digits = int(value.bit_length() * math.log10(2)) + 1  # str() refuses thousands of them
        return f"a number of about {digits} digits"
    return str(value)


def _limit(value: Any, legal: Legal) -> str:
    """The end of a message for a number that is too large for the machine; else nothing."""
    if (
        not isinstance(legal, Range)
        or isinstance(value, bool)
        or not isinstance(value, int | float)
    ):
        return ""
    if isinstance(legal, Whole) and legal.counts and legal.le is None and value > LARGEST_WHOLE:
        return " and at most 2^63 - 1"
    large = isinstance(value, float) and LARGEST < abs(value) < math.inf
    return f" and at most {LARGEST:g} in size" if large and legal.le is None else ""


def option(section: Mapping[str, Any], prefix: str, key: str, legal: Legal) -> Any:
    """``section[key]``, if it is there and legal; ``prefix`` is the section's, as ``task.``.

    Raises:
        UserError: naming the option, the value and what is legal.
    """
    if key not in section:
        raise UserError(f"{prefix}{key}: missing; must be {legal}")
    return check(prefix + key, section[key], legal)


def known(section: Iterable[str], legal: Collection[str], prefix: str = "") -> None:
    """Refuse keys that a section does not have.

    Raises:
        UserError: naming the key, the legal ones, and one that is spelt much like it.
    """
    for key in section:
        if key not in legal:
            raise UserError(f"{prefix}{key}: there is no such option{_legal(key, legal, prefix)}")


def _legal(key: str, legal: Collection[str], prefix: str) -> str:
    names = ", ".join(prefix + name for name in legal) or "none"
    return f"; legal here: {names}{suggestion(key, legal, prefix)}"
