"""The report in Markdown: what a repository's page shows of ``results/paper``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from adam_repro.claims.judge import Verdict
from adam_repro.figures.spec import READING_TITLES
from adam_repro.files import write_text
from adam_repro.report import tables, theory
from adam_repro.report.figure_report import Sheet

HEAD = """\
# The figures of Adam (Kingma & Ba 2014), reproduced

Made by `adam-repro report` from the CSVs beside this file. [index.html](index.html) has everything on one
page. *As printed*: settings that give the paper's own curve, inferred where it is silent. *Dense grid*:
every optimizer at the best stepsize of a grid. Solid lines are ours, the mean over seeds with a
bootstrapped 95 % band, too narrow for few seeds (with five it covers the mean in 84 of 100 cases; the
verdicts use t intervals, which do in 95); dotted lines are the paper's.
"""

FOOT = """\
## The files

`<figure>.csv` holds one row an epoch of every trial that is drawn, and the last row of every other trial
of its grid (`selected` says which); `<figure>.provenance.yaml` the settings, hardware, versions and
commits behind it; `<figure>.md`, which is written by hand, what was found out from it. To see an optimizer
of your own in a figure, put a CSV with the same columns into `extra/` beside them (`figure`, `series`,
`epoch`, `train_cost` are enough) and run `adam-repro report`.
"""

LONG = 40  # rows, beyond which a table stands on the page alone


def write(sheets: Sequence[Sheet], verdicts: Sequence[Verdict], folder: Path) -> None:
    """Write ``README.md``."""
    parts = [HEAD, "## The claims of sections 6.1 to 6.4\n", f"{tables.VERDICTS}\n"]
    parts.append(_table(tables.CLAIM_HEAD, tables.verdicts(verdicts)))
    for sheet in sheets:
        parts += _section(sheet)
    write_text(folder / "README.md", "\n".join([*parts, theory.markdown(folder), FOOT]))


def _section(sheet: Sheet) -> list[str]:
    context = sheet.context
    parts = [f"## {context.figure.heading}\n"]
    state = tables.standing(context)
    parts.append(
        (state[0].upper() + state[1:] if context.is_paper_scale else f"**{state}**") + "\n"
    )
    for name, what in sheet.drawings:
        if what in READING_TITLES:
            parts.append(f"![{tables.caption(sheet, what)}]({name}.png)\n")
    if sheet.findings:
        parts.append(sheet.findings + "\n")
    for table in tables.tables(sheet):
        if len(table.rows) <= LONG:
            parts += [f"{table.caption}:\n", _table(table.head, table.rows)]
    if sheet.told:
        parts += ["Missing:\n", *(f"- {item}" for item in sheet.told), ""]
    return parts


def _table(head: Iterable[str], rows: Iterable[Sequence[str]]) -> str:
    head = list(head)
    lines = [_row(head), _row(["---"] * len(head)), *(_row(row) for row in rows)]
    return "\n".join(lines) + "\n"


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
