"""The style of every drawing: colours, markers, lines, ticks. Saved files are reproducible to the byte.

Matplotlib is also the user's: a ``matplotlibrc``, a style or a backend of theirs is for their drawings.
Ours are made inside :func:`own_settings`, where every setting is Matplotlib's default or one of `SETTINGS`.
"""

from __future__ import annotations

import io
import itertools
import math
import string
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.font_manager import fontManager
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator
from PIL import Image

from adam_repro.files import write_bytes

# Okabe and Ito's palette, which colour-blind readers can distinguish. The markers serve print.
PALETTE = (
    ("#0072B2", "o"), ("#009E73", "s"), ("#D55E00", "D"), ("#56B4E9", "v"), ("#CC79A7", "^"),
    ("#000000", "P"), ("#E69F00", "X"), ("#7F6A00", "<"), ("#5D3A9B", ">"), ("#8C8C8C", "p"),
)  # fmt: skip
DPI = 160  # of a PNG
FORMATS = ("png", "pdf", "svg")
COLORS = 48  # of a PNG: a quarter of the bytes, and no visible difference
NEAR = 24  # of 255, in red, green or blue: as far as a series may be from its colour
INK, FAINT = "#222222", "#777777"
NEARLY_GREY = 24  # of 255, between the most and the least of a colour's red, green and blue
WIDTH = 5.2  # inches: a column of a journal, and readable at 400 pixels
FONT = "DejaVu Sans"
Color = tuple[int, int, int]  # red, green, blue, of 255
LEGEND_SIZE = 8.0

SETTINGS: dict[Any, Any] = {
    "font.family": FONT,
    "font.size": 9.0,
    "axes.titlesize": 10.0,
    "axes.labelsize": 9.0,
    "xtick.labelsize": 8.0,
    "ytick.labelsize": 8.0,
    "legend.fontsize": LEGEND_SIZE,
    "axes.edgecolor": INK,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.major.width": 0.7,
    "ytick.major.width": 0.7,
    "lines.linewidth": 1.4,
    "svg.hashsalt": "adam-repro",
    "svg.fonttype": "path",
    "pdf.fonttype": 3,  # only the glyphs used; subsetting TrueType takes a third of the report's time
    "path.simplify": True,
    "text.parse_math": False,  # a label is text: the dollars in it are not mathematics
}
#: Settings that a drawing does not read. Matplotlib would load a backend for the first.
NOT_DRAWN = ("backend", "backend_fallback", "date.epoch")


class SeriesStyle(NamedTuple):
    """Colour and marker of a series."""

    color: str
    marker: str


def series_style(index: int) -> SeriesStyle:
    """The ten pairs of `PALETTE`; then its colours again, each with another marker."""
    again, i = divmod(index, len(PALETTE))
    return SeriesStyle(PALETTE[i][0], PALETTE[(i + again) % len(PALETTE)][1])


def series_styles(labels: list[str], fixed: dict[str, int]) -> dict[str, SeriesStyle]:
    """The style of every label: ``fixed`` ones by their index, the others by unused indices."""
    free = [i for i in range(len(PALETTE)) if i not in fixed.values()]
    unused = itertools.chain(free, itertools.count(len(PALETTE)))
    return {
        label: series_style(fixed[label] if label in fixed else next(unused)) for label in labels
    }


@contextmanager
def own_settings(own: Mapping[str, Any] = SETTINGS) -> Iterator[None]:
    """Matplotlib's defaults with ``own`` settings; afterwards the user's are back.

    An artist takes its settings when it is made, ticks and canvas when they are drawn: both belong inside.
    """
    _use_bundled_font()
    defaults: dict[Any, Any] = {
        k: v for k, v in matplotlib.rcParamsDefault.items() if k not in NOT_DRAWN
    }
    with matplotlib.rc_context(), warnings.catch_warnings():
        # Some defaults are deprecated; that they are set here is no one's mistake.
        warnings.simplefilter("ignore", matplotlib.MatplotlibDeprecationWarning)
        matplotlib.rcParams.update(defaults | dict(own))
        with _inside_own_settings():
            yield


