"""Judge the claims of the paper: one verdict for each claim and reading."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from adam_repro.claims import groups, measures, paper_measurements, scaling, script_measurements
from adam_repro.claims.model import (
    CONTRADICTED,
    SUPPORTED,
    UNDECIDED,
    Claim,
    Finding,
    Measure,
    NotMeasuredError,
    Source,
    Verdict,
)
from adam_repro.errors import UserError
from adam_repro.plots.context import Context
from adam_repro.statistics import MIN_SEEDS

CLAIMS_FILE = Path(__file__).parent / "claims.yaml"

#: By the name that claims.yaml gives them.
MEASURES = {
    "lower": Measure(measures.cost_ratio_below, prints_p=True),
    "similar": Measure(measures.cost_ratio_within, prints_margin=True),
    "no_higher": Measure(measures.cost_ratio_below, prints_margin=True),
    "wall_time": Measure(measures.cost_ratio_at_equal_times, prints_p=True),
    "slower": Measure(measures.epoch_time_ratio),
    "best_cells": Measure(measures.bias_correction_gain),
    "winner": Measure(measures.best_setting, prints_p=True),
    "grid": Measure(measures.best_stepsize, both_readings=True),
    "exponent": Measure(scaling.exponent),
    "closed_form": Measure(scaling.closed_form),
    "gap_larger": Measure(groups.gap_larger, prints_p=True),
    "paper_cells": Measure(paper_measurements.bias_correction_gain, Source.PAPER),
    "paper_stretched": Measure(paper_measurements.wall_time_axis, Source.PAPER),
    "paper_divided": Measure(paper_measurements.logged_digits, Source.PAPER),
    "memory": Measure(script_measurements.sfo_memory, Source.SCRIPT, prints_margin=True),
    "second_moment": Measure(script_measurements.second_moment, Source.SCRIPT),
}


def load() -> list[Claim]:
    """Every claim, in the order of the sections.

    Raises:
        UserError: a claim names a measure that does not exist.
    """
    claims = []
    for item in yaml.safe_load(CLAIMS_FILE.read_text()):
        name = item.pop("measure")
        if name not in MEASURES:
            legal = ", ".join(MEASURES)
            raise UserError(f"claims.yaml: {item['id']}: measure={name}: must be one of {legal}")
        fields = {key: _to_tuples(value) for key, value in item.items()}
        claims.append(Claim(measure=MEASURES[name], **fields))
    return claims


def _to_tuples(value: Any) -> Any:
    return tuple(_to_tuples(item) for item in value) if isinstance(value, list) else value


def judge(contexts: Mapping[str, Context], folder: Path | None = None) -> list[Verdict]:
    """Every claim in every reading of its figure; undecided where the figure has no results.

    ``contexts``: by name of the figure. ``folder``: where the CSVs of scripts/claims.py are.
    """
    verdicts = []
    for claim in load():
        if claim.measure.source is Source.PAPER:
            verdicts.append(_judge_paper(claim))
        elif claim.measure.source is Source.SCRIPT:
            verdicts.append(_judge(claim, "", folder))
        else:
            verdicts += _judge_trials(claim, contexts.get(claim.figure))
    return verdicts


def _judge_paper(claim: Claim) -> Verdict:
    """A claim about the paper's own drawing, which has no seeds."""
    findings = claim.measure.function(claim)
    return Verdict(claim, "the paper", decide(findings), findings, claim.note)


def _judge_trials(claim: Claim, context: Context | None) -> list[Verdict]:
    if context is None:
        return [Verdict(claim, "", UNDECIDED, why=f"{claim.figure} has no results")]
    readings = ["both"] if claim.measure.both_readings else context.figure.readings
    if context.generated:
        return [Verdict(claim, reading, UNDECIDED, why="generated data") for reading in readings]
    reduced = "" if context.is_paper_scale else f"scale {context.scale} is not the paper's"
    return [_judge(claim, reading, context, reading, reduced=reduced) for reading in readings]


def _judge(claim: Claim, reading: str, *arguments: Any, reduced: str = "") -> Verdict:
    """The verdict of the claim's measure, called with ``arguments``.

    Undecided when something is missing, when the scale is ``reduced`` (the reason), or with fewer than
    `MIN_SEEDS` values.
    """
    try:
        findings = claim.measure.function(claim, *arguments)
    except NotMeasuredError as missing:
        return Verdict(claim, reading, UNDECIDED, why=str(missing))
    n = min(finding.interval.n for finding in findings)
    if not reduced and n < MIN_SEEDS:
        reduced = f"{n} {findings[0].sample}{'s' * (n != 1)}, {MIN_SEEDS} are needed"
    if reduced:
        return Verdict(claim, reading, UNDECIDED, findings, reduced)
    return Verdict(claim, reading, decide(findings), findings, claim.note)


def decide(findings: list[Finding]) -> str:
    """Supported when every finding supports, contradicted when any contradicts."""
    signs = [finding.sign for finding in findings]
    if any(sign < 0 for sign in signs):
        return CONTRADICTED
    return SUPPORTED if all(sign > 0 for sign in signs) else UNDECIDED
