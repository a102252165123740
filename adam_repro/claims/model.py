"""What a claim is, what its evidence is, and what a verdict consists of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from functools import cached_property
from typing import Any

import numpy as np

from adam_repro.statistics import Interval, one_sided_p, t_interval

SUPPORTED, CONTRADICTED, UNDECIDED = "supported", "contradicted", "undecided"

Window = tuple[float | None, float | None]  # first and last epoch; None: the first or last there is


class NotMeasuredError(Exception):
    """A claim cannot be decided; the message says what is missing."""


class Source(Enum):
    """Where the numbers of a measure come from. It fixes the arguments of the measure's function."""

    TRIALS = (
        auto()
    )  # function(evidence, context, reading), and the context of `Evidence.other`, if any
    PAPER = auto()  # the paper's own drawings: function(evidence)
    SCRIPT = auto()  # a CSV of scripts/claims.py: function(evidence, folder)


class Unit(Enum):
    """How a finding is printed."""

    RATIO = auto()  # of a logarithm, printed as a factor
    DIFFERENCE = auto()
    EXACT = auto()  # read off a drawing: the value alone
    IN_WORDS = auto()  # the text has the number


@dataclass(frozen=True, eq=False)
class Finding:
    """One comparison: the claim says that the mean of ``values`` [n], one a seed, is in (low, high).

    ``sign``: 1 or -1 where nothing is tested, because nothing is random.
    """

    what: str
    values: np.ndarray
    low: float = -np.inf
    high: float = np.inf
    unit: Unit = Unit.RATIO
    sample: str = "seed"  # what the values are of
    sign: int | None = None

    @cached_property
    def interval(self) -> Interval:
        return t_interval(self.values)

    @property
    def n(self) -> int:
        return len(self.values)

    def p_above(self, bound: float) -> float:
        """p of the test that the mean is above ``bound``."""
        return one_sided_p(self.values, bound)

    def p_below(self, bound: float) -> float:
        """p of the test that the mean is below ``bound``."""
        return one_sided_p(-self.values, -bound)

    @property
    def p_for(self) -> float:
        """p of the test that rejects a mean outside (low, high): the larger of two one-sided ones."""
        return max(self.p_above(self.low), self.p_below(self.high))

    @property
    def p_against(self) -> float:
        """p of the test that rejects a mean inside: twice the smaller one if both ends are finite."""
        ends = [self.p_below(self.low), self.p_above(self.high)]
        finite = [p for p, end in zip(ends, (self.low, self.high), strict=True) if np.isfinite(end)]
        return min(1.0, len(finite) * min(finite))

    @property
    def shows(self) -> int:
        """1 where the 95 % interval lies within (low, high), -1 where it lies outside, else 0."""
        if self.sign is not None:
            return self.sign
        found = self.interval
        inside = self.low < found.low and found.high < self.high
        return int(inside) - int(found.high < self.low or found.low > self.high)

    @property
    def slack(self) -> float:
        """How far the mean lies within (low, high); below 0 it lies outside."""
        return min(self.interval.mean - self.low, self.high - self.interval.mean)

    def __str__(self) -> str:
        if self.unit is Unit.IN_WORDS:
            return self.what
        if self.unit is Unit.EXACT:
            return f"{self.what} {self.interval.mean:.3f}"
        return f"{self.what} {self.interval.format(self.unit is Unit.RATIO)}"


@dataclass(frozen=True)
class Measure:
    """A function that gives the findings of a piece of evidence, or raises `NotMeasuredError`.

    ``of_the_grid``: it is about the grid itself, so the fitted settings have no such finding.
    """

    function: Callable[..., list[Finding]]
    source: Source = Source.TRIALS
    of_the_grid: bool = False


@dataclass(frozen=True)
class Evidence:
    """What a claim is judged by: a figure's trials, the measure, what is compared.

    ``windows``: the epochs to which the paper's words may refer. ``reading``: the trials that are the
    evidence, the tuned ones unless the YAML says why not. ``other``: the figure of the second series of
    each pair, where it is another one. ``claim``: the id of the claim.
    """

    claim: str
    figure: str
    measure: Measure
    series: str = ""
    versus: tuple[str, ...] = ()
    pairs: tuple[tuple[str, str], ...] = ()
    windows: tuple[Window, ...] = ((None, None),)
    margin: float = 0.0
    bounds: tuple[float, float] = (0.0, 0.0)
    panel: str = ""
    panels: Any = "all"
    beta2: float = 0.0
    quantity: str = ""
    default: float = 0.0  # a stepsize
    other: str = ""
    reading: str = "dense_grid"

    @property
    def compared(self) -> list[tuple[str, str]]:
        """The pairs of series (first, second) that are compared."""
        return list(self.pairs) or [(self.series, other) for other in self.versus]


@dataclass(frozen=True)
class Claim:
    """A sentence and the evidence for it (see claims.yaml). ``table``: a key of `TABLES`."""

    id: str
    section: str
    claim: str
    evidence: tuple[Evidence, ...]
    table: str = "paper"
    note: str = ""


#: The tables of verdicts, with their titles. The tests of a table are corrected together.
TABLES = {
    "paper": "The claims of the paper",
    "also": "Also measured",
    "beyond": "Further findings, on experiments that the paper does not have",
}


@dataclass(frozen=True)
class Verdict:
    """The outcome for one claim.

    ``findings``: of the evidence. ``fitted``: the same of the settings that follow the paper's curve;
    they show whether such settings exist, and are no evidence. ``p``: of the claim's test, before
    Holm's correction; NaN where nothing is tested. ``tuning``: trials of the tuning, by
    figure and series. ``why``: what is missing, or in what the findings disagree.
    """

    claim: Claim
    verdict: str
    findings: list[Finding] = field(default_factory=list)
    fitted: list[Finding] = field(default_factory=list)
    p: float = float("nan")
    tuning: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    why: str = ""
