"""The curve of one trial of section 4's tasks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.lines import Line2D

from adam_repro.plots import style
from adam_repro.plots.layout import add_legend
from adam_repro.plots.theory import LEGEND_BOTTOM, NAMES, STYLES, margins, set_loglog


@style.own_settings()
def draw(folder: Path, settings: dict[str, Any], metrics: pd.DataFrame) -> Path:
    """``curve.png`` of one trial: R(T) below its bound; for the counterexamples x_t above it."""
    name = NAMES.get(settings["optimizer"]["name"], settings["optimizer"]["name"])
    color = STYLES.get(name, style.series_style(3)).color
    task = settings["task"]
    place = task.get("sequence") or task["data"]["name"]
    has_x = "x" in metrics
    height = 5.2 if has_x else 3.6
    figure = style.new_drawing(height)
    axes = figure.subplots(1 + has_x, 1, squeeze=False, gridspec_kw=margins(height))[:, 0]
    title = f"{place}, {name}, lr {settings['optimizer']['lr']:g}, seed {settings['seed']}"
    if has_x:
        axes[0].plot(metrics["step"], metrics["x"], color=color)
        axes[0].set_xscale("log")
        axes[0].set_ylim(-1.08, 1.08)
        style.label_axes(axes[0], title, "", "x after t steps")
    axes[-1].plot(metrics["step"], metrics["regret"], "-", color=color)
    axes[-1].plot(metrics["step"], metrics["bound"], ":", color=color)
    set_loglog(axes[-1], "" if has_x else title, "T", "regret")
    lines = [("-", "R(T)")] + [(":", "bound of its theorem")] * bool(metrics["bound"].notna().any())
    handles = [Line2D([], [], ls=ls, color=color, label=text) for ls, text in lines]
    add_legend(figure, handles, LEGEND_BOTTOM)
    style.save(figure, folder, "curve", ("png",))
    return folder / "curve.png"
