"""The figures of section 4, from the CSVs of `adam-repro theory`; no torch here."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from adam_repro import statistics
from adam_repro.plots import style
from adam_repro.plots.style import Look

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


NAMES = {"adam": "Adam", "adagrad": "AdaGrad", "sgd": "SGD", "amsgrad": "AMSGrad"}
LOOKS = {
    name: style.look(i)
    for name, i in {"Adam": 2, "AdaGrad": 0, "SGD": 5, "AMSGrad": 4, "AdamNC": 1}.items()
}


class Drawing(NamedTuple):
    """File name without its ending, and the sentence below it."""

    name: str
    caption: str


def draw_theory(folder: Path, fresh: bool = True) -> list[Drawing]:
    """Every figure whose CSV is in ``folder``, drawn there as PNG, PDF and SVG.

    With ``fresh`` false, only those of which there is no SVG yet.
    """
    done = []
    for figure, drawing in _drawings(folder):
        if fresh or not (folder / f"{drawing.name}.svg").exists():
            style.save(figure, folder, drawing.name)
        done.append(drawing)
    return done


def _drawings(folder: Path) -> Iterator[tuple[Figure, Drawing]]:
    for csv, drawings in (
        ("theory_regret", (regret, rate, terms)),
        ("theory_counterexample", (counterexample, refuted)),
        ("theory_demonstrations", (small_statements,)),
    ):
        path = folder / f"{csv}.csv"
        if path.exists():
            rows = pd.read_csv(path)
            yield from (drawing(rows) for drawing in drawings)


def regret(rows: pd.DataFrame) -> tuple[Figure, Drawing]:
    """R(T) of every method at its best stepsize, its bound dotted above it."""
    figure, panels = _grid(rows, 2, 5.6, 5.0)
    for axes, place, methods in panels:
        for name, mine in methods:
            axes.plot(mine["step"], mine["regret"], "-", color=LOOKS[name].color)
            axes.plot(mine["step"], mine["bound"], ":", color=LOOKS[name].color)
        loglog(axes, STREAMS[place], "T", "regret")
    legend(figure, seen(rows), [("-", "R(T)"), (":", "bound of the method's theorem")])
    return figure, Drawing(
        "theory_regret",
        "Regret against the best fixed point in hindsight, each method at the stepsize of its least "
        "final regret, and the bound of its theorem, computed from the same run (Adam: Theorem 4.1)."
        + _scale(rows),
    )


def rate(rows: pd.DataFrame) -> tuple[Figure, Drawing]:
    """R(T)/T and R(T)/sqrt(T), with the slopes of the last decade."""
    shown = place_names(rows, STREAMS)
    width = 2.6 * len(shown) + 0.4
    figure = style.canvas(4.6, width)
    space = margins(4.6, width, wspace=0.34)
    grid = figure.subplots(2, len(shown), squeeze=False, gridspec_kw=space)
    for column, place in enumerate(shown):
        for row, (power, label) in enumerate(((1.0, "R(T) / T"), (0.5, "R(T) / √T"))):
            axes = grid[row][column]
            _rates(axes, rows[rows["place"] == place], power)
            loglog(axes, STREAMS[place] if row == 0 else "", "T" if row else "", label)
    legend(figure, seen(rows), [("--", "slope -1/2")])
    return figure, Drawing(
        "theory_rate",
        "The regrets of the same runs over T, and over the root of T; in each panel the slopes over "
        "the last decade of T." + _scale(rows),
    )


def terms(rows: pd.DataFrame) -> tuple[Figure, Drawing]:
    """The three terms of Theorem 4.1's bound for Adam, above R(T)."""
    adam = rows[rows["method"] == "adam"]
    figure, panels = _grid(adam, 2, 5.6, 5.0)
    for axes, place, methods in panels:
        for _, mine in methods:
            axes.plot(mine["step"], mine["regret"], "-", color=LOOKS["Adam"].color)
            for column, (_, line) in TERMS.items():
                axes.plot(mine["step"], mine[column], line, color=style.INK, linewidth=1.1)
        loglog(axes, STREAMS[place], "T", "")
    legend(figure, ["Adam"], [(line, label) for label, line in TERMS.values()])
    return figure, Drawing(
        "theory_terms",
        "The bound of Theorem 4.1 for Adam, term by term, above the regret of the same run."
        + _scale(rows),
    )


