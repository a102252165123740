"""Judge the claims: one verdict for each.

A claim is supported if all findings agree: of all windows, pairs and figures that it names. Its p is
then the largest of theirs, which needs no correction. It is contradicted if in each window of each
figure, and of each panel where its evidence names panels, one finding shows the contrary, at the level
divided by their number. Holm's method then corrects for the claims of a table.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, replace
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from adam_repro.claims import (
    across,
    gaps,
    marks,
    measures,
    paper_measurements,
    scaling,
    script_measurements,
    stepsizes,
    validate,
)
from adam_repro.claims.model import (
    CONTRADICTED,
    SUPPORTED,
    TABLES,
    UNDECIDED,
    Claim,
    Evidence,
    Finding,
    Measure,
    NotMeasuredError,
    Source,
    Verdict,
)
from adam_repro.config.validate import Choice, known, option
from adam_repro.config.validate import check as check_value
from adam_repro.errors import UserError
from adam_repro.figures.spec import READING_TITLES, READINGS, reading_of
from adam_repro.files import parse_yaml
from adam_repro.plots.context import Context
from adam_repro.statistics import MIN_SEEDS, holm
from adam_repro.wording import counted

CLAIMS_FILE = Path(__file__).parent / "claims.yaml"

#: By the name that claims.yaml gives them.
MEASURES = {
    "lower": Measure(measures.lower),
    "similar": Measure(measures.similar),
    "lower_than_in": Measure(across.lower_than_in),
    "wall_time": Measure(measures.lower_at_equal_times),
    "gap_wider": Measure(gaps.gap_wider),
    "never_converges": Measure(measures.converges_less_often),
    "cells": Measure(measures.cell_gains),
    "best_cells": Measure(measures.best_gains),
    "winner": Measure(measures.best_setting),
    "gain_falls": Measure(marks.gain_falls),
    "lead_grows": Measure(marks.lead_grows),
    "best_stepsize": Measure(measures.best_stepsize, of_the_grid=True),
    "default_stepsize": Measure(stepsizes.default_stepsize, of_the_grid=True),
    "more_usable": Measure(stepsizes.more_usable, of_the_grid=True),
    "exponent": Measure(scaling.exponent),
    "closed_form": Measure(scaling.closed_form),
    "paper_cells": Measure(paper_measurements.bias_correction_gain, Source.PAPER),
    "paper_stretched": Measure(paper_measurements.wall_time_axis, Source.PAPER),
    "paper_divided": Measure(paper_measurements.logged_digits, Source.PAPER),
    "memory": Measure(script_measurements.sfo_memory, Source.SCRIPT),
    "rescaling": Measure(script_measurements.rescaling, Source.SCRIPT),
    "state": Measure(script_measurements.state_size, Source.SCRIPT),
    "second_moment": Measure(script_measurements.second_moment, Source.SCRIPT),
}
NEEDED = ("id", "section", "claim")
OWN = (*NEEDED, "table", "note")  # keys of a claim; all others are its evidence's


def load() -> list[Claim]:
    """Every claim, in the order of the file.

    Raises:
        UserError: naming the claim, for a key or a measure that does not exist.
    """
    return list(_parse(CLAIMS_FILE.read_text(encoding="utf-8")))


@cache
def _parse(text: str) -> tuple[Claim, ...]:
    items = parse_yaml(text, CLAIMS_FILE)
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise UserError(f"{CLAIMS_FILE}: must be a list of claims, each with keys and values")
    claims = tuple(_claim(item) for item in items)
    validate.check_ids(claims)
    return claims


def _claim(item: dict[str, Any]) -> Claim:
    try:
        own = {key: item.pop(key) for key in OWN if key in item}
        for key in NEEDED:
            if key not in own:
                raise UserError(f"{key}: missing; every claim has {', '.join(NEEDED)}")
        check_value("table", own.get("table", "paper"), Choice(*TABLES))
        pieces = item.pop("evidence", None) or [item]
        return Claim(evidence=tuple(_evidence(own["id"], piece) for piece in pieces), **own)
    except UserError as error:
        raise UserError(f"claims.yaml: {own.get('id')}: {error}") from None


def _evidence(claim: str, piece: Mapping[str, Any]) -> Evidence:
    known(piece, [one.name for one in fields(Evidence) if one.name != "claim"])
    name = option(piece, "", "measure", Choice(*MEASURES))
    values = {key: _to_tuples(value) for key, value in piece.items()}
    if "reading" in values:
        legal = Choice(*READING_TITLES.values(), *READINGS)
        values["reading"] = reading_of(check_value("reading", values["reading"], legal))
    found = Evidence(**{"figure": "", **values, "claim": claim, "measure": MEASURES[name]})
    validate.check_figures(found)
    return found


def _to_tuples(value: Any) -> Any:
    return tuple(_to_tuples(item) for item in value) if isinstance(value, list) else value


def judge(contexts: Mapping[str, Context], folder: Path | None = None) -> list[Verdict]:
    """Every claim; undecided where what it needs is missing.

    ``contexts``: by name of the figure. ``folder``: where the CSVs of scripts/claims.py are.
    """
    verdicts = [_judge(claim, contexts, folder) for claim in load()]
    return [one for name in TABLES for one in _corrected(verdicts, name)]


def _corrected(verdicts: Sequence[Verdict], table: str) -> list[Verdict]:
    """The verdicts of a table; those that Holm's method does not let stand are undecided."""
    mine = [one for one in verdicts if one.claim.table == table]
    tested = [one.p if one.verdict != UNDECIDED else float("nan") for one in mine]
    every_test = [one.p for one in mine]
    stand = holm(every_test)
    found = []
    for one, p, stands in zip(mine, tested, stand, strict=True):
        if not np.isnan(p) and not stands:
            others = int(np.isfinite(every_test).sum()) - 1
            reason = f"its p of {p:.2g} does not stand beside the other {others} tests (Holm)"
            one = replace(one, verdict=UNDECIDED, why=reason)
        found.append(one)
    return found


