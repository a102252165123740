"""What the page and the summary both say: tables as rows of text, captions, labels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from adam_repro.claims import agreement
from adam_repro.claims.judge import MEASURED, Verdict
from adam_repro.claims.measures import NEAR
from adam_repro.figures import paper_curves
from adam_repro.figures.spec import READING_TITLES
from adam_repro.plots.context import Context
from adam_repro.report.figure_report import Sheet


@dataclass(frozen=True)
class Table:
    """A table of text: its caption, head and rows."""

    caption: str
    head: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]


def percent(value: float) -> str:
    return f"{100 * value:.1f} %"


def number(value: float, unit: str = "") -> str:
    return "–" if not math.isfinite(value) else f"{value:.4g}{unit}"


def standing(context: Context) -> str:
    """What the numbers of a figure may be taken for."""
    if context.generated:
        return "generated data: shows that everything runs, says nothing about the paper"
    if context.complete:
        return "the paper's scale"
    return f"scale {context.scale}: reduced, not the paper's experiment in full"


def caption(sheet: Sheet, kind: str) -> str:
    """One sentence below a drawing."""
    context = sheet.context
    if kind in READING_TITLES:
        how = (
            "settings that give the paper's own curve, inferred where it is silent"
            if kind == "as_printed"
            else "every optimizer at the best of a dense grid of stepsizes"
        )
        fixed = [one.label for one in context.figure.series if one.lr is None]
        if fixed and kind == "dense_grid":
            how += f" ({' and '.join(fixed)} without a grid, as printed)"
        if context.figure.every_lr_is_drawn and kind == "dense_grid":
            how = "the whole range of stepsizes, the best of each panel at the end with more seeds"
        return f"{context.figure.heading}, {READING_TITLES[kind]}: {how}."
    return {
        "stepsizes": "The grid behind each series: training cost in the last epoch by stepsize.",
        "time": "The same by wall time, and the passes it takes to reach a cost.",
        "test": "Test cost and test error beside the training cost the paper shows.",
    }[kind]


def tables(sheet: Sheet) -> list[Table]:
    """Agreement, ranks, times to target; only those that have rows."""
    found = [_differences(sheet), _ranks(sheet), _cells(sheet), _grown(sheet), _reached(sheet)]
    return [table for table in found if table.rows]


def _differences(sheet: Sheet) -> Table:
    several = len({one.panel for one in sheet.differences}) > 1
    rows = [
        (
            READING_TITLES[one.reading],
            _compared(one) + (f" ({one.panel})" if several else ""),
            str(one.n),
            _off(one.median),
            _off(one.shift, "+"),
            f"{_off(one.worst)} at x = {one.at:g}",
            _off(one.end, "+") if math.isfinite(one.end) else "–",
            _scatter(one),
            f"{one.covered[0]:g}–{one.covered[1]:g} of {one.asked[0]:g}–{one.asked[1]:g}",
        )
        for one in sheet.differences
    ]
    end = f"mean of the last {agreement.LAST} x"
    head = (
        "reading", "series", "n", "median difference", "signed", "worst", end, "scatter: ours, the paper's",
        "x covered",
    )  # fmt: skip
    title = (
        "Beside the paper's curves (relative difference of the training cost; scatter of single points "
        "about a smooth curve, one standard deviation)"
    )
    return Table(title, head, rows)


def _off(difference: float, sign: str = "") -> str:
    """A relative difference in percent; as a factor where that is above ten."""
    return f"× {1.0 + difference:.3g}" if difference > 9.0 else f"{100 * difference:{sign}.1f} %"


def _scatter(one: agreement.Difference) -> str:
    if not math.isfinite(one.scatter):
        return "–"
    return f"{percent(one.scatter)}, {percent(one.their_scatter)}"


def _compared(one: agreement.Difference) -> str:
    """The series, and its line where the paper does not draw that one as it is."""
    if one.reference == paper_curves.UNDIVIDED:
        return f"{one.series}, beside the paper's “{one.reference}”"
    return one.series


def _ranks(sheet: Sheet) -> Table:
    rows = [
        (
            READING_TITLES[one.reading],
            f"x = {one.x:g}" + ("" if one.last else " (ours ends here)"),
            " < ".join(one.ours),
            " < ".join(one.theirs),
            "yes" if one.same else "no",
        )
        for one in sheet.ranks
    ]
    head = ("reading", "at", "ours, lowest cost first", "the paper's", "same")
    return Table("Rank order at the last x that both have", head, rows)


def _cells(sheet: Sheet) -> Table:
    rows = [
        (
            READING_TITLES[one.reading],
            f"{number(one.median)} nats",
            f"{number(one.worst)} nats",
            f"{one.within} of {one.both_finite}",
            f"{one.same_divergence} of {one.cells}",
        )
        for one in agreement.summarise(sheet.cells)
    ]
    head = (
        "reading",
        "median difference",
        "worst",
        "within 1 nat",
        "same divergence (ours: of any seed)",
    )
    return Table("Beside the paper's figure 4, cell by cell", head, rows)


def _grown(sheet: Sheet) -> Table:
    """Every cell of figure 4."""
    figure = sheet.context.figure
    titles = {panel.name: panel.title for panel in figure.panels}

    def shown(value: float, died: bool) -> str:
        return "diverged" if died else f"{value:.2f}"

    rows = [
        (
            READING_TITLES[one.reading],
            titles[one.panel],
            one.series,
            f"{one.lr:g}",
            shown(one.ours, one.died),
            shown(one.theirs, one.their_died),
            "" if math.isnan(one.difference) else f"{one.difference:+.2f}",
        )
        for one in sheet.cells
    ]
    head = ("reading", "panel", "series", "lr", "ours", "the paper's", "nats")
    return Table("Every cell of figure 4 (loss in nats)", head, rows)


def _reached(sheet: Sheet) -> Table:
    """None on generated data: the costs are the paper's."""
    reached = [] if sheet.context.generated else sheet.reached
    rows = [
        (
            READING_TITLES[reading],
            one.label,
            f"{one.target:g}",
            number(one.epochs),
            number(one.paper),
            number(one.seconds, " s"),
        )
        for reading, one in reached
    ]
    head = ("reading", "series", "cost", "passes", "the paper's", "seconds")
    return Table("Passes and seconds until a cost is reached (–: not reached)", head, rows)


