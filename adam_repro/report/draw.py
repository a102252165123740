"""Drawing figures, then the page and the summary of all that a folder has."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from adam_repro.figures import load


def available(folder: Path) -> list[str]:
    """The figures that have a CSV in a folder, in the paper's order."""
    return [name for name in load.names() if (folder / f"{name}.csv").is_file()]


def draw(names: Sequence[str], folder: Path) -> None:
    """Draw these figures, then the page and the summary of every figure the folder has."""
    from adam_repro.report import figure_report, html, markdown, theory
    from adam_repro.results import table

    shown = [name for name in load.names() if name in names or name in available(folder)]
    done = figure_report.sheets(shown, folder, fresh=names)
    for sheet in done:
        for problem in sheet.told:
            print(f"{sheet.context.figure.name}: {problem}", file=sys.stderr)
    for problem in table.unknown_figures(folder):
        print(f"{problem}; legal: {', '.join(load.names())}", file=sys.stderr)
    if wrong := theory.problem(folder):
        print(wrong, file=sys.stderr)
    verdicts = figure_report.judge_claims(done, folder)
    html.write(done, verdicts, folder)
    markdown.write(done, verdicts, folder)
    print(f"{folder / 'index.html'}")