_depth = 0  # of blocks of `own_settings`, which may lie within each other


@contextmanager
def _inside_own_settings() -> Iterator[None]:
    global _depth
    _depth += 1
    try:
        yield
    finally:
        _depth -= 1


def new_drawing(height: float, width: float = WIDTH) -> Figure:
    """An empty drawing of this size in inches.

    Raises:
        RuntimeError: outside :func:`own_settings`, where a user's settings would reach it.
    """
    if not _depth:
        raise RuntimeError("a drawing function needs @style.own_settings()")
    _use_bundled_font()
    return Figure(figsize=(width, height))


@cache
def _use_bundled_font() -> None:
    """Use Matplotlib's own DejaVu Sans, not the system's.

    Releases of the font number their glyphs differently, and an SVG contains these numbers.
    """
    fontManager.ttflist = [entry for entry in fontManager.ttflist if entry.name != FONT]
    for path in sorted(Path(matplotlib.get_data_path(), "fonts", "ttf").glob("DejaVuSans[-.]*ttf")):
        fontManager.addfont(path)


def label_axes(axes: Axes, title: str, xlabel: str, ylabel: str) -> None:
    """Title, labels and grid lines at fixed places. Searching free places takes longer than all the rest."""
    box = axes.get_position()
    size = axes.get_figure().get_size_inches()  # type: ignore[union-attr]
    axes.set_title(title, y=1.02)
    axes.set_xlabel(xlabel)
    axes.set_ylabel(ylabel)
    axes.xaxis.set_label_coords(0.5, -0.30 / (box.height * size[1]))
    axes.yaxis.set_label_coords(-0.46 / (box.width * size[0]), 0.5)
    axes.grid(True, which="major", color="#DDDDDD", linewidth=0.5)
    axes.set_axisbelow(True)
    for name, axis in (("x", axes.xaxis), ("y", axes.yaxis)):
        if axis.get_scale() == "log":
            low, high = getattr(axes, f"get_{name}lim")()
            set_log_ticks(axis, low, high)


def add_letter(axes: Axes, number: int) -> None:
    """The letter of a panel above its left end: a for 0, b for 1, and so on."""
    axes.set_title(string.ascii_lowercase[number % 26], loc="left", y=1.02, weight="bold")


def set_log_ticks(axis: Axis, low: float, high: float) -> None:
    """Ticks at powers of ten; within two decades at 1, 2 and 5 times those, as plain numbers."""
    span = math.log10(high / low) if low > 0 else 9.0
    axis.set_minor_locator(NullLocator())
    if span < 2:
        subs = (1.0, 2.0, 5.0) if span > 0.7 else tuple(float(i) for i in range(1, 10))
        axis.set_major_locator(LogLocator(subs=subs, numticks=20))
        axis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:g}"))
    else:
        axis.set_major_locator(LogLocator(numticks=9))
        axis.set_major_formatter(FuncFormatter(_power_of_ten))


def _power_of_ten(value: float, _: object) -> str:
    if value <= 0:
        return ""
    digits = str(round(math.log10(value)))
    return "10" + digits.translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def plot_ours(axes: Axes, x: Any, y: Any, style: SeriesStyle, offset: float = 0.0) -> None:
    """Our results: a solid line with filled markers at equal distances, the first at ``offset``."""
    every = (offset, 0.12) if len(x) > 12 else 1
    axes.plot(x, y, "-", color=style.color, marker=style.marker, markevery=every, markersize=3.6)


def fill_band(axes: Axes, x: Any, band: tuple[Any, Any] | None, style: SeriesStyle) -> None:
    """A confidence band, if there is one, in the colour of the series."""
    if band is not None:
        axes.fill_between(x, *band, color=style.color, alpha=0.2, linewidth=0)


