"""The paper's own curves, as numbers, and the trials that they are compared with.

The paper's figures are vector drawings. The CSVs in ``curves/`` hold the coordinates of their paths,
converted to the units of the axes by the frame and the ticks of the same drawing (arXiv 1412.6980v9).
``outside_frame.csv`` holds the points outside the frame; its column ``how`` says how each was found.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from adam_repro import files

CURVES = Path(__file__).parent / "curves"


class Reference(NamedTuple):
    """One of the paper's curves: its file in ``curves/``, without .csv, and its name in the legend."""

    panel: str
    series: str

    def __str__(self) -> str:
        return f"{self.series} in {TITLES[self.panel]}"


TITLES = {
    "fig1_left": "figure 1 (left)",
    "fig1_right": "figure 1 (right)",
    "fig2_a": "figure 2a",
    "fig2_b_top": "figure 2b",
    "fig3_right": "figure 3",
}

#: Figure 2b's Adam, multiplied by `drawn_divided`.
UNDIVIDED = "Adam, undivided"
_DIVIDED_AFTER, _DIVIDED_BY = 7.0, 2.3

_OF_TRIAL: dict[tuple[str, str], Reference] = {
    ("logreg", "adagrad"): Reference("fig1_left", "AdaGrad"),
    ("logreg", "sgd_nesterov"): Reference("fig1_left", "SGDNesterov"),
    ("logreg", "adam"): Reference("fig1_left", "Adam"),
    ("imdb", "adagrad"): Reference("fig1_right", "Adagrad+dropout"),
    ("imdb", "rmsprop"): Reference("fig1_right", "RMSProp+dropout"),
    ("imdb", "sgd_nesterov"): Reference("fig1_right", "SGDNesterov+dropout"),
    ("imdb", "adam"): Reference("fig1_right", "Adam+dropout"),
    ("mlp", "adagrad"): Reference("fig2_a", "AdaGrad"),
    ("mlp", "rmsprop"): Reference("fig2_a", "RMSProp"),
    ("mlp", "sgd_nesterov"): Reference("fig2_a", "SGDNesterov"),
    ("mlp", "adadelta"): Reference("fig2_a", "AdaDelta"),
    ("mlp", "adam"): Reference("fig2_a", "Adam"),
    ("mlp_deterministic", "sfo"): Reference("fig2_b_top", "SFO"),
    ("mlp_deterministic", "adam"): Reference("fig2_b_top", UNDIVIDED),
    ("cnn", "adagrad"): Reference("fig3_right", "AdaGrad"),
    ("cnn", "sgd_nesterov"): Reference("fig3_right", "SGDNesterov"),
    ("cnn", "adam"): Reference("fig3_right", "Adam"),
}

SHORTEST_EPOCH = 25_000  # examples: with fewer, an epoch is not one of the paper's

DATA_SETS = {
    "logreg": "mnist", "imdb": "imdb", "mlp": "mnist", "mlp_deterministic": "mnist", "cnn": "cifar10",
}  # fmt: skip


def find_reference(settings: Mapping[str, Any]) -> Reference | None:
    """The paper's curve of a trial's task and optimizer; ``None`` if it has none on these data.

    None either if an epoch of the trial is a small part of one of the paper's: x would not agree.
    """
    task = settings["task"]
    if task.get("data", {}).get("name") != DATA_SETS.get(task["name"]):
        return None
    if (task.get("epoch_examples") or SHORTEST_EPOCH) < SHORTEST_EPOCH:
        return None
    found = _OF_TRIAL.get((task["name"], settings["optimizer"]["name"]))
    dropped = task.get("dropout_input", 0) or task.get("dropout_hidden", 0)
    if found and found.panel == "fig3_right" and dropped:
        return Reference(found.panel, f"{found.series}+dropout")
    return found


