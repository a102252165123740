"""The page of a comparison, and its files beside it: summary, LaTeX table, methods, drawings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from matplotlib.figure import Figure

from adam_repro import __version__
from adam_repro.comparison.model import Comparison, TaskResult
from adam_repro.comparison.page import numbers, tables, texts
from adam_repro.files import write_text
from adam_repro.plots import comparison as drawings
from adam_repro.plots import style
from adam_repro.plots.trials import draw as trials
from adam_repro.report import embed
from adam_repro.report.render import Renderer

render = Renderer(Path(__file__).parent / "templates")
CANDIDATE = (
    5  # the style of the first candidate: black, which no optimizer of the paper but SFO has
)
Drawings = dict[str, tuple[str, Figure]]  # by name: caption and drawing


def write(comparison: Comparison, folder: Path) -> None:
    """Write index.html, summary.md, table.tex, methods.md and the drawings (PNG, PDF, SVG).

    The page holds its drawings; one that is very large links to the files beside it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    styles = _styles(comparison)
    found = _drawings(comparison, styles)
    for name, (_, drawing) in found.items():
        style.save(drawing, folder, name)
    data = _data(comparison, {name: caption for name, (caption, _) in found.items()})
    write_text(folder / "summary.md", render("comparison.md.j2", **data))
    write_text(folder / "methods.md", render("methods.md.j2", **data))
    write_text(folder / "table.tex", texts.latex(comparison))
    write_text(folder / "index.html", _page(data, folder, list(found)))


def _page(data: Mapping[str, Any], folder: Path, names: list[str]) -> str:
    """The page with its drawings: SVG as long as there is room, else PNG, else files beside it."""
    png = {name: embed.data_uri(folder / f"{name}.png") for name in names}
    svg = {name: embed.data_uri(folder / f"{name}.svg") for name in names}
    size = len(render("comparison.html.j2", **data, addresses=png).encode())
    addresses = png | embed.fitting(png, svg, embed.LIMIT - size)
    addresses |= embed.linked(png, size - embed.LIMIT)
    return render("comparison.html.j2", **data, addresses=addresses)


def _styles(comparison: Comparison) -> dict[str, style.SeriesStyle]:
    """The paper's optimizers as in every figure, the first candidate in black."""
    labels = [one.label for one in comparison.entrants]
    fixed = {label: trials.FIXED[label] for label in labels if label in trials.FIXED}
    first = comparison.candidates[0].label
    if first not in fixed and CANDIDATE not in fixed.values():
        fixed[first] = CANDIDATE
    return style.series_styles(labels, fixed)


def _drawings(comparison: Comparison, styles: Mapping[str, style.SeriesStyle]) -> Drawings:
    """Every drawing by its name, with its caption."""
    found: Drawings = {}
    ratios = numbers.profile(comparison)
    if len(ratios) > 1:
        text = (
            "Performance profile (Dolan and Moré 2002): the share of the tasks on which an optimizer reaches "
            "the target within τ times the steps of the fastest one. The target of a task is the median of "
            "the final costs, so that half of the optimizers reach it."
        )
        drawing = drawings.profile(ratios, styles, [f"{len(ratios)} tasks · {_note(comparison)}"])
        found["profile"] = (text, drawing)
    for task in comparison.tasks:
        for name, caption, drawing in _of_task(comparison, task, dict(styles)):
            found[f"{task.task}_{name}"] = (caption, drawing)
    return found


def _of_task(
    comparison: Comparison, task: TaskResult, styles: dict[str, style.SeriesStyle]
) -> Iterator[tuple[str, str, Figure]]:
    """Name, caption and drawing of what a task has."""
    frame, cost = numbers.trial_frame(comparison, task), tables.METRICS[task.metric]
    options: dict[str, Any] = {
        "group": ["optimizer"],
        "styles": styles,
        "note": _note(comparison),
        "paper_widens": False,
    }
    if len(frame):
        drawing, _ = trials.draw(frame, y=task.metric, **options)
        yield "cost", f"{task.task}: {cost} at the best setting of each, with other seeds", drawing
        if frame["test_error"].notna().any():
            drawing, _ = trials.draw(frame, y="test_error", **options)
            yield "test_error", f"{task.task}: test error of the same trials", drawing
    labels = (task.task, f"final training cost ({trials.NATS})")
    footer = [f"tuning trials, one seed · {_note(comparison)}"]
    points = numbers.by_stepsize(task)
    if len(points):
        text = f"{task.task}: final cost by stepsize; of several schedules or other options, the lowest"
        yield "stepsizes", text, drawings.stepsizes(points, styles, labels, footer)
    after = numbers.best_after(task)
    if len(after):
        text = f"{task.task}: the lowest final cost of the first k tuning trials"
        labels = (task.task, f"lowest final training cost ({trials.NATS})")
        yield "tuning", text, drawings.best_after(after, styles, labels, footer)


def _note(comparison: Comparison) -> str:
    return f"scale: {comparison.scale}"


def _data(comparison: Comparison, captions: Mapping[str, str]) -> dict[str, Any]:
    """What the templates are given."""
    candidates = [
        {
            "label": one.label,
            "rows": tables.verdicts(comparison, one.label),
            "flat": tables.verdict_rows(comparison, one.label),
            "sentence": texts.sentence(comparison, one),
            "notes": one.notes if one.lr_option else (),
        }
        for one in comparison.candidates
    ]
    return {
        "comparison": comparison,
        "version": __version__,
        "candidates": candidates,
        "untuned": [
            f"{one.label}: {note}"
            for one in comparison.entrants
            if not one.lr_option
            for note in one.notes
        ],
        "reasons": tables.reasons(comparison),
        "notes": tables.notes(comparison),
        "cannot": tables.cannot(comparison),
        "tasks": [_task(comparison, task, captions) for task in comparison.tasks],
        "profile": [("profile", captions["profile"])] if "profile" in captions else [],
        "spaces": [texts.space(comparison, one) for one in comparison.entrants],
        "provenance": texts.provenance(comparison),
        "bibtex": texts.software() + texts.BIBTEX,
    }


def _task(comparison: Comparison, task: TaskResult, captions: Mapping[str, str]) -> dict[str, Any]:
    names = [f"{task.task}_{name}" for name in ("cost", "stepsizes", "tuning", "test_error")]
    return {
        "name": task.task,
        "about": texts.about(task),
        "metric": tables.METRICS[task.metric],
        "epochs": task.epochs,
        "schedules": ", ".join(task.schedules),
        "drawings": [(name, captions[name]) for name in names if name in captions],
        "tables": [
            tables.results(comparison, task),
            tables.settings(comparison, task),
            tables.times(comparison, task),
        ],
        "settings": {
            label: yaml.safe_dump(dict(found), sort_keys=False, allow_unicode=True)
            for label, found in task.settings.items()
        },
    }
