"""The paper's sentences put to the test: a verdict for each, from the merged CSVs or its own drawings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from adam_repro.claims import measures, script_measurements
from adam_repro.claims.measures import Finding
from adam_repro.errors import UserError
from adam_repro.plots.context import Context
from adam_repro.statistics import MIN_SEEDS

TABLE = Path(__file__).parent / "claims.yaml"
SUPPORTED, CONTRADICTED, UNDECIDED = "supported", "contradicted", "undecided"


@dataclass(frozen=True)
class Claim:
    """A sentence of the paper and the measurement that decides it (see claims.yaml)."""

    id: str
    section: str
    figure: str
    claim: str
    measure: str
    series: str = ""
    versus: tuple[str, ...] = ()
    pairs: tuple[tuple[str, str], ...] = ()
    over: tuple[float | None, float | None] = (None, None)
    margin: float = 0.0
    bounds: tuple[float, float] = (0.0, 0.0)
    panels: Any = "all"
    beta2: float = 0.0
    note: str = ""

    @property
    def compared(self) -> list[tuple[str, str]]:
        return list(self.pairs) or [(self.series, other) for other in self.versus]


@dataclass(frozen=True)
class Verdict:
    """What became of a claim in one reading."""

    claim: Claim
    reading: str
    verdict: str
    findings: list[Finding] = field(default_factory=list)
    why: str = ""


Measure = Callable[[Claim, Context, str], list[Finding]]

MEASURES: dict[str, Measure] = {
    "lower": measures.ratios,
    "similar": measures.ratios,
    "no_higher": measures.ratios,
    "wall_time": measures.wall_time,
    "slower": measures.slower,
    "best_cells": measures.best_cells,
    "winner": measures.winner,
    "grid": measures.grid,
    "paper_cells": measures.paper_cells,
    "paper_stretched": measures.paper_stretched,
    "paper_divided": measures.paper_divided,
}


#: Measured by scripts/claims.py instead of by the trials of a figure.
MEASURED: dict[str, Callable[[Claim, Path | None], list[Finding]]] = {
    "memory": script_measurements.memory,
    "second_moment": script_measurements.second_moment,
}


def load() -> list[Claim]:
    """Every claim, in the order of the sections."""
    found = []
    for item in yaml.safe_load(TABLE.read_text()):
        item = {k: _frozen(v) for k, v in item.items()}
        found.append(Claim(**item))
        if found[-1].measure not in (*MEASURES, *MEASURED):
            raise UserError(f"claims.yaml: {found[-1].id}: measure={found[-1].measure}: unknown")
    return found


def _frozen(value: Any) -> Any:
    return tuple(_frozen(item) for item in value) if isinstance(value, list) else value


def judge(contexts: Mapping[str, Context], folder: Path | None = None) -> list[Verdict]:
    """Every claim in every reading of its figure; undecided where the figure is not there.

    ``folder``: where the CSVs of `MEASURED` lie.
    """
    found = []
    for claim in load():
        context = contexts.get(claim.figure)
        if claim.measure.startswith("paper_"):
            found.append(verdict(claim, context, "the paper"))
        elif claim.measure in MEASURED:
            found.append(_measured(claim, folder))
        elif context is None:
            found.append(Verdict(claim, "", UNDECIDED, why=f"{claim.figure} has no results"))
        else:
            readings = ["both"] if claim.measure == "grid" else context.figure.readings
            found += [verdict(claim, context, reading) for reading in readings]
    return found


def verdict(claim: Claim, context: Context | None, reading: str) -> Verdict:
    """One claim in one reading."""
    own = claim.measure.startswith("paper_")
    if context is None and not own:
        return Verdict(claim, reading, UNDECIDED, why=f"{claim.figure} has no results")
    if context is not None and context.generated and not own:
        return Verdict(claim, reading, UNDECIDED, why="generated data")
    try:
        findings = MEASURES[claim.measure](claim, context, reading)  # type: ignore[arg-type]
    except measures.NotMeasuredError as missing:
        return Verdict(claim, reading, UNDECIDED, why=str(missing))
    if own:
        return Verdict(claim, reading, decide(findings), findings, claim.note)
    if context is not None and not context.is_paper_scale:
        why = f"scale {context.scale} is not the paper's"
        return Verdict(claim, reading, UNDECIDED, findings, why)
    return _enough(claim, reading, findings)


def _measured(claim: Claim, folder: Path | None) -> Verdict:
    try:
        findings = MEASURED[claim.measure](claim, folder)
    except measures.NotMeasuredError as missing:
        return Verdict(claim, "", UNDECIDED, why=str(missing))
    return _enough(claim, "", findings)


def _enough(claim: Claim, reading: str, findings: list[Finding]) -> Verdict:
    """A verdict, where the interval stands on enough values."""
    n = min(finding.interval.n for finding in findings)
    if n < MIN_SEEDS:
        why = f"{n} {findings[0].over}{'s' * (n != 1)}, {MIN_SEEDS} are needed"
        return Verdict(claim, reading, UNDECIDED, findings, why)
    return Verdict(claim, reading, decide(findings), findings, claim.note)


def decide(findings: list[Finding]) -> str:
    """Supported when every finding supports, contradicted when any contradicts."""
    signs = [finding.sign for finding in findings]
    if any(sign < 0 for sign in signs):
        return CONTRADICTED
    return SUPPORTED if all(sign > 0 for sign in signs) else UNDECIDED
