"""Draw figures, then write the page and the summary of everything a folder has."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from adam_repro.figures import load


def available(folder: Path) -> list[str]:
    """The figures that have a CSV in a folder, in the paper's order."""
    return [name for name in load.names() if (folder / f"{name}.csv").is_file()]


def draw(names: Sequence[str], folder: Path) -> None:
    """Draw these figures, then write the page and the summary of every figure the folder has.

    Warnings are printed of these figures alone, and of theory where they are all there are.
    """
    from adam_repro.claims.judge import judge
    from adam_repro.report import claim_table, figure_report, pages, theory
    from adam_repro.results import table

    shown = [name for name in load.names() if name in names or name in available(folder)]
    reports = figure_report.make_reports(shown, folder, redraw=names)
    section = theory.load(folder)
    asked = [report for report in reports if report.context.figure.name in names]
    for report in asked:
        for warning in report.warnings:
            print(f"{report.context.figure.name}: {warning}", file=sys.stderr)
    for warning in table.unknown_figures(folder):
        print(f"{warning}; legal: {', '.join(load.names())}", file=sys.stderr)
    if section and section.warning and len(asked) == len(reports):
        print(section.warning, file=sys.stderr)
    verdicts = judge({report.context.figure.name: report.context for report in reports}, folder)
    pages.write(reports, claim_table.shown(verdicts, shown, folder), section, folder)
    print(f"{folder / 'index.html'}")
