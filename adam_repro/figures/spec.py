"""What a figure is: its panels, its series, how their settings are searched, at which scales.

A figure is one file of ``configs/figure``. This module reads it and checks it; nothing else in the
package knows the layout of those files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from adam_repro.errors import UserError

READINGS = ("as_printed", "dense_grid")
SCALES = ("paper", "short", "smoke")
READING_TITLES = {"as_printed": "as printed", "dense_grid": "dense grid"}

#: The column that is measured after a pass, not over it.
EVALUATED = "eval_train_cost"


def not_trained(reading: str) -> str:
    """What is told of a reading of which there is nothing."""
    return f"{READING_TITLES[reading]}: not trained"


@dataclass(frozen=True)
class Panel:
    """One pair of axes. ``curves``: the paper's panel in ``report/curves``, if it has one.

    ``x``: ``epoch``, ``normalised`` (seconds, in units of an epoch of the series ``unit``) or
    ``lr``. ``quantity``: the column drawn; a mean over pass x + 1, but for ``eval_train_cost``, which
    is the cost of the whole training set after x passes. ``task``: only where the panels of a figure
    train different tasks. ``mark`` and ``where`` (figure 4): which of the scale's marks, and the
    trials whose settings these are. ``xzoom``, ``yzoom``: what the dense grid's drawing
    shows larger in a corner, where all series end close together.
    """

    name: str
    title: str
    xlabel: str
    ylabel: str
    xlim: tuple[float, float]
    ylim: tuple[float, float]
    x: str = "epoch"
    curves: str | None = None
    yscale: str = "linear"
    xstep: float | None = None
    ystep: float | None = None
    unit: str | None = None
    task: str | None = None
    quantity: str = "train_cost"
    mark: int = 0
    xzoom: tuple[float, float] | None = None
    yzoom: tuple[float, float] | None = None
    where: Mapping[str, Any] = field(default_factory=dict)

    @property
    def first(self) -> int:
        """Passes that have been trained at the first point: a mean's x counts those before it."""
        return 1 if self.quantity == EVALUATED else 0


@dataclass(frozen=True)
class Series:
    """One line: an optimizer, what else it sets, and the lr its best is searched in.

    ``lr``: the two ends of a range, from which the scale makes a grid, or every value of one.
    ``search``: what else is searched for this series alone. ``reference``: the legend's name of the
    paper's own line. ``quantity``: ``last`` iterate or its ``average``, whose test cost is drawn.
    """

    label: str
    optimizer: str
    style: int
    lr: tuple[float, ...] | None = None
    overrides: tuple[str, ...] = ()
    search: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    reference: str | None = None
    quantity: str = "last"


@dataclass(frozen=True)
class Scale:
    """How much of the work is done. ``epochs``: one number, or one for each task.

    ``per_decade``: points of the lr grid in a decade. ``generated``: tiny generated data in the
    place of the task's own. ``seconds``: about how long an epoch of a trial takes on two CPU cores.
    """

    epochs: int | Mapping[str, int]
    seeds: int
    per_decade: float
    seconds: float | Mapping[str, float]
    generated: bool = False
    marks: tuple[int, ...] = ()
    overrides: tuple[str, ...] = ()

    def epochs_of(self, task: str) -> int:
        return self.epochs[task] if isinstance(self.epochs, Mapping) else self.epochs

    def seconds_of(self, task: str) -> float:
        return self.seconds[task] if isinstance(self.seconds, Mapping) else self.seconds


@dataclass(frozen=True)
class Figure:
    """A figure of the paper, or one the paper does not have (``number`` is then empty).

    ``kind``: ``curves`` (cost by epoch, each series at its best setting) or ``stepsizes`` (figure 4:
    cost by lr after ``Scale.marks`` epochs, every trial drawn; the best lr is that after the last).
    ``search``: what the dense grid searches beside lr. ``inferred``: settings that the paper does not
    state.
    """

    name: str
    title: str
    number: str
    section: str
    task: str
    panels: tuple[Panel, ...]
    series: tuple[Series, ...]
    scales: Mapping[str, Scale]
    kind: str = "curves"
    readings: tuple[str, ...] = READINGS
    search: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    printed: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    targets: tuple[float, ...] = ()
    inferred: tuple[str, ...] = ()
    overrides: tuple[str, ...] = ()
    columns: int = 2

    @property
    def tasks(self) -> list[tuple[str, str]]:
        """(panel, task) of every group of trials; the panel is empty where all panels share them."""
        own = [(panel.name, panel.task) for panel in self.panels if panel.task]
        return own or [("", self.task)]

    def cost(self, panel: str) -> str:
        """The training cost, of the two, that the trials of a panel (or of all: "") are judged by.

        What is drawn, where all that they are drawn in shows that; else the mean as trained.
        """
        shown = {p.quantity for p in self.panels if panel in ("", p.name)}
        return EVALUATED if shown == {EVALUATED} else "train_cost"

    @property
    def heading(self) -> str:
        return f"{self.number}: {self.title}" if self.number else self.title

    def panel(self, name: str) -> Panel | None:
        return next((panel for panel in self.panels if panel.name == name), None)

    def one(self, label: str) -> Series | None:
        return next((series for series in self.series if series.label == label), None)

    def scale(self, name: str) -> Scale:
        if name not in self.scales:
            raise UserError(f"scale={name}: must be one of {', '.join(self.scales)}")
        return self.scales[name]
