"""The paper's curves beside trials: only where task, data, optimizer and quantity are the paper's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from adam_repro.figures import paper_curves
from adam_repro.figures.paper_curves import Reference
from adam_repro.plots import style
from adam_repro.plots.style import SeriesStyle
from adam_repro.plots.trials.lines import Line

Styles = dict[str, SeriesStyle]  # by group


def references(lines: Sequence[Line], drawn: tuple[str, str]) -> dict[Reference, list[Line]]:
    """The paper's curves that are of the quantity drawn, with the lines that each belongs to."""
    (x, y) = drawn
    found: dict[Reference, list[Line]] = {}
    for line in lines:
        reference = paper_curves.find_reference(_nested(line.settings))
        if reference and x == "epoch" and paper_curves.is_quantity(reference, y):
            found.setdefault(reference, []).append(line)
    return found


def _nested(settings: Mapping[str, Any]) -> dict[str, Any]:
    """What :func:`paper_curves.find_reference` reads, from settings with dotted names."""
    names = ("name", "epoch_examples", "dropout_input", "dropout_hidden")
    values = {name: settings.get(f"task.{name}") for name in names}
    # A task without the option has an empty cell, which is not zero.
    task = {name: value for name, value in values.items() if value == value}
    task["data"] = {"name": settings.get("task.data.name")}
    return {"task": task, "optimizer": {"name": settings.get("optimizer.name")}}


def plot(axes: Axes, lines: Sequence[Line], styles: Styles, drawn: tuple[str, str]) -> np.ndarray:
    """The paper's curves as far as ours go, in the colour of the group that each belongs to; their costs."""
    costs = [np.zeros(0)]
    for reference, own in references(lines, drawn).items():
        groups = {line.group for line in own}
        one = styles[groups.pop()] if len(groups) == 1 else SeriesStyle(style.INK, "")
        x, cost = paper_curves.curve(reference)
        inside = x <= max(1.0, *(line.x[-1] for line in own))
        dashes = "-." if reference.series == paper_curves.UNDIVIDED else ":"
        style.plot_paper(axes, x[inside], cost[inside], one, dashes=dashes)
        costs.append(cost[inside])
    return np.concatenate(costs)