def drawn_divided(x: np.ndarray) -> np.ndarray:
    """The divisor in figure 2b's drawing of Adam: 2.3 (x - 7) from x = 8 on, 1 before; x [n] in epochs.

    The costs in figure 2b were logged with five decimals: all of SFO's points, and Adam's up to x = 7,
    are whole multiples of 1e-5. From x = 8 to 25 Adam's are, to the six digits of the drawing, whole
    multiples of 1e-5 *divided by 2.3 (x - 7)*. The reason is not known. `UNDIVIDED` is the curve
    without the divisor. It goes on smoothly from x = 7 (0.00339, 0.00187, 0.00096) and levels off at
    2.4e-4, above SFO from x = 20 on.
    """
    return np.where(x > _DIVIDED_AFTER, _DIVIDED_BY * (x - _DIVIDED_AFTER), 1.0)


@cache
def panel_names() -> tuple[str, ...]:
    """The panels of which there are curves."""
    return tuple(path.stem for path in files.visible(CURVES, "fig*.csv"))


@cache
def points(panel: str) -> pd.DataFrame:
    """A panel's points, sorted: columns panel, series, x, y. Points outside the frame are included.

    Figure 2b also has the series `UNDIVIDED`, which the paper does not draw.
    """
    drawn = pd.read_csv(CURVES / f"{panel}.csv")
    hidden = pd.read_csv(CURVES / "outside_frame.csv")
    figure, name = drawn["figure"].iloc[0], set(drawn["panel"])
    outside = hidden[(hidden["figure"] == figure) & hidden["panel"].isin(name)]
    both = pd.concat([drawn, outside])[["panel", "series", "x", "y"]]
    both["x"] = both["x"].round(4)
    if panel.startswith("fig2_b"):
        # In the panel by wall time Adam's points lie one unit apart, so there too x is in epochs.
        adam = both[both["series"] == "Adam"].assign(series=UNDIVIDED)
        adam["y"] *= drawn_divided(adam["x"].to_numpy(float))
        both = pd.concat([both, adam])
    return both.sort_values(["panel", "series", "x"]).drop_duplicates(["panel", "series", "x"])


def curve(line: Reference) -> tuple[np.ndarray, np.ndarray]:
    """x (epochs from 0) and y (cost) of one curve, both [n]."""
    rows = points(line.panel)
    rows = rows[rows["series"] == line.series]
    return rows["x"].to_numpy(float), rows["y"].to_numpy(float)


def is_quantity(line: Reference, column: str) -> bool:
    """Whether a column of metrics.csv is the quantity of a curve; see :func:`comparable_points`."""
    if line.panel.startswith("fig2_b"):
        return column in ("eval_train_cost", "average_eval_train_cost")
    return column == "train_cost"


def comparable_points(line: Reference, metrics: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """x and cost of a trial's rows, measured as the points of a curve are, both [n]; NaN: not measured.

    A point is the mean of the training cost over epoch x + 1. In figure 2b it is the cost of the whole
    training set after x epochs, at the average of the iterates if the trial has one: SFO's x = 0
    (2.537) is the cost of the initial weights, and no setting tried gives Adam's first points as means.
    """
    x = metrics["epoch"].to_numpy(float)
    if line.panel.startswith("fig2_b"):
        average = "average_eval_train_cost"
        column = average if average in metrics else "eval_train_cost"
        return x + 1.0, metrics[column].to_numpy(float)
    return x, metrics["train_cost"].to_numpy(float)


def loss_by_lr(panel: str, series: str) -> tuple[np.ndarray, np.ndarray]:
    """One curve of figure 4: log10(lr) and loss, both [n]; 400 is a run that diverged."""
    rows = points("fig4_all")
    rows = rows[(rows["panel"] == panel) & (rows["series"] == series)]
    return rows["x"].to_numpy(float), rows["y"].to_numpy(float)


def interpolate(line: Reference, x: np.ndarray) -> np.ndarray:
    """The curve's cost at ``x`` [n], linear between its points, NaN outside them."""
    xs, ys = curve(line)
    return np.interp(x, xs, ys, left=np.nan, right=np.nan)
