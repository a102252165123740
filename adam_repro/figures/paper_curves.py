"""The paper's own curves, as numbers, and the trials they belong to.

The paper's figures are vector drawings. The CSVs in ``curves/`` are the coordinates of their paths,
mapped to axis units with the frame and ticks of the same drawing (arXiv 1412.6980v9); ``how`` in
``outside_frame.csv`` says how a point outside the drawn frame was recovered.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

CURVES = Path(__file__).parent / "curves"


class Reference(NamedTuple):
    """A line of a figure: file stem below ``curves/`` and the legend's name."""

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

#: Figure 2b's Adam with the divisor of `drawn_divided` taken away.
UNDIVIDED = "Adam, undivided"
_DIVIDED_AFTER, _DIVIDED_BY = 7.0, 2.3

_SERIES: dict[tuple[str, str], Reference] = {
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


DATA = {
    "logreg": "mnist", "imdb": "imdb", "mlp": "mnist", "mlp_deterministic": "mnist", "cnn": "cifar10",
}  # fmt: skip


def reference(settings: Mapping[str, Any]) -> Reference | None:
    """The paper's line for a trial's settings; ``None`` where the paper has none, or other data."""
    task = settings["task"]
    if task.get("data", {}).get("name") != DATA.get(task["name"]):
        return None
    found = _SERIES.get((task["name"], settings["optimizer"]["name"]))
    dropped = task.get("dropout_input", 0) or task.get("dropout_hidden", 0)
    if found and found.panel == "fig3_right" and dropped:
        return Reference(found.panel, f"{found.series}+dropout")
    return found


def drawn_divided(x: np.ndarray) -> np.ndarray:
    """The divisor in figure 2b's drawing of Adam: 2.3 (x - 7) from x = 8 on, 1 before; x [n] in epochs.

    Costs were logged with five decimals there: all of SFO's points, and Adam's up to x = 7, are
    whole multiples of 1e-5. From x = 8 to 25 Adam's are, to the six digits that the drawing has,
    whole multiples of 1e-5 *divided by 2.3 (x - 7)*. Why is not known. `UNDIVIDED` is the curve with
    it taken away, which goes on smoothly from x = 7 (0.00339, 0.00187, 0.00096) and levels off at
    2.4e-4, above SFO from x = 20 on.
    """
    return np.where(x > _DIVIDED_AFTER, _DIVIDED_BY * (x - _DIVIDED_AFTER), 1.0)


@cache
def panels() -> tuple[str, ...]:
    """The panels that there are curves of."""
    return tuple(sorted(path.stem for path in CURVES.glob("fig*.csv")))


@cache
def table(panel: str) -> pd.DataFrame:
    """A panel's points: columns panel, series, x, y, sorted, those outside the drawn frame included.

    Figure 2b has the series `UNDIVIDED` too, which is not drawn there.
    """
    drawn = pd.read_csv(CURVES / f"{panel}.csv")
    hidden = pd.read_csv(CURVES / "outside_frame.csv")
    figure, name = drawn["figure"].iloc[0], set(drawn["panel"])
    outside = hidden[(hidden["figure"] == figure) & hidden["panel"].isin(name)]
    both = pd.concat([drawn, outside])[["panel", "series", "x", "y"]]
    both["x"] = both["x"].round(4)
    if panel.startswith("fig2_b"):
        # By wall time Adam's points lie at one unit an epoch, so x means the same in both panels.
        adam = both[both["series"] == "Adam"].assign(series=UNDIVIDED)
        adam["y"] *= drawn_divided(adam["x"].to_numpy(float))
        both = pd.concat([both, adam])
    return both.sort_values(["panel", "series", "x"]).drop_duplicates(["panel", "series", "x"])


def curve(line: Reference) -> tuple[np.ndarray, np.ndarray]:
    """x (epochs from 0) and y (cost) of one line, both [n]."""
    points = table(line.panel)
    mine = points[points["series"] == line.series]
    return mine["x"].to_numpy(float), mine["y"].to_numpy(float)


def beside(line: Reference, metrics: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """x and cost of a trial's rows as the points of a line are meant, both [n]; NaN: not measured.

    A point is the mean of the cost as trained over pass x + 1. In figure 2b it is the cost of the whole
    training set after x passes, at the average of the iterates where the trial has one: SFO's x = 0
    (2.537) is the cost of the initial weights, and no setting tried gives Adam's first points as means.
    """
    x = metrics["epoch"].to_numpy(float)
    if line.panel.startswith("fig2_b"):
        average = "average_eval_train_cost"
        column = average if average in metrics else "eval_train_cost"
        return x + 1.0, metrics[column].to_numpy(float)
    return x, metrics["train_cost"].to_numpy(float)


def stepsizes(panel: str, series: str) -> tuple[np.ndarray, np.ndarray]:
    """Figure 4's line in one panel: log10(lr) and loss, both [n]; 400 is a run that diverged."""
    points = table("fig4_all")
    mine = points[(points["panel"] == panel) & (points["series"] == series)]
    return mine["x"].to_numpy(float), mine["y"].to_numpy(float)


def at(line: Reference, x: np.ndarray) -> np.ndarray:
    """The line's cost at ``x``, linear between its points, NaN outside them."""
    xs, ys = curve(line)
    return np.interp(x, xs, ys, left=np.nan, right=np.nan)
