"""Agreement with the paper's curves: relative difference by series, rank order, nats by cell of figure 4."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from adam_repro.figures import paper_curves
from adam_repro.figures.spec import Panel
from adam_repro.plots import series
from adam_repro.plots.context import Context
from adam_repro.plots.series import DIVERGED_COST, DIVERGED_IN_PAPER

LAST = 10  # epochs at the end of a curve, where single ones are noisy
FEWEST = 10  # consecutive points that an estimate of scatter needs
_NORMAL_QUARTILE = 0.6745  # median of the absolute value of a standard normal variable


@dataclass(frozen=True)
class Difference:
    """One series beside the paper's: ours / paper - 1 at every epoch both have.

    ``reference``: the paper's line, as its legend names it. ``median`` and ``worst``: of the absolute
    value; ``worst_at``: the epoch of the worst; ``signed_median``: of the value itself. ``end``: of the mean
    cost over the paper's last ``LAST`` epochs; NaN where ours ends earlier. ``paper_range``: the x range to
    compare; ``covered``: the part of it that ours spans. ``scatter``: of ours, the median over the seeds;
    ``paper_scatter``: of the paper's at the same epochs (:func:`scatter`).
    """

    reading: str
    panel: str
    series: str
    reference: str
    n: int
    median: float
    signed_median: float
    worst: float
    worst_at: float
    end: float
    covered: tuple[float, float]
    paper_range: tuple[float, float]
    scatter: float = float("nan")
    paper_scatter: float = float("nan")


@dataclass(frozen=True)
class Ranks:
    """The series from lowest to highest cost at ``x``, in our curves and in the paper's."""

    reading: str
    panel: str
    x: float
    at_end: bool  # whether x is the paper's last
    ours: tuple[str, ...]
    paper: tuple[str, ...]

    @property
    def same(self) -> bool:
        return self.ours == self.paper


@dataclass(frozen=True)
class Cell:
    """One point of figure 4: mean loss in nats, ours and the paper's; 400 is divergence."""

    reading: str
    panel: str
    series: str
    lr: float
    ours: float
    paper: float

    @property
    def difference(self) -> float:
        """Ours minus the paper's in nats; NaN where either diverged."""
        return float("nan") if self.diverged or self.paper_diverged else self.ours - self.paper

    @property
    def diverged(self) -> bool:
        return self.ours >= DIVERGED_COST

    @property
    def paper_diverged(self) -> bool:
        return self.paper >= DIVERGED_IN_PAPER


def differences(context: Context) -> list[Difference]:
    """Every series of every panel and reading that the paper has too; none on generated data."""
    found = []
    for reading, panel, name in _paper_panels(context):
        lines = context.curves(reading, panel)
        for one in context.figure.series:
            curve = lines.curve(one.label)
            if curve is None or not one.reference:
                continue
            line = paper_curves.Reference(name, one.reference)
            paper_range = _range(line, panel)
            inside = (curve.x >= paper_range[0]) & (curve.x <= paper_range[1]) & curve.finite
            if not inside.any():
                continue
            x = curve.x[inside]
            ours, paper = curve.mean[inside], paper_curves.interpolate(line, x)
            ratio = ours / paper - 1.0
            end = float(ours[-LAST:].mean() / paper[-LAST:].mean() - 1.0)
            worst = int(np.argmax(np.abs(ratio)))
            found.append(
                Difference(
                    reading, panel.name, one.label, one.reference, curve.n,
                    median=float(np.median(np.abs(ratio))), signed_median=float(np.median(ratio)),
                    worst=float(np.abs(ratio[worst])), worst_at=float(x[worst]),
                    end=end if x[-1] == paper_range[1] and len(x) > LAST else float("nan"),
                    covered=(float(x[0]), float(x[-1])), paper_range=paper_range,
                    scatter=float(np.median([scatter(costs) for costs in curve.costs[:, inside]])),
                    paper_scatter=scatter(paper),
                )
            )  # fmt: skip
    return found


