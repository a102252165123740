"""How close a figure comes to the paper's: relative difference by series, rank order, nats by cell."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from adam_repro.figures import paper_curves
from adam_repro.figures.spec import Panel
from adam_repro.plots import series
from adam_repro.plots.context import Context
from adam_repro.plots.series import DIVERGED, LOST

LAST = 10  # epochs at the end of a curve, where single ones are noisy
FEWEST = 10  # consecutive points, below which their scatter is not told
_NORMAL_QUARTILE = 0.6745  # median of the absolute value of a standard normal variable


@dataclass(frozen=True)
class Difference:
    """One series beside the paper's: ours / paper - 1 at every epoch both have.

    ``reference``: the paper's line, in its own legend.
    ``median`` and ``worst`` are of its absolute value, ``shift`` the median with its sign; ``at``:
    the epoch of the worst. ``end``: of the mean cost over the paper's last ``LAST`` epochs, NaN where
    ours ends before. ``covered``: the part of the paper's x range that ours spans. ``scatter`` and
    ``their_scatter``: of ours (the median over the seeds) and the paper's at the same epochs
    (:func:`scatter`).
    """

    reading: str
    panel: str
    series: str
    reference: str
    n: int
    median: float
    shift: float
    worst: float
    at: float
    end: float
    covered: tuple[float, float]
    asked: tuple[float, float]
    scatter: float = float("nan")
    their_scatter: float = float("nan")

    @property
    def whole(self) -> bool:
        return self.covered == self.asked


@dataclass(frozen=True)
class Ranks:
    """The series from lowest to highest cost at ``x``, ours and the paper's, where both have one."""

    reading: str
    panel: str
    x: float
    last: bool  # whether x is the paper's last
    ours: tuple[str, ...]
    theirs: tuple[str, ...]

    @property
    def same(self) -> bool:
        return self.ours == self.theirs


@dataclass(frozen=True)
class Cell:
    """One point of figure 4: mean loss in nats, ours and the paper's; 400 is divergence."""

    reading: str
    panel: str
    series: str
    lr: float
    ours: float
    theirs: float

    @property
    def difference(self) -> float:
        """Ours minus the paper's in nats; NaN where either diverged."""
        return self.ours - self.theirs if not self.died and not self.their_died else float("nan")

    @property
    def died(self) -> bool:
        return self.ours >= DIVERGED

    @property
    def their_died(self) -> bool:
        return self.theirs >= LOST


def differences(context: Context) -> list[Difference]:
    """Every series of every panel and reading that the paper has too; none on generated data."""
    found = []
    for reading, panel, name in _compared(context):
        lines = context.lines(reading, panel)
        for one in context.figure.series:
            curve = lines.one(one.label)
            if curve is None or not one.reference:
                continue
            line = paper_curves.Reference(name, one.reference)
            asked = _range(line, panel)
            inside = (curve.x >= asked[0]) & (curve.x <= asked[1]) & curve.whole
            if not inside.any():
                continue
            x = curve.x[inside]
            ours, theirs = curve.mean[inside], paper_curves.interpolate(line, x)
            ratio = ours / theirs - 1.0
            end = float(ours[-LAST:].mean() / theirs[-LAST:].mean() - 1.0)
            worst = int(np.argmax(np.abs(ratio)))
            found.append(
                Difference(
                    reading, panel.name, one.label, one.reference, curve.n,
                    float(np.median(np.abs(ratio))), float(np.median(ratio)),
                    float(np.abs(ratio[worst])), float(x[worst]),
                    end if x[-1] == asked[1] and len(x) > LAST else float("nan"),
                    (float(x[0]), float(x[-1])), asked,
                    float(np.median([scatter(costs) for costs in curve.costs[:, inside]])),
                    scatter(theirs),
                )
            )  # fmt: skip
    return found


def scatter(costs: np.ndarray) -> float:
    """How far single points of a curve lie off a smooth one: costs [n] at consecutive epochs.

    A robust standard deviation of log cost from second differences, l_k - (l_{k-1} + l_{k+1}) / 2, whose
    variance is 3/2 of a point's own; slow changes cancel, and the median leaves steep places out. A curve
    trained with other settings can come close to a scattered one at every point and be smooth. NaN for
    fewer than ``FEWEST`` points.
    """
    if len(costs) < FEWEST or not (costs > 0).all():
        return float("nan")
    log = np.log(costs)
    second = log[1:-1] - (log[:-2] + log[2:]) / 2.0
    return float(np.median(np.abs(second)) / _NORMAL_QUARTILE * math.sqrt(2.0 / 3.0))