def plot_paper(
    axes: Axes, x: Any, y: Any, style: SeriesStyle, offset: float = 0.0, dashes: str = ":"
) -> None:
    """The paper's results: a dotted line with open markers, in the colour of the same series."""
    every = (offset + 0.06, 0.12) if len(x) > 12 else 1
    axes.plot(
        x, y, dashes, color=style.color, marker=style.marker, markevery=every, markersize=3.6,
        markerfacecolor="white", markeredgewidth=0.8, linewidth=1.2, zorder=1.9,
    )  # fmt: skip


def _reduce_colors(png: bytes, series: Iterable[Color]) -> bytes:
    """The same PNG with a palette of `COLORS`, and more where ``series`` need them.

    A colour of the palette is the mean of those that it stands for; what is nearly grey is made grey. Where
    bands of many series overlap, two series may share a mean: then their own colours join the palette.
    """
    reduced = io.BytesIO()
    with Image.open(io.BytesIO(png)) as image:
        full = image.convert("RGB")
    few = full.quantize(COLORS, dither=Image.Dither.NONE)
    palette = _with_greys(few.getpalette() or [])
    missing = [color for color in sorted(series) if not _holds(palette, color)]
    if missing:
        missing += [
            _rgb(INK),
            _rgb(FAINT),
        ]  # a pixel takes the nearest colour, and grey text a grey
    few.putpalette(palette + [part for color in missing for part in color])
    if missing:
        few = full.quantize(palette=few, dither=Image.Dither.NONE)
    few.save(reduced, "png", optimize=True)
    return reduced.getvalue()


def _holds(palette: list[int], color: Color) -> bool:
    """Whether the palette (red, green, blue, red, …) has a colour within `NEAR` of ``color``."""
    return any(
        max(abs(palette[at + i] - color[i]) for i in range(3)) <= NEAR
        for at in range(0, len(palette), 3)
    )


def _series_colors(figure: Figure) -> set[Color]:
    """The colours of all lines in the figure, as red, green and blue of 255."""
    return {_rgb(line.get_color()) for axes in figure.axes for line in axes.lines}


def _rgb(color: Any) -> Color:
    red, green, blue = (round(255 * part) for part in to_rgb(color))
    return red, green, blue


def _with_greys(palette: list[int]) -> list[int]:
    """The palette (red, green, blue, red, …) with its nearly grey colours grey, of the same mean."""
    found: list[int] = []
    for at in range(0, len(palette), 3):
        color = palette[at : at + 3]
        grey = max(color) - min(color) <= NEARLY_GREY
        found += [round(sum(color) / 3)] * 3 if grey else color
    return found


def set_canvas(figure: Figure, kind: str) -> None:
    """Let a canvas of ours draw ``figure`` as ``png``, ``pdf`` or ``svg``.

    By name, Matplotlib may find another one: a user can register a canvas for a format.
    """
    from matplotlib.backends import (
        backend_agg,
        backend_pdf,
        backend_svg,
    )  # 0.1 s, once it is needed

    canvases: dict[str, Any] = {
        "png": backend_agg.FigureCanvasAgg,
        "pdf": backend_pdf.FigureCanvasPdf,
        "svg": backend_svg.FigureCanvasSVG,
    }
    canvases[kind](figure)


@own_settings()
def save(
    figure: Figure, folder: Path, name: str, formats: tuple[str, ...] = FORMATS, dpi: int = DPI
) -> None:
    """Write the drawing without dates and versions: the same numbers give the same bytes."""
    metadata: dict[str, dict[str, Any]] = {
        "png": {"Software": None},
        "pdf": {"CreationDate": None, "Producer": None, "Creator": None},
        "svg": {"Date": None, "Creator": None},
    }
    for kind in formats:
        drawn = io.BytesIO()
        set_canvas(figure, kind)
        figure.savefig(drawn, format=kind, dpi=dpi, metadata=metadata[kind])
        content = drawn.getvalue()
        write_bytes(
            folder / f"{name}.{kind}",
            _reduce_colors(content, _series_colors(figure)) if kind == "png" else content,
        )