def _judge(claim: Claim, contexts: Mapping[str, Context], folder: Path | None) -> Verdict:
    """The verdict of one claim before the correction for the others."""
    findings: list[list[Finding]] = []
    fitted: list[Finding] = []
    tuning: dict[str, dict[str, int]] = {}
    missing: list[str] = []
    figures = {name: context.figure for name, context in contexts.items()}
    for piece in claim.evidence:
        validate.check_names(piece, figures)
        try:
            found = _findings(piece, contexts, folder)
            missing += _too_few(piece, [one for _, one in found])
            several = len({one.figure for one in claim.evidence}) > 1
            findings += _by_window(_named(found, piece.figure) if several else found)
        except NotMeasuredError as error:
            missing.append(str(error))
        for figure, counts in _tuning(piece, contexts).items():
            tuning.setdefault(figure, {}).update(counts)
        fitted += _fitted(piece, contexts)
    flat = [one for group in findings for one in group]
    base = Verdict(claim, UNDECIDED, flat, fitted, tuning=tuning)
    if missing or not flat:
        return replace(base, why="; ".join(dict.fromkeys(missing)))
    return _decide(base, findings)


def _too_few(piece: Evidence, found: Sequence[Finding]) -> list[str]:
    """A message if the values are too few for a verdict.

    `MIN_SEEDS` are needed; of tuned trials the test leaves one of them out.
    """
    tuned = piece.measure.source is Source.TRIALS and piece.reading == "dense_grid"
    least = MIN_SEEDS - tuned
    few = [one for one in found if one.sign is None and one.n < least]
    if not few:
        return []
    return [f"{counted(few[0].n, few[0].sample)} to test, {least} are needed"]


def _decide(base: Verdict, groups: Sequence[Sequence[Finding]]) -> Verdict:
    flat = base.findings
    if all(one.sign is not None for one in flat):  # nothing random
        signs = [one.shows for one in flat]
        found = CONTRADICTED if -1 in signs else SUPPORTED if min(signs) > 0 else UNDECIDED
        return replace(base, verdict=found)
    p_for = max(one.p_for for one in flat)
    p_against = max(min(1.0, len(group) * min(g.p_against for g in group)) for group in groups)
    p = min(1.0, 2 * min(p_for, p_against))
    if p < 0.05:
        return replace(base, verdict=SUPPORTED if p_for < p_against else CONTRADICTED, p=p)
    parts = {_shown(group) for group in groups}
    why = "the findings contradict each other" if {1, -1} <= parts else "the interval is too wide"
    return replace(base, p=p, why=why)


