"""The figures of section 4, from the CSVs of `adam-repro theory`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from adam_repro import statistics
from adam_repro.plots import style
from adam_repro.plots.layout import add_legend

STREAMS = {
    "mnist": "logistic regression, MNIST",
    "imdb": "logistic regression, IMDB",
    "least_squares": "least squares",
    "sparse": "sparse features",
}
SEQUENCES = {
    "theorem1": "Theorem 1: 4x, -x, -x, ...",
    "online": "online: 1010x, 100 times -10x",
    "stochastic": "stochastic: 1010x, p = 0.01",
}
TERMS = {
    "bound": ("bound of Theorem 4.1", "-"),
    "bound_distance": ("its term in D", "--"),
    "bound_gradients": ("its term in the gradients", "-."),
    "bound_decay": ("its term in λ", ":"),
}

LEGEND_BOTTOM = 0.08  # inches
NAMES = {"adam": "Adam", "adagrad": "AdaGrad", "sgd": "SGD", "amsgrad": "AMSGrad"}
STYLES = {
    name: style.series_style(i)
    for name, i in {"Adam": 2, "AdaGrad": 0, "SGD": 5, "AMSGrad": 4, "AdamNC": 1}.items()
}


class DrawingFile(NamedTuple):
    """A file name without its ending, and the caption."""

    name: str
    caption: str


@style.own_settings()
def draw_theory(folder: Path, fresh: bool = True) -> list[DrawingFile]:
    """Draw every figure whose CSV is in ``folder``, there, as PNG, PDF and SVG.

    With ``fresh`` false, only those without an SVG.
    """
    files = []
    for figure, file in _drawings(folder):
        if fresh or not (folder / f"{file.name}.svg").exists():
            style.save(figure, folder, file.name)
        files.append(file)
    return files


def _drawings(folder: Path) -> Iterator[tuple[Figure, DrawingFile]]:
    for csv, drawings in (
        ("theory_regret", (regret, rate, terms)),
        ("theory_counterexample", (counterexample, refuted)),
        ("theory_demonstrations", (small_statements,)),
    ):
        path = folder / f"{csv}.csv"
        if path.exists():
            rows = pd.read_csv(path)
            yield from (drawing(rows) for drawing in drawings)


def regret(rows: pd.DataFrame) -> tuple[Figure, DrawingFile]:
    """R(T) of every method at its best stepsize, its bound dotted above it."""
    figure, panels = _grid(rows, 2, 5.6, 5.0)
    for axes, place, methods in panels:
        for name, mine in methods:
            axes.plot(mine["step"], mine["regret"], "-", color=STYLES[name].color)
            axes.plot(mine["step"], mine["bound"], ":", color=STYLES[name].color)
        set_loglog(axes, STREAMS[place], "T", "regret")
    _legend(figure, _methods_in(rows), [("-", "R(T)"), (":", "bound of the method's theorem")])
    return figure, DrawingFile(
        "theory_regret",
        "Regret against the best fixed point in hindsight, each method at the stepsize of its least "
        "final regret, and the bound of its theorem, computed from the same run (Adam: Theorem 4.1)."
        + _scale(rows),
    )


def rate(rows: pd.DataFrame) -> tuple[Figure, DrawingFile]:
    """R(T)/T and R(T)/sqrt(T), with the slopes of the last decade."""
    shown = _known_places(rows, STREAMS)
    width = 2.6 * len(shown) + 0.4
    figure = style.new_drawing(4.6, width)
    space = margins(4.6, width, wspace=0.34)
    grid = figure.subplots(2, len(shown), squeeze=False, gridspec_kw=space)
    for column, place in enumerate(shown):
        for row, (power, label) in enumerate(((1.0, "R(T) / T"), (0.5, "R(T) / √T"))):
            axes = grid[row][column]
            _plot_rates(axes, rows[rows["place"] == place], power)
            set_loglog(axes, STREAMS[place] if row == 0 else "", "T" if row else "", label)
            style.add_letter(axes, row * len(shown) + column)
    _legend(figure, _methods_in(rows), [("--", "slope -1/2")])
    return figure, DrawingFile(
        "theory_rate",
        "The regrets of the same runs over T, and over the root of T; in each panel the slopes over "
        "the last decade of T." + _scale(rows),
    )


def terms(rows: pd.DataFrame) -> tuple[Figure, DrawingFile]:
    """The three terms of Theorem 4.1's bound for Adam, above R(T)."""
    adam = rows[rows["method"] == "adam"]
    figure, panels = _grid(adam, 2, 5.6, 5.0)
    for axes, place, methods in panels:
        for _, mine in methods:
            axes.plot(mine["step"], mine["regret"], "-", color=STYLES["Adam"].color)
            for column, (_, line) in TERMS.items():
                axes.plot(mine["step"], mine[column], line, color=style.INK, linewidth=1.1)
        set_loglog(axes, STREAMS[place], "T", "regret, and its bound")
    _legend(figure, ["Adam"], [(line, label) for label, line in TERMS.values()])
    return figure, DrawingFile(
        "theory_terms",
        "The bound of Theorem 4.1 for Adam, term by term, above the regret of the same run."
        + _scale(rows),
    )


