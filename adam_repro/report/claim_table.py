"""The table of claims that the page and the summary both show, as text."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from adam_repro.claims.measures import NEAR
from adam_repro.claims.model import CONTRADICTED, SUPPORTED, Source, Verdict
from adam_repro.figures.spec import READING_TITLES

EFFECT = "effect [interval, of 95 % unless the test says so]"
HEAD = ("section", "claim", "reading", "verdict", EFFECT, "test")
#: id, title, and whether its claims are beyond the paper.
TABLES = (
    ("claims", "The claims of sections 6.1 to 6.4", False),
    ("findings", "Further findings, on experiments that the paper does not have", True),
)
#: How the verdicts on the claims are reached.
NOTE = (
    "A verdict is given at the paper's scale and with five seeds or more; otherwise the claim stands "
    "undecided. “×” is a ratio of training costs, the mean over epochs of its logarithm; below 1 the first "
    "series is lower. In the dense grid every optimizer has the setting whose cost in the last epoch is "
    "lowest with the first seed, which is one of those that are compared then; the mean is over all epochs "
    "there too, unless the claim names some. In "
    "figure 4 as printed a seed's best is its own, and it counts when it has every stepsize within "
    f"{NEAR:g} nats of the first seed's best."
)


def claim_data(verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """What the templates show. ``repeated``: the row before has the same claim, in another reading."""
    tables = [
        {"id": name, "title": title, "rows": list(_rows(found))}
        for name, title, beyond in TABLES
        if (found := [one for one in verdicts if one.claim.beyond is beyond])
    ]
    return {
        "head": HEAD,
        "note": NOTE,
        "tables": tables,
        "disagreements": disagreements(verdicts),
    }


def _rows(verdicts: Sequence[Verdict]) -> Iterator[dict[str, Any]]:
    previous = ""
    for one in verdicts:
        cells = (
            one.claim.section,
            one.claim.claim,
            READING_TITLES.get(one.reading, one.reading) or "–",
            one.verdict,
            describe_effect(one),
            " ".join(part for part in (describe_test(one), one.why) if part),
        )
        yield {"cells": cells, "repeated": one.claim.id == previous}
        previous = one.claim.id


def describe_effect(one: Verdict) -> str:
    """The findings; of more than four, how many support the claim, and the one that does so least."""
    if not one.findings:
        return "–"
    if len(one.findings) <= 4:
        return "; ".join(str(finding) for finding in one.findings)
    least = min(one.findings, key=lambda finding: finding.interval.mean)
    signs = [finding.sign for finding in one.findings]
    counts = f"{signs.count(1)} for, {signs.count(-1)} against, {signs.count(0)} open"
    return f"{len(signs)} panels: {counts}; least: {least}"


def describe_test(one: Verdict) -> str:
    """The statistical test behind a verdict; empty where nothing is sampled."""
    measure, findings = one.claim.measure, one.findings
    if not findings or measure.source is Source.PAPER or not findings[0].sample:
        return ""
    n = min(finding.interval.n for finding in findings)
    first = findings[0]
    paired = "paired " if measure.source is Source.TRIALS and first.sample == "seed" else ""
    text = f"{paired}t over {n} {first.sample}{'s' * (n != 1)}"
    if len(findings) > 1:
        text += f", {100 * first.interval.level:.3g} % each (Bonferroni)"
    elif measure.prints_p and math.isfinite(first.interval.p):
        text += f", p = {first.interval.p:.2g}"
    if measure.prints_margin:
        text += f"; margin {100 * one.claim.margin:.1f} %"
    return f"{text}."


def disagreements(verdicts: Sequence[Verdict]) -> list[str]:
    """Claims that are supported in one reading and contradicted in the other."""
    found = []
    for _, group in groupby(verdicts, key=lambda one: one.claim.id):
        readings = list(group)
        if {SUPPORTED, CONTRADICTED} <= {one.verdict for one in readings}:
            parts = [f"{one.verdict} {READING_TITLES[one.reading]}" for one in readings]
            found.append(f"{readings[0].claim.claim} ({'; '.join(parts)})")
    return found
