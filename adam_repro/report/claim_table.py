"""The tables of claims that the page and the summary both show, as text."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from adam_repro.claims import across, measures, stepsizes
from adam_repro.claims.measures import NEAR
from adam_repro.claims.model import (
    CONTRADICTED,
    SUPPORTED,
    TABLES,
    UNDECIDED,
    Claim,
    Finding,
    Source,
    Verdict,
)
from adam_repro.claims.stepsizes import OneTrialFinding
from adam_repro.wording import counted

HEAD = ("section", "claim", "verdict", "tuned: effect with its 95 % interval", "fitted", "test")
#: How the verdicts on the claims are reached.
NOTE = (
    "A verdict rests on tuned trials: every optimizer at the setting of its grid that ends lowest with the "
    "first seed, which the test then leaves out. It needs the paper's scale and four further seeds, or five "
    "where no seed tuned anything. All that "
    "a row compares must agree: every pair, every window of epochs that the paper's words allow, every "
    "figure. A row is contradicted if in each window of each figure, and of each panel where panels are "
    "named, one comparison shows the contrary, at the level divided by their number. “×” is a ratio "
    "of training costs, the mean over epochs of its logarithm; below 1 the first is lower. The margin of a "
    "row is how far above that bound a cost may be, and for “about as” below it too. "
    "The window of the last ten epochs is told by its first, as “from x = 36 on”. p is two-sided, of the "
    "weakest of the t tests that must hold, and "
    "Holm's method corrects it for the other tests of the table. Fitted settings follow the paper's curve: "
    "they show whether settings exist that give what it drew, and count for no verdict. In figure 4 a seed's "
    f"best stepsize is its own, and it counts when it has every stepsize within {NEAR:g} nats of the first "
    "seed's best. The intervals are over seeds at settings that one seed chose: another might choose others."
)
#: The measures whose margin is a share of a cost.
IN_SHARES = (
    measures.lower, measures.similar, measures.best_stepsize, across.lower_than_in,
    stepsizes.default_stepsize,
)  # fmt: skip
KINDS = (SUPPORTED, CONTRADICTED, UNDECIDED)
SHOWN = {1: "so", -1: "the contrary", 0: "neither"}


def claim_data(verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """What the templates show: the tables that have rows, and how many verdicts there are of each kind."""
    tables = []
    for name, title in TABLES.items():
        mine = [one for one in verdicts if one.claim.table == name]
        if mine:
            counts = {kind: sum(one.verdict == kind for one in mine) for kind in KINDS}
            rows = [_row(one) for one in mine]
            tables.append({"id": name, "title": title, "rows": rows, "counts": counts})
    return {"head": HEAD, "note": NOTE, "tables": tables}


def _row(one: Verdict) -> dict[str, Any]:
    words = " ".join(filter(None, (_sentence(one.why), describe_test(one), one.claim.note)))
    effect, fitted = describe_effect(one.findings), describe_fitted(one.fitted)
    cells = (one.claim.section, one.claim.claim, one.verdict, effect, fitted, words)
    return {"id": one.claim.id, "cells": cells, "evidence": _sources(one.claim)}


def _sources(claim: Claim) -> list[tuple[str, str]]:
    """(figure, CSV) of each piece of evidence; no figure where a script measures it."""
    pieces = [piece for piece in claim.evidence if piece.measure.source is not Source.PAPER]
    names = dict.fromkeys(
        (figure, piece.claim)
        for piece in pieces
        for figure in dict.fromkeys((piece.figure, piece.other or piece.figure))
    )
    return [(figure, f"{figure}.csv" if figure else f"claim_{name}.csv") for figure, name in names]


def shown(verdicts: Sequence[Verdict], figures: Collection[str], folder: Path) -> list[Verdict]:
    """The verdicts on claims of which some evidence is there: a figure, or a CSV of a script.

    What the paper's own drawings show is there on every page.
    """
    return [
        one
        for one in verdicts
        if any(piece.measure.source is Source.PAPER for piece in one.claim.evidence)
        or any(
            figure in figures if figure else (folder / csv).is_file()
            for figure, csv in _sources(one.claim)
        )
    ]


def describe_effect(findings: Sequence[Finding]) -> str:
    """The findings; of more than eight, how many show what the claim says, and the one that does least."""
    if not findings:
        return "–"
    if len(findings) <= 8:
        return "; ".join(str(finding) for finding in findings)
    least = min(findings, key=lambda finding: finding.slack)
    signs = [finding.shows for finding in findings]
    counts = f"{signs.count(1)} for, {signs.count(-1)} against, {signs.count(0)} open"
    return f"{len(signs)} comparisons: {counts}; least: {least}"


def describe_fitted(findings: Sequence[Finding]) -> str:
    """Whether the fitted settings show what the claim says, with the factor of each comparison."""
    if not findings:
        return "–"
    signs = [finding.shows for finding in findings]
    word = SHOWN[-1 if -1 in signs else min(signs)]
    if len(findings) > 4:
        return word
    return f"{word}: " + ", ".join(f"× {np.exp(one.interval.mean):.3g}" for one in findings)


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}." if text else ""


def describe_test(one: Verdict) -> str:
    """Seeds, p and trials of the tuning; empty where nothing is tested."""
    if math.isnan(one.p):
        return ""
    n = min(finding.n for finding in one.findings)
    sample = one.findings[0].sample
    text = f"t over {counted(n, sample)}"
    if any(isinstance(finding, OneTrialFinding) for finding in one.findings):
        text = f"one trial against {counted(n, sample)}: a prediction interval"
    if one.p < 1:
        text += f", p = {one.p:.2g}"
    text += _margin(one.claim)
    if one.tuning:
        text += f"; tuned with {_tuning(one)}"
    return f"{text}."


def _margin(claim: Claim) -> str:
    """The margins of a claim's evidence that compares ratios of costs, which are shares."""
    pieces = [one for one in claim.evidence if one.measure.function in IN_SHARES and one.margin]
    margins = dict.fromkeys(f"{100 * one.margin:g} %" for one in pieces)
    return f"; margin {' and '.join(margins)}" if margins else ""


def _tuning(one: Verdict) -> str:
    """The trials of the tuning, once if all figures of the claim had as many, else for each figure."""
    texts = {figure: _counts(counts) for figure, counts in one.tuning.items()}
    if len(set(texts.values())) == 1:
        return f"{next(iter(texts.values()))} trials"
    return "; ".join(f"{text} trials in {figure}" for figure, text in texts.items())


def _counts(counts: Mapping[str, int]) -> str:
    """One number if all series had as many trials, else one for each."""
    if len(set(counts.values())) == 1:
        return str(next(iter(counts.values())))
    return ", ".join(f"{count} ({label})" for label, count in counts.items())
