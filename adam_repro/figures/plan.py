"""A figure as trials: composed by Hydra from the same configurations as any run.

The trials of a reading come in two stages. The first needs nothing: every seed of ``as_printed``, the
grid of ``dense_grid`` with seed 0. The second repeats the best of each grid with the other seeds; in
figure 4, whose panels are settings of their own, the best stepsize of each of them.
"""

from __future__ import annotations

import copy
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from adam_repro.config import compose
from adam_repro.config.hydra_errors import explain
from adam_repro.config.trial import Trial, read
from adam_repro.errors import UserError
from adam_repro.figures.spec import Figure, Scale, Series

Grid = dict[str, Any]
Key = tuple[str, str, str]  # reading, panel (empty: all), series

_ONE_PASS = ("task.data.name=synthetic", "task.epoch_examples=null")
_IMAGES = (*_ONE_PASS, "+task.data.n_train=64", "+task.data.n_test=32")
_FEW = (*_ONE_PASS, "+task.data.n_train=16", "+task.data.n_test=8", "batch_size=8")

#: What puts tiny generated data in the place of a task's own.
GENERATED: dict[str, tuple[str, ...]] = {
    "logreg": (*_IMAGES, "batch_size=16"),
    "imdb": (
        "task.data.name=synthetic_text",
        "~task.data.values",
        "+task.data.n_train=64",
        "+task.data.n_test=32",
        "+task.data.columns=10000",
        "batch_size=16",
    ),
    "mlp": _FEW,
    "mlp_deterministic": _FEW,
    "cnn": (*_FEW, "~task.data.whitening", "~task.data.zca_eps", "+task.data.shape=[3,32,32]"),
    "cnn_mnist": _FEW,
    "vae": (*_IMAGES, "batch_size=32"),
}


@dataclass(frozen=True)
class Entry:
    """A trial's place in a figure; ``grid`` holds what distinguishes it from its series."""

    figure: str
    reading: str
    panel: str
    series: str
    grid: Mapping[str, Any]
    trial: Trial
    printed: bool  # drawn as it is: nothing is selected
    cost: str = "train_cost"  # the merged column whose last row it is judged by
    average: bool = False  # drawn, and judged, at the average of its iterates
    by_lr: bool = False  # of a figure in which each setting of the others has a best lr of its own

    @property
    def key(self) -> Key:
        return self.reading, self.panel, self.series

    @property
    def rivals(self) -> tuple[Any, ...]:
        """Equal for the trials of a series of which one is the best."""
        own = ((k, v) for k, v in self.grid.items() if self.by_lr and k != "optimizer.lr")
        return self.key, *own


@dataclass(frozen=True)
class Line:
    """A series of one reading and panel, composed once; its trials differ in a few keys only."""

    figure: Figure
    scale: Scale
    reading: str
    panel: str
    series: Series
    words: tuple[str, ...]
    composed: Mapping[str, Any]
    seeds: int

    @property
    def key(self) -> Key:
        return self.reading, self.panel, self.series.label

    @property
    def printed(self) -> bool:
        return self.reading == "as_printed"

    def entry(self, grid: Grid, seed: int) -> Entry:
        settings = copy.deepcopy(dict(self.composed))
        for key, value in {**grid, "seed": seed}.items():
            compose.set_option(settings, key, value, f"configs/figure/{self.figure.name}.yaml")
        with _telling(self.figure, self.series):
            trial, _ = read(settings)
        return Entry(
            self.figure.name, self.reading, self.panel, self.series.label, grid, trial, self.printed,
            self.figure.cost(self.panel), self.series.quantity == "average",
            self.figure.kind == "stepsizes",
        )  # fmt: skip

    def grid(self) -> list[Grid]:
        """Every combination of the searched settings; one empty one where nothing is searched."""
        return list(_product(self.axes()))

    def axes(self) -> dict[str, Sequence[Any]]:
        """The searched settings and their values."""
        if self.reading == "as_printed":
            return dict(self.figure.printed)
        if self.series.lr is None:
            return {}
        every = len(self.series.lr) > 2
        lr = self.series.lr if every else spaced(self.series.lr, self.scale.per_decade)
        return {"optimizer.lr": lr, **self.figure.search, **self.series.search}

    def first(self) -> list[Entry]:
        """What can be trained before anything is known."""
        seeds = self.seeds if self.printed else 1
        return [self.entry(grid, seed) for seed in range(seeds) for grid in self.grid()]

    def second(self, best: Grid) -> list[Entry]:
        """The other seeds at the setting the grid has chosen."""
        return [] if self.printed else [self.entry(best, seed) for seed in range(1, self.seeds)]

    def repeats(self) -> list[Entry]:
        """As many as the second stage has, before it is known at which stepsize."""
        others = {key: values for key, values in self.axes().items() if key != "optimizer.lr"}
        cells = list(_product(others)) if self.figure.kind == "stepsizes" else [{}]
        return [entry for cell in cells for entry in self.second(cell)]


def lines(figure: Figure, scale_name: str) -> list[Line]:
    """Every series of every reading of a figure at one scale.

    Raises:
        UserError: for an unknown scale, or settings that no trial can have.
    """
    scale = figure.scale(scale_name)
    found = []
    for reading, (panel, task), series in itertools.product(
        figure.readings, figure.tasks, figure.series
    ):
        words = overrides(figure, scale, task, series)
        with _telling(figure, series):
            composed = compose.settings(words)
        found.append(
            Line(figure, scale, reading, panel, series, tuple(words), composed, scale.seeds)
        )
    return found


def overrides(figure: Figure, scale: Scale, task: str, series: Series) -> list[str]:
    """The words on the command line of ``adam-repro run`` that give a series, but for its grid.

    Generated data have none of the options of the data they stand for.
    """
    own = [*figure.overrides, *series.overrides]
    if scale.generated:
        own = [word for word in own if not word.startswith("task.data.")]
    return [
        f"task={task}",
        f"optimizer={series.optimizer}",
        f"epochs={scale.epochs_of(task)}",
        *(GENERATED[task] if scale.generated else ()),
        *(["optimizer.n_subfunctions=4"] if scale.generated and series.optimizer == "sfo" else ()),
        *own,
        *scale.overrides,
    ]


def spaced(ends: Sequence[float], per_decade: float) -> list[float]:
    """lr from one end to the other, both included, in equal factors, to three digits."""
    first, last = (math.log10(end) for end in ends)
    steps = max(1, round((last - first) * per_decade))
    points = (first + (last - first) * i / steps for i in range(steps + 1))
    return [float(f"{10.0**point:.3g}") for point in points]


def _product(axes: Mapping[str, Sequence[Any]]) -> Iterator[Grid]:
    for values in itertools.product(*axes.values()):
        yield dict(zip(axes, values, strict=True))


@contextmanager
def _telling(figure: Figure, series: Series) -> Iterator[None]:
    """Say of what is refused in which file it stands, and of which series."""
    where = f"configs/figure/{figure.name}.yaml: {series.label}"
    try:
        yield
    except UserError as error:
        raise UserError(f"{where}: {error}") from None
    except (HydraException, OmegaConfBaseException) as error:
        raise UserError(f"{where}: {explain(error)}") from None