def counterexample(rows: pd.DataFrame) -> tuple[Figure, DrawingFile]:
    """x_t and the average regret on the sequences of Reddi et al."""
    shown = _known_places(rows, SEQUENCES)
    width = 3.1 * len(shown) + 0.4
    figure = style.new_drawing(4.8, width)
    grid = figure.subplots(2, len(shown), squeeze=False, gridspec_kw=margins(4.8, width))
    for column, place in enumerate(shown):
        here = rows[rows["place"] == place]
        for name, color in ((name, STYLES[name].color) for name in _methods_in(here)):
            mine = here[here["method"] == name]
            for row, quantity in enumerate(("x", "average_regret")):
                seeds = mine.pivot_table(quantity, "step", "seed")
                grid[row][column].plot(seeds.mean(axis=1), color=color, linewidth=1.3)
                if seeds.shape[1] > 1:
                    grid[row][column].plot(seeds, color=color, linewidth=0.6, alpha=0.3)
        grid[0][column].set_ylim(-1.08, 1.08)
        grid[1][column].set_yscale("log")
        for row, label in enumerate(("x after t steps", "R(t) / t")):
            axes = grid[row][column]
            axes.set_xscale("log")
            style.label_axes(axes, SEQUENCES[place] if row == 0 else "", "t" if row else "", label)
            style.add_letter(axes, row * len(shown) + column)
    _legend(figure, _methods_in(rows), [])
    return figure, DrawingFile(
        "theory_counterexample",
        "The sequences of Reddi, Kale & Kumar (2018): the best point is -1, the worst 1. Of "
        "several seeds the mean, and each of them faint." + _scale(rows),
    )


def refuted(rows: pd.DataFrame) -> tuple[Figure, DrawingFile]:
    """Adam's regret on Theorem 1's sequence rising through the bound of Theorem 4.1."""
    mine = rows[(rows["place"] == "theorem1") & (rows["method"] == "Adam")]
    figure = style.new_drawing(3.6)
    axes = figure.subplots(gridspec_kw=margins(3.6))
    axes.plot(mine["step"], mine["regret"], "-", color=STYLES["Adam"].color)
    axes.plot(mine["step"], mine["bound"], ":", color=STYLES["Adam"].color)
    set_loglog(axes, "Adam on Theorem 1 of Reddi et al.", "T", "regret")
    _legend(figure, ["Adam"], [("-", "R(T)"), (":", "bound of Theorem 4.1")])
    return figure, DrawingFile(
        "theory_refuted",
        "Every assumption of Theorem 4.1 holds (β1 = 0, β2 = 1/17, α_t = 0.5/√t, x projected on "
        "[-1, 1]). The regret rises above its bound; drawn at T spaced evenly in log T."
        + _scale(rows),
    )


def small_statements(rows: pd.DataFrame) -> tuple[Figure, DrawingFile]:
    """Section 2.1's signal-to-noise ratio and section 3's bias factor."""
    figure = style.new_drawing(3.3, 6.4)
    left, right = figure.subplots(1, 2, gridspec_kw=margins(3.3, 6.4, wspace=0.36))
    style.add_letter(left, 0)
    style.add_letter(right, 1)
    for axes, prefix, title, x, y in (
        (left, "snr_", "Section 2.1", "|E g| / standard deviation of g", "√(E m̂² / E v̂)"),
        (right, "bias_", "Section 3, stationary gradients", "t", "E v / E g²"),
    ):
        mine = rows[rows["key"].str.startswith(prefix)]
        at = mine["key"].str.removeprefix(prefix).astype(float)
        order = np.argsort(at.to_numpy())
        axes.plot(at.iloc[order], mine["closed_form"].iloc[order], "-", color=style.FAINT)
        axes.errorbar(
            at, mine["measured"], mine["half_width"], fmt="D", color=STYLES["Adam"].color, ms=4
        )
        axes.set_xscale("log")
        axes.set_yscale("log")
        style.label_axes(axes, title, x, y)
    left.set_ylim(0.2, 1.2)
    color = STYLES["Adam"].color
    handles = [
        Line2D([], [], color=style.FAINT, label="closed form"),
        Line2D([], [], ls="", marker="D", color=color, ms=4, label="measured, 95 %"),
    ]
    add_legend(figure, handles, LEGEND_BOTTOM)
    return figure, DrawingFile(
        "theory_small_statements",
        "Left: the ratio that section 2.1 calls signal to noise falls toward an optimum, where the "
        "mean gradient goes to 0. Right: section 3's bias factor 1 - β2^t.",
    )


