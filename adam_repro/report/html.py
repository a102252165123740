"""One HTML page with everything in it, for a browser to open from disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from adam_repro.claims.judge import Verdict
from adam_repro.figures.spec import READING_TITLES
from adam_repro.files import write_text
from adam_repro.report import discussion, embed, tables, theory
from adam_repro.report.figure_report import Sheet
from adam_repro.report.tables import Table

HERE = Path(__file__).parent
# Bytes that the page stays below, so that it opens at once: the largest drawings are its PNGs then.
LIMIT = 2 << 20
MARKS = {"supported": "✓", "contradicted": "✗", "undecided": "?"}


def write(sheets: Sequence[Sheet], verdicts: Sequence[Verdict], folder: Path) -> None:
    """Write ``index.html``: claims, then every figure with its tables, settings and origins."""
    links = "".join(
        f'<a href="#{sheet.context.figure.name}">{escape(sheet.context.figure.heading)}</a>'
        for sheet in sheets
    )
    body = [
        "<header><h1>Adam: A Method for Stochastic Optimization, reproduced</h1>",
        "<p>Every figure of Kingma &amp; Ba (arXiv 1412.6980v9) beside the numbers of the paper's own "
        "drawings. Two readings of each: <em>as printed</em>, with settings that give the paper's "
        "curve, inferred where it is silent; <em>dense grid</em>, with every optimizer at its best.</p>",
        f"<nav>{links}</nav></header>",
        _claims(verdicts),
        *(_section(sheet, folder) for sheet in sheets),
        theory.html(folder),
    ]
    text = (HERE / "page.html").read_text().replace("BODY", "\n".join(body))
    forms = {
        name: [
            embed.figure(folder / f"{name}{suffix}", tables.caption(sheet, what))
            for suffix in (".svg", ".png")
        ]
        for sheet in sheets
        for name, what in _main(sheet)
    }
    write_text(folder / "index.html", _fitted(text, forms))


def _main(sheet: Sheet) -> list[tuple[str, str]]:
    """The drawings of the figure itself, one a reading."""
    return [(name, what) for name, what in sheet.drawings if what in READING_TITLES]


def _fitted(text: str, forms: Mapping[str, Sequence[str]]) -> str:
    """``text`` with a drawing's SVG or PNG, its ``forms``, where its `_mark` stands.

    The SVG, but for as many of the longest as would bring the page to `LIMIT`.
    """
    room = LIMIT - len(text.encode()) - sum(len(png.encode()) for _, png in forms.values())
    for name, (svg, png) in sorted(forms.items(), key=lambda item: len(item[1][0])):
        room -= len(svg) - len(png)
        text = text.replace(_mark(name), svg if room > 0 else png)
    return text


def _mark(name: str) -> str:
    """What stands for a drawing until it is known in which form: no HTML has a NUL."""
    return f"\0{name}\0"


def _claims(verdicts: Sequence[Verdict]) -> str:
    rows = []
    before = ""
    for one, cells in zip(verdicts, tables.verdicts(verdicts), strict=True):
        again = one.claim.id == before
        before = one.claim.id
        inner = [
            f'<td data-head="{head}">{escape(cell)}</td>'
            for head, cell in zip(tables.CLAIM_HEAD, cells, strict=True)
        ]
        inner[3] = f'<td data-head="verdict" class="{cells[3]}">{MARKS[cells[3]]} {cells[3]}</td>'
        if again:  # the other reading of the same sentence
            inner[0] = inner[1] = '<td class="again"></td>'
        rows.append(f"<tr class='{'again' if again else 'new'}'>{''.join(inner)}</tr>")
    split = tables.disagreements(verdicts)
    told = ""
    if split:
        items = "".join(f"<li>{escape(item)}</li>" for item in split)
        told = f"<p>The verdict depends on the reading:</p><ul>{items}</ul>"
    head = "".join(f"<th>{cell}</th>" for cell in tables.CLAIM_HEAD)
    return (
        '<section id="claims"><h2>The claims of sections 6.1 to 6.4</h2>'
        f"<p>{escape(tables.VERDICTS)}</p>{told}"
        f'<div class="wide"><table class="claims"><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div></section>"
    )


def _section(sheet: Sheet, folder: Path) -> str:
    context = sheet.context
    figure, parts = context.figure, []
    state = "full" if context.complete else "reduced"
    parts.append(f'<section id="{figure.name}"><h2>{escape(figure.heading)}</h2>')
    parts.append(
        f'<p class="{state}">Section {escape(figure.section)}; {escape(tables.standing(context))}.</p>'
    )
    if sheet.told:
        items = "".join(f"<li>{escape(item)}</li>" for item in sheet.told)
        parts.append(
            f'<details class="told"><summary>What is missing ({len(sheet.told)})</summary>'
        )
        parts.append(f"<ul>{items}</ul></details>")
    # Drawings of one column can stand beside each other.
    narrow = not figure.every_lr_is_drawn and (len(figure.panels) == 1 or figure.columns == 1)
    main = _main(sheet)
    parts.append(_side_by_side([_mark(name) for name, _ in main], narrow))
    if sheet.findings:
        parts.append(f"<div class='findings'>{discussion.html(sheet.findings)}</div>")
    parts += [_table(table, open_=len(table.rows) < 40) for table in tables.tables(sheet)]
    for name, what in sheet.drawings:
        if (name, what) not in main:
            narrow = what == "stepsizes" and len(figure.panel_tasks) == 1
            drawn = embed.figure(folder / f"{name}.png", tables.caption(sheet, what))
            parts.append(_side_by_side([drawn], narrow))
    parts.append(_settings(context.provenance))
    parts.append(_origin(context.provenance))
    return "\n".join(parts) + "</section>"


def _side_by_side(drawings: Sequence[str], narrow: bool) -> str:
    """Drawings beside each other where they are narrow, else below."""
    kind = "pair" if narrow else "stack"
    return f'<div class="{kind}">{"".join(drawings)}</div>' if drawings else ""


def _table(table: Table, open_: bool) -> str:
    head = "".join(f"<th>{escape(cell)}</th>" for cell in table.head)
    rows = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in table.rows
    )
    return (
        f"<details{' open' if open_ else ''}><summary>{escape(table.caption)}</summary>"
        f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'
        "</details>"
    )


def _settings(provenance: Any) -> str:
    found = provenance.get("series") or []
    if not found:
        return ""
    blocks = []
    for one in found:
        title = f"{one['series']}, {READING_TITLES.get(one['reading'], one['reading'])}"
        title += f" ({one['panel']})" if one.get("panel") else ""
        items = []
        for key, value in one["settings"].items():
            mark = "†" if key in one["inferred"] else "‡" if key in one["searched"] else ""
            items.append(f"<li><code>{escape(str(key))} = {escape(str(value))}</code> {mark}</li>")
        grid = "; ".join(f"{key}: {_listed(values)}" for key, values in one["grid"].items())
        blocks.append(
            f"<h4>{escape(title)}, {one['seeds']} seed{'s' * (one['seeds'] != 1)}</h4>"
            f"<pre>{escape(one['command'])}</pre><ul class='settings'>{''.join(items)}</ul>"
            + (f"<p class='grid'>Grid: {escape(grid)}</p>" if grid else "")
        )
    return (
        "<details><summary>Settings of every series († inferred, the paper does not state it; "
        f"‡ found by the grid)</summary>{''.join(blocks)}</details>"
    )


def _listed(values: Any) -> str:
    return ", ".join(map(str, values)) if isinstance(values, list) else str(values)


def _origin(provenance: Any) -> str:
    if not provenance:
        return "<p class='origin'>Hardware, versions and settings are not known.</p>"
    hardware = "; ".join(
        f"{name} ({n} trials)" for name, n in provenance.get("hardware", {}).items()
    )
    versions = "; ".join(
        f"{name} {', '.join(map(str, v))}" for name, v in provenance.get("versions", {}).items()
    )
    commits = ", ".join(str(commit)[:13] for commit in provenance.get("commits", []))
    dates = " to ".join(map(str, provenance.get("dates", [])))
    parts = {
        "Hardware": hardware,
        "Versions": versions,
        "Commit": commits,
        "Trained": dates,
        "Trials": str(provenance.get("trials", "")),
    }
    told = ". ".join(f"{key}: {escape(value)}" for key, value in parts.items() if value)
    return f"<p class='origin'>{told}.</p>"
