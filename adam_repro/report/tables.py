"""What the page and the summary both show of a figure, as text: captions and tables."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from adam_repro.claims import agreement
from adam_repro.figures import paper_curves
from adam_repro.figures.spec import READING_TITLES
from adam_repro.plots import scaling
from adam_repro.plots.context import Context
from adam_repro.report.figure_report import FigureReport
from adam_repro.statistics import log_log_slope


@dataclass(frozen=True)
class Table:
    """A table of text: its caption, head and rows."""

    caption: str
    head: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]


def figure_data(report: FigureReport) -> dict[str, Any]:
    """What the templates show of a figure. ``main``: its own drawings, one for each reading."""
    context = report.context
    return {
        "name": context.figure.name,
        "heading": context.figure.heading,
        "short": context.figure.number or context.figure.name.replace("_", " "),
        "section": context.figure.section,
        "paper_scale": context.is_paper_scale,
        "scale_note": scale_note(context),
        "warnings": report.warnings,
        "discussion": report.discussion,
        "main": [
            (name, caption(report, kind))
            for name, kind in report.drawings
            if kind in READING_TITLES
        ],
        "tables": tables(report),
    }


def percent(value: float) -> str:
    return f"{100 * value:.1f} %"


def number(value: float, unit: str = "") -> str:
    return "–" if not math.isfinite(value) else f"{value:.4g}{unit}"


def scale_note(context: Context) -> str:
    """At which scale the numbers of a figure were made."""
    if context.generated:
        return "generated data: shows that everything runs, says nothing about the paper"
    if context.is_paper_scale:
        return "the paper's scale"
    return f"scale {context.scale}: reduced, not the paper's experiment in full"


CAPTIONS = {
    "stepsizes": "The grid behind each series: training cost in the last epoch by stepsize.",
    "time": "Training cost by wall time, and the passes it takes to reach a cost.",
    "test": "Test cost and test error beside the training cost the paper shows.",
}


def caption(report: FigureReport, kind: str) -> str:
    """The sentence below a drawing of this kind (see `FigureReport`)."""
    if kind in CAPTIONS:
        return CAPTIONS[kind]
    figure = report.context.figure
    if kind == "as_printed":
        how = "settings that give the paper's own curve, inferred where it is silent"
    elif figure.kind == "scaling":
        how = "each point at the best of a dense grid of stepsizes; the number beside a line is its slope"
    elif figure.every_lr_is_drawn:
        how = "the whole range of stepsizes, the best of each panel at the end with more seeds"
    else:
        how = "every optimizer at the best of its grid of stepsizes"
        if fixed := [one.label for one in figure.series if one.lr is None]:
            how += f" ({' and '.join(fixed)} without a grid, fitted)"
    return f"{figure.heading}, {READING_TITLES[kind]}: {how}."


def tables(report: FigureReport) -> list[Table]:
    """Agreement, ranks, times to target, steps by size; those without rows are left out."""
    makers = (_differences, _ranks, _cell_summary, _cells, _times_to_target, _steps_by_size)
    return [table for make in makers if (table := make(report)).rows]


def _differences(report: FigureReport) -> Table:
    several = len({one.panel for one in report.differences}) > 1
    rows = [
        (
            READING_TITLES[one.reading],
            _series(one) + (f" ({one.panel})" if several else ""),
            str(one.n),
            relative(one.median),
            relative(one.signed_median, "+"),
            f"{relative(one.worst)} at x = {one.worst_at:g}",
            relative(one.end, "+") if math.isfinite(one.end) else "–",
            _scatter(one),
            f"{one.covered[0]:g}–{one.covered[1]:g} of {one.paper_range[0]:g}–{one.paper_range[1]:g}",
        )
        for one in report.differences
    ]
    head = (
        "reading", "series", "n", "median difference", "signed", "worst",
        f"mean of the last {agreement.LAST} x", "scatter: ours, the paper's", "x covered",
    )  # fmt: skip
    title = (
        "Beside the paper's curves (relative difference of the training cost; scatter of single points "
        "about a smooth curve, one standard deviation)"
    )
    return Table(title, head, rows)


def relative(difference: float, sign: str = "") -> str:
    """A relative difference in percent, or as a factor above ten."""
    return f"× {1.0 + difference:.3g}" if difference > 9.0 else f"{100 * difference:{sign}.1f} %"


def _scatter(one: agreement.Difference) -> str:
    if not math.isfinite(one.scatter):
        return "–"
    return f"{percent(one.scatter)}, {percent(one.paper_scatter)}"


def _series(one: agreement.Difference) -> str:
    """The series, with the paper's line where that is not drawn in the paper as it is."""
    if one.reference == paper_curves.UNDIVIDED:
        return f"{one.series}, beside the paper's “{one.reference}”"
    return one.series


