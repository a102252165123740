"""What a claim is, how it is measured, and what a verdict consists of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any

from adam_repro.statistics import Interval

SUPPORTED, CONTRADICTED, UNDECIDED = "supported", "contradicted", "undecided"


class NotMeasuredError(Exception):
    """A claim cannot be decided; the message says what is missing."""


class Source(Enum):
    """Where the numbers of a measure come from. It fixes the arguments of the measure's function."""

    TRIALS = auto()  # function(claim, context, reading)
    PAPER = auto()  # the paper's own drawings: function(claim)
    SCRIPT = auto()  # a CSV of scripts/claims.py: function(claim, folder)


class Unit(Enum):
    """How a finding's interval is printed."""

    RATIO = auto()  # of a logarithm, printed as a factor
    DIFFERENCE = auto()
    EXACT = auto()  # read off a drawing: the value alone
    IN_WORDS = auto()  # the text has the number


@dataclass(frozen=True)
class Finding:
    """One comparison. ``sign``: 1 supports the claim, -1 contradicts it, 0 leaves it open."""

    what: str
    interval: Interval
    sign: int
    unit: Unit = Unit.RATIO
    sample: str = "seed"  # what the interval is over; empty: nothing is sampled

    def __str__(self) -> str:
        if self.unit is Unit.IN_WORDS:
            return self.what
        if self.unit is Unit.EXACT:
            return f"{self.what} {self.interval.mean:.3f}"
        return f"{self.what} {self.interval.format(self.unit is Unit.RATIO)}"


@dataclass(frozen=True)
class Measure:
    """How a claim is decided, and what a report prints of the test.

    ``function``: returns the findings, or raises `NotMeasuredError`; its arguments depend on ``source``.
    ``both_readings``: one finding compares the two readings, so there is one verdict, not one for each.
    ``prints_p``: the effect is tested against 0. ``prints_margin``: it is tested against the claim's margin.
    """

    function: Callable[..., list[Finding]]
    source: Source = Source.TRIALS
    both_readings: bool = False
    prints_p: bool = False
    prints_margin: bool = False


@dataclass(frozen=True)
class Claim:
    """A sentence of the paper and the measure that decides it (see claims.yaml).

    ``beyond``: the sentence is not the paper's, but a finding on an experiment that it does not have.
    """

    id: str
    section: str
    figure: str
    claim: str
    measure: Measure
    series: str = ""
    versus: tuple[str, ...] = ()
    pairs: tuple[tuple[str, str], ...] = ()
    over: tuple[float | None, float | None] = (None, None)
    margin: float = 0.0
    bounds: tuple[float, float] = (0.0, 0.0)
    panels: Any = "all"
    beta2: float = 0.0
    note: str = ""
    beyond: bool = False

    @property
    def compared(self) -> list[tuple[str, str]]:
        """The pairs of series (first, second) that are compared."""
        return list(self.pairs) or [(self.series, other) for other in self.versus]


@dataclass(frozen=True)
class Verdict:
    """The outcome for one claim in one reading. ``why``: what is missing, or the claim's note."""

    claim: Claim
    reading: str
    verdict: str
    findings: list[Finding] = field(default_factory=list)
    why: str = ""
