"""The report's section on theory: its figures and verdicts, or what is wrong with its CSVs."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from adam_repro.claims.theory import HEAD, TheoryVerdict, theory_verdicts
from adam_repro.plots.theory import DrawingFile, draw_theory


@dataclass(frozen=True)
class TheorySection:
    """Verdicts and drawings; ``warning`` alone where a CSV is damaged."""

    verdicts: list[TheoryVerdict] = field(default_factory=list)
    drawings: list[DrawingFile] = field(default_factory=list)
    warning: str = ""
    title: str = "Theory: section 4 and its refutation, measured"
    head: tuple[str, ...] = HEAD


def load(folder: Path) -> TheorySection | None:
    """The section from the CSVs of `adam-repro theory` in ``folder``; ``None`` where there are none.

    Makes the drawings that are missing.
    """
    try:
        verdicts = theory_verdicts(folder)
        return TheorySection(verdicts, draw_theory(folder, fresh=False)) if verdicts else None
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        # pandas and the measurements raise any of these for cells that are not as written.
        return TheorySection(
            warning=f"theory: its CSVs are damaged ({type(error).__name__}: {error}); "
            "`adam-repro theory` makes them anew"
        )
