"""What theory's figures share: colours, margins, legends; and the picture of one trial."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from adam_repro.report import style
from adam_repro.report.style import Look

NAMES = {"adam": "Adam", "adagrad": "AdaGrad", "sgd": "SGD", "amsgrad": "AMSGrad"}
LOOKS = {
    name: style.look(i)
    for name, i in {"Adam": 2, "AdaGrad": 0, "SGD": 5, "AMSGrad": 4, "AdamNC": 1}.items()
}


def trial(folder: Path, settings: dict[str, Any], metrics: pd.DataFrame) -> Path:
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


def places(rows: pd.DataFrame, known: dict[str, str]) -> list[str]:
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
