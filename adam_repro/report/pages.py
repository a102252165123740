"""Write ``index.html``, one page with everything, and ``README.md``, what a repository shows of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from adam_repro.claims.model import Verdict
from adam_repro.figures.spec import READING_TITLES
from adam_repro.files import visible, write_text
from adam_repro.report import discussion, embed
from adam_repro.report.claim_table import claim_data
from adam_repro.report.figure_report import FigureReport
from adam_repro.report.render import render
from adam_repro.report.tables import caption, figure_data
from adam_repro.report.theory import TheorySection
from adam_repro.wording import counted

KINDS = {"stepsizes": "its grid", "time": "wall time", "test": "test set"}


def write(
    reports: Sequence[FigureReport],
    verdicts: Sequence[Verdict],
    theory: TheorySection | None,
    folder: Path,
) -> None:
    """Write both: the claims, every figure with its drawings and tables, theory."""
    figures = [figure_data(report) for report in reports]
    data: dict[str, Any] = {"figures": figures, "claims": claim_data(verdicts), "theory": theory}
    # A person's own words on all figures: a few sentences, and the findings in full.
    overview, _ = discussion.load(folder, "overview")
    findings, _ = discussion.load(folder, "findings")
    write_text(
        folder / "README.md", render("summary.md.j2", **data, overview=overview, findings=findings)
    )
    data["figures"] = [one | _details(report) for one, report in zip(figures, reports, strict=True)]
    names = [name for report in reports for name, _ in report.drawings]
    main = [name for figure in figures for name, _ in figure["main"]]
    main += [one.name for one in theory.drawings] if theory else []
    data["csvs"] = {path.name for path in visible(folder, "*.csv")}
    data["known"] = {one["name"]: one["short"] for one in figures}
    data |= {
        "overview": discussion.to_html(overview),
        "picture": figures[0]["main"] if figures else [],
    }
    addresses = {name: embed.data_uri(folder / f"{name}.png") for name in [*names, *main]}
    data["pixels"] = dict(addresses)  # of the first screen, whose picture the page shows again
    svg = {name: embed.data_uri(folder / f"{name}.svg") for name in main}
    text = render("page.html.j2", **data, addresses=addresses)
    if chosen := embed.fitting(addresses, svg, embed.LIMIT - len(text.encode())):
        text = render("page.html.j2", **data, addresses=addresses | chosen)
    behind = {name: addresses[name] for name in names if name not in main}
    if linked := embed.linked(behind, len(text.encode()) - embed.LIMIT):
        text = render("page.html.j2", **data, addresses=addresses | linked)
    write_text(folder / "index.html", text)


def _details(report: FigureReport) -> dict[str, Any]:
    """What the page shows of a figure beyond the summary."""
    provenance = report.context.provenance
    others = [
        (name, caption(report, kind))
        for name, kind in report.drawings
        if kind not in READING_TITLES
    ]
    return {
        "discussion": discussion.to_html(report.discussion),
        "others": others,
        "other_kinds": ", ".join(
            KINDS[kind] for _, kind in report.drawings if kind not in READING_TITLES
        ),
        "series": [
            one
            | {
                "reading": READING_TITLES.get(one["reading"], one["reading"]),
                "grid": "; ".join(
                    f"{key}: {_joined(values)}" for key, values in one["grid"].items()
                ),
            }
            for one in provenance.get("series") or []
        ],
        "origin": _origin(provenance),
    }


def _joined(values: Any) -> str:
    return ", ".join(map(str, values)) if isinstance(values, list) else str(values)


def _origin(provenance: Mapping[str, Any]) -> str:
    """One line on where the numbers of a figure come from."""
    if not provenance:
        return "Hardware, versions and settings are not known."
    hardware = provenance.get("hardware", {})
    versions = provenance.get("versions", {})
    parts = {
        "Hardware": "; ".join(f"{name} ({counted(n, 'trial')})" for name, n in hardware.items()),
        "Versions": "; ".join(f"{name} {_joined(found)}" for name, found in versions.items()),
        "Commit": ", ".join(str(commit)[:13] for commit in provenance.get("commits", [])),
        "Trained": " to ".join(map(str, provenance.get("dates", []))),
        "Trials": str(provenance.get("trials", "")),
    }
    return ". ".join(f"{key}: {value}" for key, value in parts.items() if value) + "."
