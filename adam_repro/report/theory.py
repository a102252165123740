"""The report's section "Theory": its figures and verdicts, in HTML and in Markdown."""

from __future__ import annotations

from html import escape
from pathlib import Path

from adam_repro.claims.theory import HEAD, theory_verdicts
from adam_repro.plots.theory import DrawingFile, draw_theory
from adam_repro.report import embed

MARKS = {"supported": "✓", "contradicted": "✗", "undecided": "?"}
TITLE = "Theory: section 4 and its refutation, measured"


def problem(folder: Path) -> str:
    """What is wrong with the CSVs of `adam-repro theory` in ``folder``; empty where nothing is."""
    try:
        if theory_verdicts(folder):
            _drawn(folder)
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        # Whatever pandas and the measurements make of cells that are not what was written.
        return (
            f"theory: its CSVs are damaged ({type(error).__name__}: {error}); "
            "`adam-repro theory` makes them anew"
        )
    return ""


def html(folder: Path) -> str:
    """A section of the page; empty where `adam-repro theory` has left nothing in ``folder``."""
    if wrong := problem(folder):
        return (
            f'<section id="theory"><h2>{TITLE}</h2><p class="reduced">{escape(wrong)}</p></section>'
        )
    found = theory_verdicts(folder)
    if not found:
        return ""
    head = "".join(f"<th>{cell}</th>" for cell in HEAD)
    rows = []
    for one in found:
        cells = [f'<td data-head="{h}">{escape(c)}</td>' for h, c in zip(HEAD, one, strict=True)]
        word = f"{MARKS[one.verdict]} {one.verdict}"
        cells[2] = f'<td data-head="verdict" class="{one.verdict}">{word}</td>'
        rows.append(f"<tr>{''.join(cells)}</tr>")
    table = f"<table class='claims'><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
    pictures = [embed.figure(folder / f"{one.name}.svg", one.caption) for one in _drawn(folder)]
    return (
        f'<section id="theory"><h2>{TITLE}</h2><div class="wide">{table}</div>'
        f'<div class="stack">{"".join(pictures)}</div></section>'
    )


def markdown(folder: Path) -> str:
    """The same for README.md."""
    if wrong := problem(folder):
        return f"## {TITLE}\n\n**{wrong}**\n"
    found = theory_verdicts(folder)
    if not found:
        return ""
    lines = [f"| {' | '.join(HEAD)} |", "|" + "---|" * len(HEAD)]
    lines += [f"| {' | '.join(cell.replace('|', '&#124;') for cell in one)} |" for one in found]
    pictures = [f"![{one.caption}]({one.name}.png)\n" for one in _drawn(folder)]
    return "\n".join([f"## {TITLE}\n", *lines, "", *pictures])


def _drawn(folder: Path) -> list[DrawingFile]:
    return draw_theory(folder, fresh=False)