def scatter(costs: np.ndarray) -> float:
    """How far single points of a curve lie off a smooth one: costs [n] at consecutive epochs.

    A robust standard deviation of log cost, from second differences l_k - (l_{k-1} + l_{k+1}) / 2. Their
    variance is 3/2 of that of one point. Slow changes cancel, and the median ignores steep places. A curve
    of other settings can be close to a scattered one at every point and still be smooth. NaN for fewer
    than ``FEWEST`` points.
    """
    if len(costs) < FEWEST or not (costs > 0).all():
        return float("nan")
    log = np.log(costs)
    second = log[1:-1] - (log[:-2] + log[2:]) / 2.0
    return float(np.median(np.abs(second)) / _NORMAL_QUARTILE * math.sqrt(2.0 / 3.0))


def ranks(context: Context) -> list[Ranks]:
    """The order of the series at the paper's last x, or at ours if that is earlier."""
    return [
        found
        for reading, panel, name in _paper_panels(context)
        if (found := _rank(context, reading, panel, name)) is not None
    ]


def _rank(context: Context, reading: str, panel: Panel, name: str) -> Ranks | None:
    lines = context.curves(reading, panel)
    both = [
        (one.label, curve, paper_curves.Reference(name, one.reference))
        for one in context.figure.series
        if one.reference and (curve := lines.curve(one.label)) is not None and curve.finite.any()
    ]
    if len(both) < 2:
        return None
    last = min(_range(line, panel)[1] for _, _, line in both)
    x = min([last, *(float(curve.x[curve.finite][-1]) for _, curve, _ in both)])
    costs = {
        label: (_cost_at(curve, x), float(paper_curves.interpolate(line, np.array([x]))[0]))
        for label, curve, line in both
    }
    # The paper's lines do not all begin at the same x.
    known = [label for label, pair in costs.items() if np.isfinite(pair).all()]
    if len(known) < 2:
        return None
    ours, paper = (tuple(sorted(known, key=lambda label: costs[label][i])) for i in (0, 1))
    return Ranks(reading, panel.name, x, x == last, ours, paper)


def _cost_at(curve: series.Curve, x: float) -> float:
    """Our cost at ``x``, NaN where there is none."""
    found = curve.mean[curve.x == x]
    return float(found[0]) if len(found) else float("nan")


def _paper_panels(context: Context) -> Iterator[tuple[str, Panel, str]]:
    """(reading, panel, the paper's panel) for every panel by epoch that the paper has.

    Panels by wall time add nothing: the paper's is its panel by epoch, stretched.
    """
    if context.generated or context.figure.every_lr_is_drawn:
        return
    panels = [p for p in context.figure.panels if p.curves and p.x == "epoch"]
    for reading in context.figure.readings:
        for panel in panels:
            yield reading, panel, str(panel.curves)


def _range(line: paper_curves.Reference, panel: Panel) -> tuple[float, float]:
    """First and last whole epoch inside the axes at which the paper and we can have a point."""
    x, _ = paper_curves.curve(line)
    first = max(float(x.min()), panel.xlim[0], float(panel.first_x))
    return float(math.ceil(first)), float(math.floor(min(float(x.max()), panel.xlim[1])))


def cells(context: Context) -> list[Cell]:
    """Figure 4: every stepsize of every panel that both ours and the paper have.

    The tuned trials contain the fitted ones. It is compared only where that reading
    has no results.
    """
    if context.generated or context.figure.kind != "stepsizes":
        return []
    readings = (_cells(context, reading) for reading in context.figure.readings)
    return next(filter(None, readings), [])


def _cells(context: Context, reading: str) -> list[Cell]:
    found = []
    for panel in context.figure.panels:
        for one in context.figure.series:
            if one.reference is None:
                continue
            ours = series.cost_by_lr(context.rows, panel, reading, one.label)
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
    """Figure 4 in a few numbers, for one reading; differences in nats, absolute."""

    reading: str
    cells: int
    both_finite: int
    median: float  # where neither diverged
    worst: float
    within_one_nat: int  # cells
    same_divergence: int  # cells in which both diverged, or neither


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
                sum(cell.diverged == cell.paper_diverged for cell in mine),
            )
        )  # fmt: skip
    return summaries
