"""Write ``README.md``: what a repository's web page shows of ``results/paper``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from adam_repro.claims.model import Verdict
from adam_repro.files import write_text
from adam_repro.report import tables
from adam_repro.report.claim_table import claim_data
from adam_repro.report.figure_report import FigureReport
from adam_repro.report.render import render
from adam_repro.report.theory import TheorySection


def write(
    reports: Sequence[FigureReport],
    verdicts: Sequence[Verdict],
    theory: TheorySection | None,
    folder: Path,
) -> None:
    """Write claims, then every figure with its drawings and shorter tables, then theory."""
    figures = [tables.figure_data(report) for report in reports]
    text = render("summary.md.j2", claims=claim_data(verdicts), figures=figures, theory=theory)
    write_text(folder / "README.md", text)
