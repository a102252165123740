"""One figure from its CSV to its drawings and tables: a sheet of the report."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from adam_repro.claims import agreement
from adam_repro.claims.judge import Verdict, judge
from adam_repro.figures import load, spec
from adam_repro.plots import bias_correction, curves, held_out, stepsize_grid, style, wall_time
from adam_repro.plots.context import Context
from adam_repro.report import discussion, parallel
from adam_repro.results import provenance, table

MAIN = ("png", "pdf", "svg")
BESIDE = ("png",)  # drawings beside the figure itself
BESIDE_DPI = 100  # the page holds them as pictures, a sixth of its bytes


@dataclass
class Sheet:
    """Everything the page says of one figure.

    ``drawings``: (file name without ending, what it shows). ``findings``: a person's text on it, Markdown.
    """

    context: Context
    drawings: list[tuple[str, str]] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    findings: str = ""
    differences: list[agreement.Difference] = field(default_factory=list)
    ranks: list[agreement.Ranks] = field(default_factory=list)
    cells: list[agreement.Cell] = field(default_factory=list)
    reached: list[tuple[str, wall_time.Reached]] = field(default_factory=list)


def context(name: str, folder: Path) -> Context:
    """A figure with its rows and provenance, whatever state their files are in."""
    figure = load.load(name)
    merged = table.read(folder, name)
    return Context(
        figure, merged.rows, provenance.read(folder, name, merged.problems), merged.problems
    )


def sheets(names: Sequence[str], folder: Path, fresh: Sequence[str]) -> list[Sheet]:
    """The sheets of these figures, drawn by two processes where there is enough to draw."""
    jobs = [(name, folder, name in fresh) for name in names]
    if len(fresh) < 2 or (os.cpu_count() or 1) < 2:
        return [figure(*job) for job in jobs]
    slowest = sorted(jobs, key=lambda job: -len(load.load(job[0]).panels))
    drawn = {sheet.context.figure.name: sheet for sheet in parallel.each(figure, slowest)}
    return [drawn[name] for name in names]


def figure(name: str, folder: Path, fresh: bool = True) -> Sheet:
    """Draw a figure (again only if ``fresh``) and reckon its tables."""
    sheet = Sheet(context(name, folder))
    own = sheet.context
    sheet.findings, unread = discussion.read(folder, name)
    sheet.told += own.problems + list(own.provenance.get("missing", [])) + unread
    draw = bias_correction.draw if own.figure.every_lr_is_drawn else curves.draw
    trained = [
        reading for reading in own.figure.readings if (own.rows["reading"] == reading).any()
    ] or list(own.figure.readings)  # without any data the paper's curves alone are drawn
    for reading in set(own.figure.readings) - set(trained):
        if spec.not_trained(reading) not in sheet.told:
            sheet.told.append(spec.not_trained(reading))
        _keep(sheet, folder, f"{name}_{reading}", None, reading, fresh)
    drawn = {reading: draw(own, reading) for reading in trained}
    sheet.told += _by_reading({reading: told for reading, (_, told) in drawn.items()})
    for reading, (drawing, _) in drawn.items():
        _keep(sheet, folder, f"{name}_{reading}", (drawing, []), reading, fresh, MAIN)
        sheet.reached += [(reading, one) for one in wall_time.reached(own, reading)]
    if not own.figure.every_lr_is_drawn:
        honest = trained[-1]  # the dense grid, where there is one
        _keep(sheet, folder, f"{name}_stepsizes", stepsize_grid.draw(own), "stepsizes", fresh)
        _keep(sheet, folder, f"{name}_time", wall_time.draw(own, honest), "time", fresh)
        _keep(sheet, folder, f"{name}_test", held_out.draw(own, honest), "test", fresh)
    sheet.differences = agreement.differences(own)
    sheet.ranks = agreement.ranks(own)
    sheet.cells = agreement.cells(own)
    return sheet


def _by_reading(told: Mapping[str, Sequence[str]]) -> list[str]:
    """What is missing in every reading, and what in one of them, which is then named."""
    found: list[str] = []
    for reading, items in told.items():
        for item in items:
            everywhere = all(item in others for others in told.values())
            word = item if everywhere else f"{item}, {spec.READING_TITLES[reading]}"
            if word not in found:
                found.append(word)
    return found


def _keep(
    sheet: Sheet,
    folder: Path,
    name: str,
    drawn: Any,
    caption: str,
    fresh: bool,
    formats: tuple[str, ...] = BESIDE,
) -> None:
    if drawn is None:
        for kind in style.FORMATS:  # of an earlier CSV that had what this one lacks
            (folder / f"{name}.{kind}").unlink(missing_ok=True)
        return
    drawing, told = drawn
    sheet.told += [item for item in told if item not in sheet.told]
    if fresh or not all((folder / f"{name}.{kind}").exists() for kind in formats):
        style.save(drawing, folder, name, formats, style.DPI if formats == MAIN else BESIDE_DPI)
    sheet.drawings.append((name, caption))


def judge_claims(sheets: Sequence[Sheet], folder: Path) -> list[Verdict]:
    """Every claim, put to the test of the figures and measurements that are there."""
    return judge({sheet.context.figure.name: sheet.context for sheet in sheets}, folder)
