"""Any trials in one picture: a line a setting, seeds as a band, divergence marked, the paper dotted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from adam_repro.config.validate import Choice, check
from adam_repro.errors import UserError
from adam_repro.figures import paper_curves
from adam_repro.figures.paper_curves import Reference
from adam_repro.plots import style
from adam_repro.plots.context import seed_count, wrap
from adam_repro.plots.layout import Layout, legend_handles
from adam_repro.plots.trials import paper
from adam_repro.plots.trials.lines import BANDS, COST, Line, check_columns, lines_of
from adam_repro.plots.trials.paper import Styles

SCALES = ("auto", "linear", "log")
#: The colours that the paper's optimizers have in every figure.
FIXED = {"adagrad": 0, "sgd_nesterov": 1, "adam": 2, "rmsprop": 3, "adadelta": 4, "sfo": 5}
AXES, GAP = 2.75, 0.78  # inches: height of a pair of axes; of its title and labels
MOST_LABELS = 24  # in a legend
BAND_TEXT = {
    "range": ", band: smallest to largest", "t": ", band: 95 % t interval of the mean", "none": "",
}  # fmt: skip
NATS = "nats per example"
YLABELS = {
    "train_cost": f"training cost ({NATS})",
    "eval_train_cost": f"training cost after the epoch ({NATS})",
    "test_cost": f"test cost ({NATS})",
    "train_error": "training error (share of examples)",
    "test_error": "test error (share of examples)",
}
XLABELS = {"seconds": "seconds of training (in a stack, the trial's share)"}


def plot(
    frame: pd.DataFrame,
    x: str = "epoch",
    y: str = COST,
    group: str | Sequence[str] | None = None,
    ax: Axes | None = None,
    band: str = "range",
    xscale: str = "auto",
    yscale: str = "auto",
) -> Axes:
    """Draw the trials of ``frame`` into ``ax``, or into a new pyplot figure; the axes.

    Trials that differ in the seed alone are one line, their mean. Lines of the same ``group`` have one
    colour, and of several the one with the lowest training cost at the end is drawn thick. The paper's
    curve is dotted, where the tasks have one and ``y`` is its quantity. A cross is where a seed diverged.

    ``frame``: of :func:`adam_repro.load`, or rows of it. ``x``: epoch, step, examples or seconds.
    ``y``: a column. ``group``: a setting, as ``"optimizer"``, or several; by default all that vary.
    ``band``: the ``range`` of the seeds, the 95 % ``t`` interval of their mean, or ``none``.
    ``xscale``, ``yscale``: auto, linear or log. Matplotlib's settings and backend stay yours.

    Raises:
        UserError: a column or a value that is none of these, or rows of several tasks, whose costs are
            of different kinds, without ``"task"`` in ``group``.
    """
    check_options(band, xscale, yscale)
    groups = [group] if isinstance(group, str) else group
    check_columns(frame, x, y, groups)
    _check_tasks(frame, y, groups or ())
    lines = lines_of(frame, x, y, groups, band)
    if ax is None:
        from matplotlib import pyplot

        ax = pyplot.subplots()[1]
    styles = _styles(lines)
    _plot_lines(ax, lines, styles)
    costs = paper.plot(ax, lines, styles, (x, y))
    _set_scales(ax, lines, costs, x, (xscale, yscale))
    ax.set_xlabel(XLABELS.get(x, x))
    ax.set_ylabel(YLABELS.get(y, y))
    names = {_with_n(line): styles[line.group] for line in _labelled(lines)}
    handles = _handles(names, [paper.references(lines, (x, y))])
    for text in ax.legend(handles=handles, frameon=False).get_texts():
        text.set_parse_math(False)  # the dollars of a label are no mathematics
    return ax


def _check_tasks(frame: pd.DataFrame, y: str, groups: Sequence[str]) -> None:
    tasks = list(frame.loc[frame[y].notna(), "task"].unique())
    if len(tasks) > 1 and "task" not in groups:
        raise UserError(
            f"frame: has several tasks ({', '.join(tasks)}), whose costs are of different kinds; give the "
            f"rows of one, as frame[frame['task'] == '{tasks[0]}'], or a group with 'task' in it, as "
            "['task', 'optimizer'], to have all in the same axes"
        )


def check_options(band: str, xscale: str, yscale: str) -> None:
    """Check the options that are words.

    Raises:
        UserError: one that is none of its words.
    """
    check("band", band, Choice(*BANDS))
    check("xscale", xscale, Choice(*SCALES))
    check("yscale", yscale, Choice(*SCALES))


@style.own_settings()
def draw(
    frame: pd.DataFrame,
    x: str = "epoch",
    y: str = COST,
    group: Sequence[str] | None = None,
    band: str = "range",
    xscale: str = "auto",
    yscale: str = "auto",
    styles: Styles | None = None,
    note: str = "",
    paper_widens: bool = True,
) -> tuple[Drawing, list[str]]:
    """A drawing of our own of these trials, a pair of axes a task; and what is to be said of them.

    ``styles``: of the groups, by name; ``note``: the foot's first words; ``paper_widens``: whether the axes
    show all of the paper's curves, or follow the trials'. The other options are those of :func:`plot`.

    Raises:
        UserError: as :func:`plot`.
    """
    check_options(band, xscale, yscale)
    check_columns(frame, x, y, group)
    panels = {
        str(task): lines_of(rows, x, y, group, band)
        for task, rows in frame.groupby("task", sort=False)
        if rows[y].notna().any()  # a task has columns of its own
    }
    lines = [line for of_task in panels.values() for line in of_task]
    if styles is not None:  # whose order is the legend's
        order = {group: i for i, group in enumerate(styles)}
        lines.sort(key=lambda line: order[line.group])
    styles, shown = styles or _styles(lines), _labelled(lines)
    names = {_label(line, len(panels)): styles[line.group] for line in shown}
    references = [paper.references(of_task, (x, y)) for of_task in panels.values()]
    columns = 1 if len(panels) == 1 else 2
    height = -(-len(panels) // columns) * (AXES + GAP)
    messages = _messages(panels)
    footer = _footer(frame, lines, band, messages, note)
    if any(references) and not paper_widens:
        footer.insert(1, "the axes follow the trials; the paper’s curves may leave them")
    width = style.WIDTH if columns == 1 else 8.6
    handles = _handles(names, references)
    layout = Layout(width, height, handles, footer)
    grid = layout.grid(len(panels), columns, AXES + GAP, AXES)
    for axes, (task, of_task) in zip(grid, panels.items(), strict=True):
        _plot_lines(axes, of_task, styles)
        if paper_widens:
            costs = paper.plot(axes, of_task, styles, (x, y))
            _set_scales(axes, of_task, costs, x, (xscale, yscale))
        else:
            _set_scales(axes, of_task, np.zeros(0), x, (xscale, yscale))
            axes.set_ylim(axes.get_ylim())  # as it is, whatever is drawn from here on
            paper.plot(axes, of_task, styles, (x, y))
        style.label_axes(axes, task, XLABELS.get(x, x), YLABELS.get(y, y))
    return layout.finish(), messages


def _styles(lines: Sequence[Line]) -> Styles:
    """The style of every group. The paper's optimizers have theirs, where a group has one to itself."""
    owners: dict[str, set[str]] = {}
    for line in lines:
        owners.setdefault(str(line.settings["optimizer"]), set()).add(line.group)
    fixed = {
        next(iter(groups)): FIXED[name]
        for name, groups in owners.items()
        if name in FIXED and len(groups) == 1
    }
    if len(set(fixed.values())) < len(fixed):  # one group of several optimizers
        fixed = {}
    return style.series_styles(list(dict.fromkeys(line.group for line in lines)), fixed)