def _plot_rates(axes: Axes, here: pd.DataFrame, power: float) -> None:
    best = here[here["best"]]
    slopes = []
    for name, mine in _methods(best):
        values = mine["regret"] / mine["step"] ** power
        axes.plot(mine["step"], values, "-", color=STYLES[name].color)
        slopes.append(f"{name} {statistics.regret_slope(mine['step'], values):+.2f}")
    if power == 1.0:
        T = np.array([best["step"].max() / 10, best["step"].max()])
        top = best.loc[best["step"] >= T[0], "average_regret"].max()
        axes.plot(T, 1.6 * top * (T / T[0]) ** -0.5, "--", color=style.FAINT, linewidth=1.0)
    values = best["regret"] / best["step"] ** power
    low, high = float(values[values > 0].min()), float(values[values > 0].max())
    axes.set_ylim(low * (low / high) ** 0.5, high * (high / low) ** 0.08)  # room for the slopes
    # The lines end low on the right in the first row, and begin low on the left in the second.
    x, side = (0.04, "left") if power == 1.0 else (0.97, "right")
    axes.text(
        x, 0.04, "\n".join(slopes), transform=axes.transAxes, fontsize=6.6, va="bottom", ha=side
    )


def _methods(rows: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    for method, name in NAMES.items():
        mine = rows[rows["method"] == method]
        if len(mine):
            yield name, mine


def _grid(
    rows: pd.DataFrame, columns: int, width: float, height: float
) -> tuple[Figure, list[tuple[Axes, str, list[tuple[str, pd.DataFrame]]]]]:
    """One panel for each stream, with the best trial of every method."""
    shown = _known_places(rows, STREAMS)
    lines = -(-len(shown) // columns)
    figure = style.new_drawing(height, width)
    space = margins(height, width, wspace=0.32, hspace=0.42)
    axes = list(figure.subplots(lines, columns, squeeze=False, gridspec_kw=space).flat)
    for i, panel in enumerate(axes[: len(shown)]):
        style.add_letter(panel, i)
    for panel in axes[len(shown) :]:
        panel.remove()
    best = rows[rows["best"]]
    return figure, [
        (panel, place, list(_methods(best[best["place"] == place])))
        for panel, place in zip(axes, shown, strict=False)
    ]


def _scale(rows: pd.DataFrame) -> str:
    scale = str(rows["scale"].iloc[0])
    return "" if scale == "paper" else f" Scale: {scale}, on generated data."


def _known_places(rows: pd.DataFrame, known: dict[str, str]) -> list[str]:
    """The places of these rows, in the order of ``known``."""
    return [place for place in known if place in set(rows["place"])]


def _methods_in(rows: pd.DataFrame) -> list[str]:
    """The methods of these rows, in the order of the legend."""
    found = {NAMES.get(method, method) for method in rows["method"]}
    return [name for name in STYLES if name in found]


def margins(
    height: float, width: float = style.WIDTH, wspace: float = 0.3, hspace: float = 0.32
) -> dict[str, float]:
    """Fixed margins around the axes, with room for the legend, as `Figure.subplots` takes them."""
    return {
        "left": 0.68 / width, "right": 1 - 0.1 / width, "top": 1 - 0.32 / height, "bottom": 0.85 / height,
        "wspace": wspace, "hspace": hspace,
    }  # fmt: skip


def set_loglog(axes: Axes, title: str, xlabel: str, ylabel: str) -> None:
    axes.set_xscale("log")
    axes.set_yscale("log")
    style.label_axes(axes, title, xlabel, ylabel)


def _legend(figure: Figure, methods: list[str], lines: list[tuple[str, str]]) -> None:
    """``lines``: (line style, what it means)."""
    handles = [Line2D([], [], color=STYLES[name].color, label=name) for name in methods]
    handles += [Line2D([], [], ls=ls, color=style.FAINT, label=text) for ls, text in lines]
    add_legend(figure, handles, LEGEND_BOTTOM)
