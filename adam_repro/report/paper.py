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
    ("mlp_deterministic", "adam"): Reference("fig2_b_top", "Adam"),
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


@cache
def table(panel: str) -> pd.DataFrame:
    """A panel's points: columns series, x, y, sorted, points outside the drawn frame included."""
    drawn = pd.read_csv(CURVES / f"{panel}.csv")
    hidden = pd.read_csv(CURVES / "outside_frame.csv")
    figure, name = drawn["figure"].iloc[0], set(drawn["panel"])
    outside = hidden[(hidden["figure"] == figure) & hidden["panel"].isin(name)]
    both = pd.concat([drawn, outside])[["panel", "series", "x", "y"]]
    both["x"] = both["x"].round(4)
    return both.sort_values(["panel", "series", "x"]).drop_duplicates(["panel", "series", "x"])


def curve(line: Reference) -> tuple[np.ndarray, np.ndarray]:
    """x (epochs from 0) and y (cost) of one line, both [n]."""
    points = table(line.panel)
    mine = points[points["series"] == line.series]
    return mine["x"].to_numpy(float), mine["y"].to_numpy(float)


def stepsizes(panel: str, series: str) -> tuple[np.ndarray, np.ndarray]:
    """Figure 4's line in one panel: log10(lr) and loss, both [n]; 400 is a run that diverged."""
    points = table("fig4_all")
    mine = points[(points["panel"] == panel) & (points["series"] == series)]
    return mine["x"].to_numpy(float), mine["y"].to_numpy(float)


def at(line: Reference, x: np.ndarray) -> np.ndarray:
    """The line's cost at ``x``, linear between its points, NaN outside them."""
    xs, ys = curve(line)
    return np.interp(x, xs, ys, left=np.nan, right=np.nan)