def _labelled(lines: Sequence[Line]) -> list[Line]:
    """The lines that the legend names."""
    return [line for line in lines if line.best][:MOST_LABELS]


def _label(line: Line, panels: int) -> str:
    """The text of the legend; of several panels, each has a best setting of its own."""
    return line.label if panels == 1 else line.group


def _with_n(line: Line) -> str:
    return line.label if line.n == 1 else f"{line.label}, n = {line.n}"


def _handles(styles: Styles, panels: Sequence[Mapping[Reference, Sequence[Line]]]) -> list[Line2D]:
    """The legend: the groups, then what each kind of line means; ``panels``: the paper's curves in each."""
    found = [item for references in panels for item in references.items()]
    undivided = any(one.series == paper_curves.UNDIVIDED for one, _ in found)
    has_colour = all(len({line.group for line in own}) == 1 for _, own in found)
    several = len({one.series for one, _ in found}) > 1 and has_colour
    words = "the paper’s, in the colour of its optimizer" if several else "the paper"
    return legend_handles(styles, bool(found), undivided, words)


def _plot_lines(axes: Axes, lines: Sequence[Line], styles: Styles) -> None:
    """The best line of each group with its band; the others thin, behind it."""
    alpha = max(0.1, min(0.45, 20 / len(lines)))  # of hundreds, each is faint
    for i, line in enumerate(lines):
        one, finite = styles[line.group], np.isfinite(line.mean) & np.isfinite(line.x)
        x, mean = line.x[finite], line.mean[finite]
        if line.best:
            style.plot_ours(axes, x, mean, one, 0.12 * i / len(lines))
            style.fill_band(axes, x, (line.low[finite], line.high[finite]), one)
        else:
            axes.plot(x, mean, "-", color=one.color, linewidth=0.6, alpha=alpha, zorder=1.5)
        if line.diverged and len(x):
            size = 9 if line.best else 5
            axes.plot(x[-1], mean[-1], "x", color=one.color, markersize=size, markeredgewidth=1.5)