def counterexample(rows: pd.DataFrame) -> tuple[Figure, Drawing]:
    """x_t and the average regret on the sequences of Reddi et al."""
    shown = place_names(rows, SEQUENCES)
    width = 3.1 * len(shown) + 0.4
    figure = style.canvas(4.8, width)
    grid = figure.subplots(2, len(shown), squeeze=False, gridspec_kw=margins(4.8, width))
    for column, place in enumerate(shown):
        here = rows[rows["place"] == place]
        for name, color in ((name, LOOKS[name].color) for name in seen(here)):
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
            style.finish(axes, SEQUENCES[place] if row == 0 else "", "t" if row else "", label)
    legend(figure, seen(rows), [])
    return figure, Drawing(
        "theory_counterexample",
        "The sequences of Reddi, Kale & Kumar (2018): the best point is -1, the worst 1. Of "
        "several seeds the mean, and each of them faint." + _scale(rows),
    )


def refuted(rows: pd.DataFrame) -> tuple[Figure, Drawing]:
    """Adam's regret on Theorem 1's sequence rising through the bound of Theorem 4.1."""
    mine = rows[(rows["place"] == "theorem1") & (rows["method"] == "Adam")]
    figure = style.canvas(3.6)
    axes = figure.subplots(gridspec_kw=margins(3.6))
    axes.plot(mine["step"], mine["regret"], "-", color=LOOKS["Adam"].color)
    axes.plot(mine["step"], mine["bound"], ":", color=LOOKS["Adam"].color)
    at = statistics.first_permanent_crossing(mine["step"], mine["regret"], mine["bound"])
    if at is not None:
        axes.axvline(at, color=style.FAINT, linewidth=0.8)
        axes.annotate(
            f"T = {at}", (at, mine["regret"].min()), (4, 2), textcoords="offset points", fontsize=8
        )
    loglog(axes, "Adam on Theorem 1 of Reddi et al.", "T", "regret")
    legend(figure, ["Adam"], [("-", "R(T)"), (":", "bound of Theorem 4.1")])
    return figure, Drawing(
        "theory_refuted",
        "Every assumption of Theorem 4.1 holds (β1 = 0, β2 = 1/17, α_t = 0.5/√t, x in [-1, 1]), and "
        "the regret is above its bound"
        + (f" from T = {at} on." if at is not None else " nowhere within this run.")
        + _scale(rows),
    )


def small_statements(rows: pd.DataFrame) -> tuple[Figure, Drawing]:
    """Section 2.1's signal-to-noise ratio and section 3's bias factor."""
    figure = style.canvas(3.3, 6.4)
    left, right = figure.subplots(1, 2, gridspec_kw=margins(3.3, 6.4, wspace=0.36))
    for axes, prefix, title, x, y in (
        (left, "snr_", "Section 2.1", "|E g| / standard deviation of g", "√(E m̂² / E v̂)"),
        (right, "bias_", "Section 3, stationary gradients", "t", "E v / E g²"),
    ):
        mine = rows[rows["key"].str.startswith(prefix)]
        at = mine["key"].str.removeprefix(prefix).astype(float)
        order = np.argsort(at.to_numpy())
        axes.plot(at.iloc[order], mine["closed_form"].iloc[order], "-", color=style.FAINT)
        axes.errorbar(
            at, mine["measured"], mine["half_width"], fmt="D", color=LOOKS["Adam"].color, ms=4
        )
        axes.set_xscale("log")
        axes.set_yscale("log")
        style.finish(axes, title, x, y)
    left.set_ylim(0.2, 1.2)
    shown = [Line2D([], [], color=style.FAINT, label="closed form")]
    shown.append(
        Line2D([], [], ls="", marker="D", color=LOOKS["Adam"].color, ms=4, label="measured, 95 %")
    )
    place_legend(figure, shown)
    return figure, Drawing(
        "theory_small_statements",
        "Left: the ratio that section 2.1 calls signal to noise falls toward an optimum, where the "
        "mean gradient goes to 0. Right: section 3's bias factor 1 - β2^t.",
    )


def _rates(axes: Axes, here: pd.DataFrame, power: float) -> None:
    best = here[here["best"]]
    told = []
    for name, mine in _methods(best):
        values = mine["regret"] / mine["step"] ** power
        axes.plot(mine["step"], values, "-", color=LOOKS[name].color)
        told.append(f"{name} {statistics.regret_slope(mine['step'], values):+.2f}")
    if power == 1.0:
        T = np.array([best["step"].max() / 10, best["step"].max()])
        top = best.loc[best["step"] >= T[0], "average_regret"].max()
        axes.plot(T, 1.6 * top * (T / T[0]) ** -0.5, "--", color=style.FAINT, linewidth=1.0)
    low, high = _extent(best, power)
    axes.set_ylim(low * (low / high) ** 0.5, high * (high / low) ** 0.08)  # room for the slopes
    # The lines end low on the right in the first row, and begin low on the left in the second.
    x, side = (0.04, "left") if power == 1.0 else (0.97, "right")
    axes.text(
        x, 0.04, "\n".join(told), transform=axes.transAxes, fontsize=6.6, va="bottom", ha=side
    )


