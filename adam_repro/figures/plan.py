"""The trials that a figure needs, composed by Hydra from the same configurations as any run.

They are trained in two stages. The grid stage depends on nothing: every seed of the trials
``as_printed``, and the ``dense_grid`` with seed 0. The seed stage repeats the best setting of each grid
with the other seeds (in figure 4, whose panels are settings, the best lr of each of them).
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

from adam_repro import config_folders
from adam_repro.config import compose
from adam_repro.config.hydra_errors import explain
from adam_repro.config.trial import Trial, read
from adam_repro.errors import UserError
from adam_repro.figures.spec import Figure, Scale, Series

GridPoint = dict[str, Any]
SeriesKey = tuple[str, str, str]  # reading, panel (empty: all), series

_ONE_PASS = ("task.data.name=synthetic", "task.epoch_examples=null")
_IMAGES = (*_ONE_PASS, "+task.data.n_train=64", "+task.data.n_test=32")
_FEW = (*_ONE_PASS, "+task.data.n_train=16", "+task.data.n_test=8", "batch_size=8")

#: The overrides that replace a task's data by tiny generated data.
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
    "lm_lstm": (
        "task.data.name=synthetic_words",
        "+task.data.tokens=200",
        "+task.data.words=20",
        "batch_size=4",
        "task.data.steps=5",
        "task.embedding=4",
        "task.hidden=4",
    ),
    "mlp": _FEW,
    "mlp_deterministic": _FEW,
    "cnn": (*_FEW, "~task.data.whitening", "~task.data.zca_eps", "+task.data.shape=[3,32,32]"),
    "cnn_mnist": _FEW,
    "vae": (*_IMAGES, "batch_size=32"),
    "lm": (
        "task.data.name=synthetic_words",
        "task.data.min_count=1",
        "task.data.tokens=300",
        "task.features=8",
        "task.hidden=6",
        "batch_size=32",
    ),
    "bigram": (),  # the data of this and the next are generated at every scale
    "rare_classes": (),
    "nmt": (
        "task.data.name=synthetic_pairs",
        *(f"~task.data.{name}" for name in ("pair", "lowercase", "merges", "joint", "max_length")),
        "+task.data.n_train=64",
        "+task.data.n_test=16",
        "task.epoch_examples=null",
        "task.embedding=8",
        "task.state=8",
        "batch_size=16",
    ),
}


@dataclass(frozen=True)
class PlannedTrial:
    """A trial and its place in a figure."""

    figure: str
    reading: str
    panel: str
    series: str
    grid_point: Mapping[str, Any]  # the settings that differ from the other trials of the series
    trial: Trial
    fitted: bool  # no best one is selected
    cost: str  # the column of the merged CSV whose last row selects the best
    average: bool  # drawn, and selected, at the average of its iterates
    selection_group: tuple[Any, ...]  # of the trials with an equal one, the best is selected

    @property
    def key(self) -> SeriesKey:
        return self.reading, self.panel, self.series


@dataclass(frozen=True)
class PlannedSeries:
    """A series of one reading and panel, composed once; its trials differ in a few keys only.

    ``overrides`` and ``settings``: those of all its trials, as words and composed.
    """

    figure: Figure
    scale: Scale
    reading: str
    panel: str
    series: Series
    overrides: tuple[str, ...]
    settings: Mapping[str, Any]
    seeds: int

    @property
    def key(self) -> SeriesKey:
        return self.reading, self.panel, self.series.label

    @property
    def fitted(self) -> bool:
        return self.reading == "as_printed"

    def trial_at(self, point: GridPoint, seed: int) -> PlannedTrial:
        """The trial at a point of the grid, or at one that leaves options out.

        Raises:
            UserError: for options or values that no trial can have.
        """
        settings = copy.deepcopy(dict(self.settings))
        for key, value in {**point, "seed": seed}.items():
            compose.set_option(settings, key, value, _file(self.figure))
        with _error_context(self.figure, self.series):
            trial, _ = read(settings)
        others = tuple(item for item in point.items() if item[0] != "optimizer.lr")
        return PlannedTrial(
            self.figure.name,
            self.reading,
            self.panel,
            self.series.label,
            point,
            trial,
            self.fitted,
            self.figure.cost_column(self.panel),
            self.series.quantity == "average",
            (self.key, *others) if self.figure.every_lr_is_drawn else (self.key,),
        )

    def axes(self) -> dict[str, Sequence[Any]]:
        """The searched options and their values."""
        if self.fitted:
            return dict(self.figure.printed)
        lr: Sequence[float] | None = self.series.lr
        if lr is None:
            return {}
        if len(lr) == 2:
            lr = log_grid(lr[0], lr[1], self.scale.per_decade)
        return {"optimizer.lr": lr, **self.figure.search, **self.series.search}

    def grid(self) -> list[GridPoint]:
        """Every combination of the searched options; one empty one where nothing is searched."""
        return list(_product(self.axes()))

    def every_trial(self) -> list[PlannedTrial]:
        """Every seed of every point of the grid, whether it is planned or not."""
        return [self.trial_at(point, seed) for point in self.grid() for seed in range(self.seeds)]

    def grid_stage(self) -> list[PlannedTrial]:
        """The trials that depend on no result."""
        seeds = self.seeds if self.fitted else 1
        return [self.trial_at(point, seed) for seed in range(seeds) for point in self.grid()]

    def seed_stage(self, best: GridPoint) -> list[PlannedTrial]:
        """The other seeds at the selected point of the grid."""
        return [] if self.fitted else [self.trial_at(best, seed) for seed in range(1, self.seeds)]

    def expected_seed_stage(self) -> list[PlannedTrial]:
        """As many trials as the seed stage will have, at the default lr: none is selected yet."""
        others = {key: values for key, values in self.axes().items() if key != "optimizer.lr"}
        points = list(_product(others)) if self.figure.every_lr_is_drawn else [{}]
        return [trial for point in points for trial in self.seed_stage(point)]


def plan_figure(figure: Figure, scale_name: str) -> list[PlannedSeries]:
    """Every series of every reading of a figure at one scale.

    Raises:
        UserError: for an unknown scale, or settings that no trial can have.
    """
    scale = figure.scale(scale_name)
    planned = []
    for reading, (panel, task, own), series in itertools.product(
        figure.readings, figure.panel_tasks, figure.series
    ):
        with _error_context(figure, series):
            words = overrides(figure, scale, task, (*own, *series.overrides), series.optimizer)
            settings = compose.settings(words)
        planned.append(
            PlannedSeries(
                figure, scale, reading, panel, series, tuple(words), settings, scale.seeds
            )
        )
    return planned


def overrides(
    figure: Figure, scale: Scale, task: str, own: Sequence[str], optimizer: str
) -> list[str]:
    """The words after ``adam-repro run`` that give a series, without those of its grid.

    ``own``: those of the panel and of the series. Generated data have none of the options of the data
    that they replace, and too few examples for another minibatch.
    """
    own = [*figure.overrides, *own]
    return [
        f"task={task}",
        f"optimizer={optimizer}",
        f"epochs={scale.epochs_of(task)}",
        *(["optimizer.n_subfunctions=4"] if scale.generated and optimizer == "sfo" else ()),
        *(on_generated_data(task, own, figure.tiny) if scale.generated else own),
        *scale.overrides,
    ]


def on_generated_data(task: str, own: Sequence[str], tiny: Sequence[str] = ()) -> list[str]:
    """The words that give a task its tiny data, and of its ``own`` those that do not speak of other data.

    ``tiny``: those words for a task that is not in `GENERATED`.

    Raises:
        UserError: for a task without tiny data.
    """
    words = GENERATED.get(task, tuple(tiny))
    if task not in GENERATED and not words:
        raise UserError(
            f"task={task}: has no tiny data for a scale with generated: true; give the options that make "
            "them, as tiny: [task.data.name=synthetic, +task.data.n_train=64, +task.data.n_test=32, "
            "batch_size=16]"
        )
    replaced = ("task.data.", "+task.data.", "batch_size=") if words else ()
    return [*words, *(word for word in own if not word.startswith(replaced))]


def log_grid(first: float, last: float, per_decade: float) -> list[float]:
    """Values from ``first`` to ``last``, both included, in equal factors, to three digits."""
    low, high = math.log10(first), math.log10(last)
    steps = max(1, round((high - low) * per_decade))
    points = (low + (high - low) * i / steps for i in range(steps + 1))
    return [float(f"{10.0**point:.3g}") for point in points]


def _product(axes: Mapping[str, Sequence[Any]]) -> Iterator[GridPoint]:
    for values in itertools.product(*axes.values()):
        yield dict(zip(axes, values, strict=True))


def _file(figure: Figure) -> str:
    path = config_folders.find("figure", figure.name)
    return (
        str(path) if path in config_folders.own_files("figure") else f"configs/figure/{path.name}"
    )


@contextmanager
def _error_context(figure: Figure, series: Series) -> Iterator[None]:
    """Put the file and the series before the message of an error."""
    try:
        yield
    except UserError as error:
        raise UserError(f"{_file(figure)}: {series.label}: {error}") from None
    except (HydraException, OmegaConfBaseException) as error:
        raise UserError(f"{_file(figure)}: {series.label}: {explain(error)}") from None