def _ranks(report: FigureReport) -> Table:
    rows = [
        (
            READING_TITLES[one.reading],
            f"x = {one.x:g}" + ("" if one.at_end else " (ours ends here)"),
            " < ".join(one.ours),
            " < ".join(one.paper),
            "yes" if one.same else "no",
        )
        for one in report.ranks
    ]
    head = ("reading", "at", "ours, lowest cost first", "the paper's", "same")
    return Table("Rank order at the last x that both have", head, rows)


def _cell_summary(report: FigureReport) -> Table:
    rows = [
        (
            READING_TITLES[one.reading],
            f"{number(one.median)} nats",
            f"{number(one.worst)} nats",
            f"{one.within_one_nat} of {one.both_finite}",
            f"{one.same_divergence} of {one.cells}",
        )
        for one in agreement.summarise(report.cells)
    ]
    last = "same divergence (ours: of any seed)"
    head = ("reading", "median difference", "worst", "within 1 nat", last)
    return Table("Beside the paper's figure 4, cell by cell", head, rows)


def _cells(report: FigureReport) -> Table:
    """Every cell of figure 4."""
    figure = report.context.figure
    titles = {panel.name: panel.title for panel in figure.panels}

    def loss(value: float, diverged: bool) -> str:
        return "diverged" if diverged else f"{value:.2f}"

    rows = [
        (
            READING_TITLES[one.reading],
            titles[one.panel],
            one.series,
            f"{one.lr:g}",
            loss(one.ours, one.diverged),
            loss(one.paper, one.paper_diverged),
            "" if math.isnan(one.difference) else f"{one.difference:+.2f}",
        )
        for one in report.cells
    ]
    head = ("reading", "panel", "series", "lr", "ours", "the paper's", "nats")
    return Table("Every cell of figure 4 (loss in nats)", head, rows)


def _times_to_target(report: FigureReport) -> Table:
    """No rows on generated data: the target costs are the paper's."""
    times = [] if report.context.generated else report.times_to_target
    rows = [
        (
            READING_TITLES[reading],
            one.label,
            f"{one.target:g}",
            *(number(one.epochs), number(one.paper), number(one.seconds, " s")),
        )
        for reading, one in times
    ]
    head = ("reading", "series", "cost", "passes", "the paper's", "seconds")
    return Table("Passes and seconds until a cost is reached (–: not reached)", head, rows)


def _steps_by_size(report: FigureReport) -> Table:
    """The best of each series at each size, of a figure of kind ``scaling``."""
    context = report.context
    figure = context.figure
    if figure.kind != "scaling" or context.generated:
        return Table("", (), [])
    rows = []
    for reading in figure.readings:
        for panel in figure.panels:
            steps = scaling.steps_by_lr(context, panel, reading)
            for label in context.labels:
                best = scaling.best_by_size(steps, label)
                if len(best):
                    cells = zip(best["size"], best["steps"], best["lr"], strict=True)
                    text = "; ".join(f"{size:g}: {at:.1f} ({lr:g})" for size, at, lr in cells)
                    slope = log_log_slope(best["size"], best["steps"]).format(as_ratio=False)
                    rows.append((label, text, slope))
    title = f"Steps until the cost stays at or below {figure.targets[0]:g}"
    return Table(title, ("series", "size: steps (lr)", "slope [95 %]"), rows)