def ranks(context: Context) -> list[Ranks]:
    """The order of the series at the paper's last x, or at our last where ours ends before."""
    return [
        found
        for reading, panel, name in _compared(context)
        if (found := _order(context, reading, panel, name)) is not None
    ]


def _order(context: Context, reading: str, panel: Panel, name: str) -> Ranks | None:
    lines = context.lines(reading, panel)
    both = [
        (one.label, curve, paper_curves.Reference(name, one.reference))
        for one in context.figure.series
        if one.reference and (curve := lines.one(one.label)) is not None and curve.whole.any()
    ]
    if len(both) < 2:
        return None
    last = min(_range(line, panel)[1] for _, _, line in both)
    x = min([last, *(float(curve.x[curve.whole][-1]) for _, curve, _ in both)])
    costs = {
        label: (_at(curve, x), float(paper_curves.interpolate(line, np.array([x]))[0]))
        for label, curve, line in both
    }
    # The paper's lines do not all begin at the same x.
    known = [label for label, pair in costs.items() if np.isfinite(pair).all()]
    if len(known) < 2:
        return None
    return Ranks(
        reading, panel.name, x, x == last,
        tuple(sorted(known, key=lambda label: costs[label][0])),
        tuple(sorted(known, key=lambda label: costs[label][1])),
    )  # fmt: skip


def _at(curve: series.Curve, x: float) -> float:
    """Our cost at ``x``, NaN where there is none."""
    found = curve.mean[curve.x == x]
    return float(found[0]) if len(found) else float("nan")


def _compared(context: Context) -> Iterator[tuple[str, Panel, str]]:
    """The panels by epoch that the paper has, in every reading.

    A panel whose x is a wall time adds no number: the paper's is its panel by epoch, stretched.
    """
    if context.generated or context.figure.every_lr_is_drawn:
        return
    panels = [p for p in context.figure.panels if p.curves and p.x == "epoch"]
    for reading in context.figure.readings:
        for panel in panels:
            yield reading, panel, str(panel.curves)


def _range(line: paper_curves.Reference, panel: Panel) -> tuple[float, float]:
    """Whole epochs inside the drawn axes for which the paper's line is known, and ours can be."""
    x, _ = paper_curves.curve(line)
    first = max(float(x.min()), panel.xlim[0], float(panel.first_x))
    return float(math.ceil(first)), float(math.floor(min(float(x.max()), panel.xlim[1])))


def cells(context: Context) -> list[Cell]:
    """Figure 4: every stepsize of every panel that both ours and the paper have.

    The dense grid has the trials of the reading as printed at these stepsizes, and is compared only
    where that is not there.
    """
    if context.generated or not context.figure.every_lr_is_drawn:
        return []
    readings = (_cells(context, reading) for reading in context.figure.readings)
    return next(filter(None, readings), [])


def _cells(context: Context, reading: str) -> list[Cell]:
    found = []
    for panel in context.figure.panels:
        for one in context.figure.series:
            if one.reference is None:
                continue
            ours = series.cells(context.rows, panel, reading, one.label)
            x, y = paper_curves.loss_by_lr(panel.name, one.reference)
            for lr, cost in zip(ours["lr"], ours["cost"], strict=True):
                near = np.flatnonzero(np.abs(x - np.log10(lr)) < 1e-3)
                if len(near):
                    found.append(
                        Cell(reading, panel.name, one.label, lr, float(cost), float(y[near[0]]))
                    )
    return found


@dataclass(frozen=True)
class CellSummary:
    """Figure 4 in a few numbers, for one reading."""

    reading: str
    cells: int
    both_finite: int
    median: float  # absolute difference in nats where neither diverged
    worst: float
    within: int  # cells within one nat
    same_divergence: int  # cells of which both say diverged, or neither


def summarise(found: list[Cell]) -> list[CellSummary]:
    summaries = []
    for reading in sorted({cell.reading for cell in found}):
        mine = [cell for cell in found if cell.reading == reading]
        sizes = np.abs([c.difference for c in mine if np.isfinite(c.difference)])
        summaries.append(
            CellSummary(
                reading, len(mine), len(sizes),
                float(np.median(sizes)) if len(sizes) else float("nan"),
                float(sizes.max()) if len(sizes) else float("nan"),
                int((sizes <= 1.0).sum()),
                sum(cell.died == cell.their_died for cell in mine),
            )
        )  # fmt: skip
    return summaries