def _shown(group: Sequence[Finding]) -> int:
    """1 if all findings of a group show what the claim says, -1 if one shows the contrary, else 0."""
    signs = [one.shows for one in group]
    return -1 if -1 in signs else min(signs)


def _by_window(found: Sequence[tuple[Any, Finding]]) -> list[list[Finding]]:
    return [[one for _, one in group] for _, group in groupby(found, key=lambda item: item[0])]


def _findings(
    piece: Evidence, contexts: Mapping[str, Context], folder: Path | None
) -> list[tuple[Any, Finding]]:
    """The findings of a piece of evidence, each with its window.

    Raises:
        NotMeasuredError: what is missing.
    """
    measure = piece.measure
    if measure.source is Source.PAPER:
        return [(None, one) for one in measure.function(piece)]
    if measure.source is Source.SCRIPT:
        return [(None, one) for one in measure.function(piece, folder)]
    needed = _contexts(piece, contexts)
    return [
        ((piece.figure, window), one)
        for window in piece.windows
        for one in _measure(replace(piece, windows=(window,)), needed, piece.reading)
    ]


def _contexts(piece: Evidence, contexts: Mapping[str, Context]) -> list[Context]:
    """The figure's and, where a piece of evidence compares two figures, the other one's."""
    found = []
    for name in filter(None, (piece.figure, piece.other)):
        if name not in contexts:
            raise NotMeasuredError(f"the figure {name} has no results")
        context = contexts[name]
        if context.generated:
            raise NotMeasuredError("generated data")
        if not context.is_paper_scale:
            raise NotMeasuredError(f"scale {context.scale} is not the paper's")
        found.append(context)
    return found


def _measure(piece: Evidence, contexts: Sequence[Context], reading: str) -> list[Finding]:
    return piece.measure.function(piece, contexts[0], reading, *contexts[1:])


def _named(found: list[tuple[Any, Finding]], figure: str) -> list[tuple[Any, Finding]]:
    """The findings with the name of their figure, for a claim that has several."""
    return [(key, replace(one, what=f"{one.what} ({figure})")) for key, one in found]


def _fitted(piece: Evidence, contexts: Mapping[str, Context]) -> list[Finding]:
    """The same findings of the fitted settings, where a figure has them beside the tuned ones."""
    fitted = "as_printed"
    if piece.measure.source is not Source.TRIALS or piece.measure.of_the_grid:
        return []
    try:
        needed = _contexts(piece, contexts)
        if piece.reading == fitted or any(fitted not in one.figure.readings for one in needed):
            return []
        return _measure(piece, needed, fitted)
    except NotMeasuredError:
        return []


def _tuning(piece: Evidence, contexts: Mapping[str, Context]) -> dict[str, dict[str, int]]:
    """How many settings of each compared series were tried, by figure."""
    if piece.measure.source is not Source.TRIALS or piece.reading != "dense_grid":
        return {}
    pairs = list(zip(*piece.compared, strict=True))
    labels = {piece.figure: [*pairs[0], *(() if piece.other else pairs[1])]} if pairs else {}
    if piece.other and pairs:
        labels[piece.other] = list(pairs[1])
    found = {
        figure: _settings_tried(contexts[figure].rows, piece.panel, dict.fromkeys(names))
        for figure, names in labels.items()
        if figure in contexts
    }
    return {figure: counts for figure, counts in found.items() if counts}


def _settings_tried(rows: pd.DataFrame, panel: str, labels: Iterable[str]) -> dict[str, int]:
    rows = rows[rows["reading"] == "dense_grid"]
    if panel and panel in set(rows["panel"]):
        rows = rows[rows["panel"] == panel]
    return {
        label: len(mine.drop_duplicates(["lr", "grid"]))
        for label in labels
        if label and len(mine := rows[rows["series"] == label])
    }