def _extent(rows: pd.DataFrame, power: float) -> tuple[float, float]:
    values = rows["regret"] / rows["step"] ** power
    values = values[values > 0]
    return float(values.min()), float(values.max())


def _methods(rows: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    for method, name in NAMES.items():
        mine = rows[rows["method"] == method]
        if len(mine):
            yield name, mine


def _grid(
    rows: pd.DataFrame, columns: int, width: float, height: float
) -> tuple[Figure, list[tuple[Axes, str, list[tuple[str, pd.DataFrame]]]]]:
    """A panel a stream, with the best trial of every method."""
    shown = place_names(rows, STREAMS)
    lines = -(-len(shown) // columns)
    figure = style.canvas(height, width)
    space = margins(height, width, wspace=0.32, hspace=0.42)
    axes = figure.subplots(lines, columns, squeeze=False, gridspec_kw=space).flat
    best = rows[rows["best"]]
    return figure, [
        (panel, place, list(_methods(best[best["place"] == place])))
        for panel, place in zip(axes, shown, strict=False)
    ]


def _scale(rows: pd.DataFrame) -> str:
    scale = str(rows["scale"].iloc[0])
    return "" if scale == "paper" else f" Scale: {scale}, on generated data."


def draw_trial(folder: Path, settings: dict[str, Any], metrics: pd.DataFrame) -> Path:
    """``curve.png`` of one trial: R(T) below its bound; for the counterexamples x_t above it."""
    name = NAMES.get(settings["optimizer"]["name"], settings["optimizer"]["name"])
    color = LOOKS.get(name, style.look(3)).color
    task = settings["task"]
    place = task.get("sequence") or task["data"]["name"]
    has_x = "x" in metrics
    height = 5.2 if has_x else 3.6
    figure = style.canvas(height)
    axes = figure.subplots(1 + has_x, 1, squeeze=False, gridspec_kw=margins(height))[:, 0]
    title = f"{place}, {name}, lr {settings['optimizer']['lr']:g}, seed {settings['seed']}"
    if has_x:
        axes[0].plot(metrics["step"], metrics["x"], color=color)
        axes[0].set_xscale("log")
        axes[0].set_ylim(-1.08, 1.08)
        style.finish(axes[0], title, "", "x after t steps")
    axes[-1].plot(metrics["step"], metrics["regret"], "-", color=color)
    axes[-1].plot(metrics["step"], metrics["bound"], ":", color=color)
    loglog(axes[-1], "" if has_x else title, "T", "regret")
    shown = [("-", "R(T)")] + [(":", "bound of its theorem")] * bool(metrics["bound"].notna().any())
    place_legend(figure, [Line2D([], [], ls=ls, color=color, label=text) for ls, text in shown])
    style.save(figure, folder, "curve", ("png",))
    return folder / "curve.png"


def place_names(rows: pd.DataFrame, known: dict[str, str]) -> list[str]:
    return [place for place in known if place in set(rows["place"])]


def seen(rows: pd.DataFrame) -> list[str]:
    found = {NAMES.get(method, method) for method in rows["method"]}
    return [name for name in LOOKS if name in found]


def margins(
    height: float, width: float = style.WIDTH, wspace: float = 0.3, hspace: float = 0.32
) -> dict[str, float]:
    return {
        "left": 0.68 / width, "right": 1 - 0.1 / width, "top": 1 - 0.32 / height, "bottom": 0.85 / height,
        "wspace": wspace, "hspace": hspace,
    }  # fmt: skip


def loglog(axes: Axes, title: str, xlabel: str, ylabel: str) -> None:
    axes.set_xscale("log")
    axes.set_yscale("log")
    style.finish(axes, title, xlabel, ylabel)


def legend(figure: Figure, methods: list[str], lines: list[tuple[str, str]]) -> None:
    looks: list[tuple[str, Look]] = [(name, LOOKS[name]) for name in methods]
    shown = [Line2D([], [], color=look.color, label=name) for name, look in looks]
    shown += [Line2D([], [], ls=ls, color=style.FAINT, label=text) for ls, text in lines]
    place_legend(figure, shown)


def place_legend(figure: Figure, shown: list[Line2D]) -> None:
    bottom = 0.08 / figure.get_figheight()
    columns = style.legend_columns(figure.get_figwidth(), len(shown))
    figure.legend(
        handles=shown, loc="lower center", bbox_to_anchor=(0.5, bottom), ncols=columns,
        frameon=False, columnspacing=1.4, handlelength=2.2, borderpad=0.0, borderaxespad=0.0,
    )  # fmt: skip
