"""One figure from its CSV to its drawings and the numbers of its tables."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from adam_repro import config_folders
from adam_repro.claims import agreement
from adam_repro.figures import load, spec
from adam_repro.plots import (
    bias_correction,
    curves,
    held_out,
    scaling,
    stepsize_grid,
    style,
    wall_time,
)
from adam_repro.plots.context import Context
from adam_repro.report import discussion, parallel
from adam_repro.results import provenance, table

if TYPE_CHECKING:  # Matplotlib is imported by plots/, which knows how
    from matplotlib.figure import Figure as Drawing

DETAIL_FORMATS = ("png",)  # of the drawings beside the figure itself
DETAIL_DPI = 100  # embedded as pixels, they are a sixth of the page's bytes
DRAW = {"curves": curves.draw, "stepsizes": bias_correction.draw, "scaling": scaling.draw}


@dataclass
class FigureReport:
    """Everything the page says of one figure.

    ``drawings``: (file name without ending, kind): a reading, ``stepsizes``, ``time`` or ``test``.
    ``discussion``: a person's text, in Markdown. ``times_to_target``: (reading, when a cost is reached).
    """

    context: Context
    drawings: list[tuple[str, str]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    discussion: str = ""
    differences: list[agreement.Difference] = field(default_factory=list)
    ranks: list[agreement.Ranks] = field(default_factory=list)
    cells: list[agreement.Cell] = field(default_factory=list)
    times_to_target: list[tuple[str, wall_time.TimeToTarget]] = field(default_factory=list)

    def warn(self, warnings: Sequence[str]) -> None:
        """Add the warnings that are not there yet."""
        self.warnings += [item for item in warnings if item not in self.warnings]

    def save(
        self,
        folder: Path,
        kind: str,
        drawn: tuple[Drawing, list[str]] | None,
        redraw: bool,
        formats: tuple[str, ...] = DETAIL_FORMATS,
        dpi: int = DETAIL_DPI,
    ) -> None:
        """Save a drawing and add its warnings; for ``None`` remove that of an earlier CSV, which had data."""
        figure = self.context.figure.name
        name = f"{figure}_{spec.READING_TITLES.get(kind, kind)}"
        if kind in spec.READING_TITLES:  # drawings of an older version had the name that CSVs have
            for ending in style.FORMATS:
                (folder / f"{figure}_{kind}.{ending}").unlink(missing_ok=True)
        if drawn is None:
            for ending in style.FORMATS:
                (folder / f"{name}.{ending}").unlink(missing_ok=True)
            return
        drawing, warnings = drawn
        self.warn(warnings)
        if redraw or not all((folder / f"{name}.{ending}").exists() for ending in formats):
            style.save(drawing, folder, name, formats, dpi)
        self.drawings.append((name, kind))


def load_context(name: str, folder: Path) -> Context:
    """A figure with its rows and provenance, in whatever state the files are."""
    figure = load.load(name)
    merged = table.read(folder, name)
    record = provenance.read(folder, name, merged.problems)
    return Context(figure, merged.rows, record, merged.problems)


def make_reports(names: Sequence[str], folder: Path, redraw: Sequence[str]) -> list[FigureReport]:
    """The reports of these figures; with several to ``redraw``, in two processes."""
    jobs = [(name, folder, name in redraw) for name in names]
    if len(redraw) < 2 or (os.cpu_count() or 1) < 2:
        return [make_report(*job) for job in jobs]
    slowest_first = sorted(jobs, key=lambda job: -len(load.load(job[0]).panels))
    configurations = partial(config_folders.use, config_folders.own())
    drawn = parallel.starmap(make_report, slowest_first, configurations)
    by_name = {report.context.figure.name: report for report in drawn}
    return [by_name[name] for name in names]


def make_report(name: str, folder: Path, redraw: bool = True) -> FigureReport:
    """Draw a figure (missing files alone unless ``redraw``) and compute its tables."""
    report = FigureReport(load_context(name, folder))
    context, figure = report.context, report.context.figure
    report.discussion, unreadable = discussion.load(folder, name)
    report.warnings += context.problems + list(context.provenance.get("missing", [])) + unreadable
    trained = [
        reading for reading in figure.readings if (context.rows["reading"] == reading).any()
    ] or list(figure.readings)  # without any data the paper's curves alone are drawn
    for reading in set(figure.readings) - set(trained):
        report.warn([spec.not_trained(reading)])
        report.save(folder, reading, None, redraw)
    drawn = {reading: DRAW[figure.kind](context, reading) for reading in trained}
    report.warnings += _combine({reading: warnings for reading, (_, warnings) in drawn.items()})
    for reading, (drawing, _) in drawn.items():
        report.save(folder, reading, (drawing, []), redraw, style.FORMATS, style.DPI)
        report.times_to_target += [
            (reading, one) for one in wall_time.times_to_target(context, reading)
        ]
    if not context.figure.every_lr_is_drawn:
        tuned = trained[-1]  # the tuned trials, where there are some
        report.save(folder, "stepsizes", stepsize_grid.draw(context), redraw)
        report.save(folder, "time", wall_time.draw(context, tuned), redraw)
        report.save(folder, "test", held_out.draw(context, tuned), redraw)
    report.differences = agreement.differences(context)
    report.ranks = agreement.ranks(context)
    report.cells = agreement.cells(context)
    return report


def _combine(by_reading: Mapping[str, Sequence[str]]) -> list[str]:
    """Each warning once; one that does not hold in every reading names its own."""
    combined: list[str] = []
    for reading, warnings in by_reading.items():
        for item in warnings:
            everywhere = all(item in others for others in by_reading.values())
            text = item if everywhere else f"{item}, {spec.READING_TITLES[reading]}"
            if text not in combined:
                combined.append(text)
    return combined
