"""What a figure is: its panels, its series, how their settings are searched, at which scales.

The fields are the keys of the files in ``configs/figure`` (`load` reads them, `validate` checks them).
One key more is ``extends``, the name of a figure that gives what a file does not give itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from adam_repro.config.validate import Choice, check

READINGS = ("as_printed", "dense_grid")
SCALES = ("paper", "short", "smoke")
READING_TITLES = {"as_printed": "fitted", "dense_grid": "tuned"}
READING_WORDS = {
    "as_printed": "settings chosen to match the paper's curves",
    "dense_grid": "every optimizer at its best setting",
}
KINDS = ("curves", "stepsizes", "scaling")

#: The cost of the whole training set, measured after an epoch; ``train_cost`` is a mean over it.
EVALUATED = "eval_train_cost"


def reading_of(name: str) -> str:
    """The reading as CSVs have it, of its title or of that name itself; any other name stays as it is."""
    return next((one for one, title in READING_TITLES.items() if title == name), name)


def not_trained(reading: str) -> str:
    """The warning for a reading without a finished trial."""
    return f"{READING_TITLES[reading]}: not trained"


@dataclass(frozen=True)
class Panel:
    """One pair of axes.

    ``curves``: the paper's panel, a file of ``figures/curves``, if it has one. ``x``: ``epoch``,
    ``normalised`` (seconds, in units of an epoch of the series ``unit``), ``lr``, or ``searched`` (the
    option of the figure's ``search``, in a figure of kind ``scaling``). ``quantity``: the
    column drawn: a mean over epoch x + 1, or ``eval_train_cost``, the cost of the whole training set
    after x epochs; or a column of the task's own. ``task``, ``overrides``: where the panels of a figure
    train different tasks, or one task at different settings, as batch_size=32. ``mark`` (figure 4):
    an index into the scale's ``marks``; ``where``: the settings of the trials drawn. ``xzoom``,
    ``yzoom``: limits of an enlarged corner of the tuned drawing, where all series end close
    together.
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
    overrides: tuple[str, ...] = ()
    xzoom: tuple[float, float] | None = None
    yzoom: tuple[float, float] | None = None
    where: Mapping[str, Any] = field(default_factory=dict)

    @property
    def separate(self) -> bool:
        """Whether the panel has trials of its own; else it shares the figure's."""
        return bool(self.task or self.overrides)

    @property
    def first_x(self) -> int:
        """x of the first epoch: a mean over it is drawn at its beginning, a cost after it at its end."""
        return 1 if self.quantity == EVALUATED else 0


@dataclass(frozen=True)
class Series:
    """One line: an optimizer, its other settings, and the values of lr that are searched.

    ``lr``: the two ends of a range, from which the scale makes a grid, or three or more values, which
    are the grid. ``search``: what else is searched for this series alone. ``reference``: the paper's
    own line, by its name in the legend. ``style``: colour and marker. ``quantity``: whether the
    ``last`` iterate is drawn, or the ``average`` of the iterates.
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
    """How much of the work is done.

    ``epochs``: one number, or one for each task. ``per_decade``: points of the lr grid in a decade.
    ``generated``: tiny generated data replace the task's own. ``seconds``: about how long an epoch of
    a trial takes on two CPU cores, one number, or one for each task. ``marks`` (figure 4): the numbers
    of epochs after which the cost is drawn.
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
    """A figure of the paper, or one that the paper does not have (``number`` is then empty).

    ``kind``: ``curves`` (cost by epoch, each series at its best setting) or ``stepsizes`` (figure 4:
    cost by lr after ``Scale.marks`` epochs). ``search``: what the tuning searches beside lr;
    ``printed``: what the fitted trials vary. ``targets``: the costs whose wall time is compared.
    ``inferred``: settings that the paper does not state. ``tiny``: the overrides that replace the data of a
    task of one's own by tiny generated ones, for a scale with ``generated``. ``name`` is no key, but the
    file's name.
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
    tiny: tuple[str, ...] = ()
    columns: int = 2

    @property
    def every_lr_is_drawn(self) -> bool:
        """Whether every lr has a part in the drawing, as in figure 4; else each series has one setting.

        Then every trial is drawn, and each combination of the other settings has a best lr of its own.
        """
        return self.kind != "curves"

    @property
    def panel_tasks(self) -> list[tuple[str, str, tuple[str, ...]]]:
        """(panel, task, overrides) of every group of trials; no panel where all panels share them."""
        named = [
            (panel.name, panel.task or self.task, panel.overrides)
            for panel in self.panels
            if panel.separate
        ]
        return named or [("", self.task, ())]

    def cost_column(self, panel: str) -> str:
        """The column that selects the best trial of a panel (of all panels: "").

        ``eval_train_cost`` where these panels draw nothing else; otherwise ``train_cost``.
        """
        drawn = {p.quantity for p in self.panels if panel in ("", p.name)}
        return EVALUATED if drawn == {EVALUATED} else "train_cost"

    @property
    def heading(self) -> str:
        return f"{self.number}: {self.title}" if self.number else self.title

    def series_of(self, label: str) -> Series | None:
        return next((series for series in self.series if series.label == label), None)

    def scale(self, name: str) -> Scale:
        """One of the figure's scales; raises UserError, naming the figure, for one that it does not have."""
        scale: Scale = self.scales[check(f"{self.name}: scale", name, Choice(*self.scales))]
        return scale