def _set_scales(
    axes: Axes, lines: Sequence[Line], others: np.ndarray, x: str, scales: tuple[str, str]
) -> None:
    """The scales that are asked for; ``auto`` is a log scale for costs over a factor of 20 or more.

    ``others``: costs [n] that are drawn beside the lines. Where lines behind the best ones go far above
    these, as those that diverge do, they leave the axes.
    """
    xscale, yscale = scales
    if xscale != "auto":
        axes.set_xscale(xscale)
    if x != "seconds" and axes.get_xscale() == "linear":
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    best = np.concatenate([_costs([line for line in lines if line.best]), others])
    every = np.concatenate([_costs(lines), others])
    above = best[best > 0]  # a cost of 0 leaves a log scale at its foot
    if yscale == "auto" and len(above) and best.min() >= 0 and above.max() > 20 * above.min():
        yscale = "log"
    if yscale != "auto":
        axes.set_yscale(yscale)
    if len(best) and every.max() > 3 * best.max() > 0:
        low = min(0.0, every.min()) if axes.get_yscale() == "linear" else every[every > 0].min()
        axes.set_ylim(low, 1.5 * best.max())


def _costs(lines: Sequence[Line]) -> np.ndarray:
    """Every finite value of these lines, [n]."""
    values = np.concatenate([*(line.mean for line in lines), np.zeros(0)])
    return values[np.isfinite(values)]


def _messages(panels: Mapping[str, Sequence[Line]]) -> list[str]:
    """What is to be said of each group: its best setting, what diverged, what is not complete."""
    found = []
    for task, lines in panels.items():
        for group in dict.fromkeys(line.group for line in lines):
            own = [line for line in lines if line.group == group]
            best = next(line for line in own if line.best)
            name = f"{task}, {group}" if len(panels) > 1 else group
            if len(own) > 1 and len(panels) > 1:  # of one panel, the legend says it
                found.append(f"{name}: the best of {len(own)} settings is {best.setting}")
            found += [f"{name}: {text}" for text in _flaws(own)]
    return found


def _flaws(lines: Sequence[Line]) -> list[str]:
    """What keeps lines of a group from being whole: how many of their trials diverged, or go on."""
    trials = sum(line.n + line.left_out for line in lines)
    diverged = sum(line.diverged for line in lines)
    left_out = sum(line.left_out for line in lines)
    going = sum(line.going for line in lines)
    counts = {
        "diverged (x)": diverged,
        "left out, as they are not complete": left_out,
        "not complete, drawn as far as they go": going,
    }
    return [f"{count} of {trials} {what}" for what, count in counts.items() if count]


def _footer(
    frame: pd.DataFrame, lines: Sequence[Line], band: str, messages: Sequence[str], note: str
) -> list[str]:
    """The lines at the foot: seeds and hardware, what thin lines are, what is to be said."""
    seeds = seed_count((line.n for line in lines if line.best), BAND_TEXT[band])
    hardware = (
        sorted({str(one) for one in frame["hardware"].dropna()}) if "hardware" in frame else []
    )
    footer = [
        " · ".join([*([note] if note else []), seeds, ", ".join(hardware) or "hardware unknown"])
    ]
    if any(line.siblings > 1 for line in lines):
        footer.append(
            "thick: of the settings in one colour that with the lowest training cost at the end; "
            "thin: the others"
        )
    names = frame["task.data.name"].dropna().astype(str) if "task.data.name" in frame else []
    if any(name.startswith("synthetic") for name in names):
        footer.append("GENERATED DATA: shows that everything runs, says nothing about the paper")
    return footer + wrap(list(messages), "Notes: ")
