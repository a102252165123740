"""The parts of a drawing of a figure: axes on top, the legend below them, the footer at the bottom."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import accumulate, pairwise
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.textpath import TextPath

from adam_repro.figures import paper_curves
from adam_repro.plots import style
from adam_repro.plots.style import FAINT, SeriesStyle

# Inches: one line of the footer; the labels below a pair of axes; the title of a drawing.
FOOTER_LINE, X_LABELS, TITLE = 0.125, 0.46, 0.27
COLUMN = 1.7  # of a legend, at least
# Of a legend, in heights of its text: between columns, of a line, from a line to its label.
SPACING, HANDLE, HANDLE_GAP = 1.4, 2.2, 0.8


class Layout:
    """A drawing to which axes are added. All lengths are in inches.

    ``legend_height``: with the gap above it; by default as the number of ``handles`` needs. ``title``: a line
    above all axes.
    """

    def __init__(
        self, width: float, axes_height: float, handles: list[Line2D], footer: list[str],
        legend_height: float | None = None, title: str = "",
    ) -> None:  # fmt: skip
        self.width = width
        self._handles, self._footer = handles, footer
        self._legend_bottom = 0.1 + FOOTER_LINE * len(footer)
        if legend_height is None:
            self._axes_bottom = self._legend_bottom + _legend_height(width, handles) + 0.12
        else:
            self._axes_bottom = self._legend_bottom + legend_height
        self.height = self._axes_bottom + axes_height + (TITLE if title else 0.0)
        self.drawing = style.new_drawing(self.height, width)
        if title:
            y = 1 - 0.07 / self.height
            self.drawing.text(0.5, y, title, ha="center", va="top", fontsize=9.5, weight="bold")

    def add_axes(self, left: float, bottom: float, width: float, height: float) -> Axes:
        """``bottom``: above the lowest possible place, which leaves room for labels and legend."""
        bottom = self._axes_bottom + bottom + X_LABELS
        box = (left / self.width, bottom / self.height, width / self.width, height / self.height)
        return self.drawing.add_axes(box)

    def grid(
        self, count: int, columns: int, row_height: float, axes_height: float
    ) -> Iterator[Axes]:
        """``count`` pairs of axes, row by row from the top, with letters if there are several."""
        rows = -(-count // columns)
        for i in range(count):
            row, column = divmod(i, columns)
            left = 0.66 + column * self.width / columns
            bottom = (rows - 1 - row) * row_height
            axes = self.add_axes(left, bottom, self.width / columns - 0.86, axes_height)
            if count > 1:
                style.add_letter(axes, i)
            yield axes

    def finish(self) -> Figure:
        """The drawing with its legend and footer."""
        add_legend(self.drawing, self._handles, self._legend_bottom, 1.9)
        for i, line in enumerate(reversed(self._footer)):
            y = (0.06 + FOOTER_LINE * i) / self.height
            self.drawing.text(0.015, y, line, fontsize=6.2, color=FAINT, va="bottom")
        return self.drawing


def legend_handles(
    styles: Mapping[str, SeriesStyle],
    with_paper: bool = False,
    undivided: bool = False,
    paper: str = "the paper",
) -> list[Line2D]:
    """Every series, then what each kind of line means.

    ``undivided``: figure 2b's second line. ``paper``: what dotted lines are.
    """
    handles = [
        Line2D([], [], color=one.color, marker=one.marker, markersize=3.6, label=_shown(label))
        for label, one in styles.items()
    ]
    if with_paper:
        marked: dict[str, Any] = {"color": FAINT, "marker": "o", "markersize": 3.6}
        ours = Line2D([], [], linestyle="-", label="solid, filled: reproduced", **marked)
        hollow: dict[str, Any] = {"markerfacecolor": "white", "markeredgewidth": 0.8}
        dotted = Line2D([], [], linestyle=":", label=f"dotted, hollow: {paper}", **marked, **hollow)
        handles += [ours, dotted]
    if undivided:
        name = f"dash-dotted: the paper’s {paper_curves.UNDIVIDED}"
        handles.append(Line2D([], [], color=FAINT, linestyle="-.", label=name))
    return handles


def _shown(label: str) -> str:
    """A label for the legend, where Matplotlib leaves out those that begin with an underscore."""
    return f"\u200b{label}" if label.startswith("_") else label


def add_legend(
    drawing: Figure, handles: list[Line2D], bottom: float, handlelength: float = HANDLE
) -> None:
    """A centred legend ``bottom`` inches above the lower edge, outside the axes."""
    if handles:
        drawing.legend(
            handles=handles, loc="lower center",
            bbox_to_anchor=(0.5, bottom / drawing.get_figheight()),
            ncols=_legend_columns(drawing.get_figwidth(), handles), frameon=False,
            columnspacing=SPACING, handlelength=handlelength, borderpad=0.0, borderaxespad=0.0,
        )  # fmt: skip


def _legend_columns(width: float, handles: list[Line2D]) -> int:
    """As many as fit into so many inches; fewer if the rows are then filled more evenly."""
    widths = [_entry_width(str(handle.get_label())) for handle in handles]
    entries = max(1, len(handles))
    for most in range(round(width / COLUMN), 1, -1):
        rows = -(-entries // most)
        columns = -(-entries // rows)
        if _legend_width(widths, columns) <= 0.97 * width:  # few pixels make letters wider
            return columns
    return 1


def _entry_width(label: str) -> float:
    """Inches of a label and its line."""
    size = style.LEGEND_SIZE
    text = TextPath((0.0, 0.0), label, size=size).get_extents().width if label.strip() else 0.0
    return float(text + (HANDLE + HANDLE_GAP) * size) / 72.0


def _legend_width(widths: list[float], columns: int) -> float:
    """Inches of a legend, which Matplotlib fills column by column; the first columns have one entry more."""
    short, longer = divmod(len(widths), columns)
    ends = list(accumulate(short + (i < longer) for i in range(columns)))
    parts = [widths[a:b] for a, b in pairwise([0, *ends])]
    return (
        sum(max(part, default=0.0) for part in parts)
        + (columns - 1) * SPACING * style.LEGEND_SIZE / 72.0
    )


def _legend_height(width: float, handles: list[Line2D]) -> float:
    return 0.17 * -(-max(1, len(handles)) // _legend_columns(width, handles))