def verdicts(found: Sequence[Verdict]) -> list[tuple[str, ...]]:
    """Rows of the claims table: section, claim, reading, verdict, effect, test."""
    return [
        (
            one.claim.section,
            one.claim.claim,
            READING_TITLES.get(one.reading, one.reading) or "–",
            one.verdict,
            effect(one),
            " ".join(part for part in (test(one), one.why) if part),
        )
        for one in found
    ]


CLAIM_HEAD = (
    "section",
    "claim",
    "reading",
    "verdict",
    "effect [interval, of 95 % unless the test says so]",
    "test",
)


def effect(one: Verdict) -> str:
    """The finding; of many, the one that speaks most against the claim, and how they count."""
    if not one.findings:
        return "–"
    if one.claim.measure == "paper_cells":
        return one.findings[0].what
    if one.claim.measure == "paper_divided":
        return "; ".join(finding.what for finding in one.findings)
    if one.claim.measure == "paper_stretched":
        return "; ".join(f"{f.what} {f.interval.mean:.3f}" for f in one.findings)
    if len(one.findings) <= 4:
        return "; ".join(str(finding) for finding in one.findings)
    worst = min(one.findings, key=lambda finding: finding.interval.mean)
    signs = [finding.sign for finding in one.findings]
    counts = f"{signs.count(1)} for, {signs.count(-1)} against, {signs.count(0)} open"
    return f"{len(signs)} panels: {counts}; least: {worst}"


def test(one: Verdict) -> str:
    """The statistics behind a verdict."""
    if not one.findings or one.claim.measure.startswith("paper_"):
        return ""
    n = min(finding.interval.n for finding in one.findings)
    level = one.findings[0].interval.level
    pairs = "" if one.claim.measure in MEASURED else "paired "
    kind = f"{pairs}t over {n} {one.findings[0].over}{'s' * (n != 1)}"
    if len(one.findings) > 1:
        kind += f", {100 * level:.3g} % each (Bonferroni)"
    against_zero = one.claim.measure in ("lower", "wall_time", "winner")
    if against_zero and len(one.findings) == 1 and math.isfinite(one.findings[0].interval.p):
        kind += f", p = {one.findings[0].interval.p:.2g}"
    margin = f"; margin {percent(one.claim.margin)}" if one.claim.measure in EQUAL else ""
    return f"{kind}{margin}."


#: How the verdicts on the claims come about.
VERDICTS = (
    "A verdict is given at the paper's scale and with five seeds or more; otherwise the claim stands "
    "undecided. “×” is a ratio of training costs, the mean over epochs of its logarithm; below 1 the first "
    "series is lower. In the dense grid every optimizer has the setting whose cost in the last epoch is "
    "lowest with the first seed, which is one of those that are compared then; the mean is over all epochs "
    "there too, unless the claim names some. In "
    "figure 4 as printed a seed's best is its own, and it counts when it has every stepsize within "
    f"{NEAR:g} nats of the first seed's best."
)

EQUAL = ("similar", "no_higher", "memory")


def disagreements(found: Sequence[Verdict]) -> list[str]:
    """Claims whose verdict depends on the reading: the paper's stepsizes or the best ones."""
    told = []
    by_claim: dict[str, list[Verdict]] = {}
    for one in found:
        by_claim.setdefault(one.claim.id, []).append(one)
    for several in by_claim.values():
        kinds = {one.verdict for one in several}
        if {"supported", "contradicted"} <= kinds:
            parts = [f"{one.verdict} {READING_TITLES[one.reading]}" for one in several]
            told.append(f"{several[0].claim.claim} ({'; '.join(parts)})")
    return told
