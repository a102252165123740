"""The measurements that decide claims. Each gives findings: an effect, its interval, what it says.

Costs are compared as log(A / B), the mean over epochs for each seed, then an interval over the seeds:
two series with one seed saw the same initialisation, minibatches and masks, so they are pairs.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from adam_repro.figures import paper_curves
from adam_repro.figures.spec import Panel
from adam_repro.plots import series
from adam_repro.plots.context import Context
from adam_repro.plots.series import Curve
from adam_repro.statistics import Interval, corrected, interval

if TYPE_CHECKING:
    from adam_repro.claims.judge import Claim


LOGGED = 1e-5  # the last decimal of figure 2b's costs
#: Nats above the first seed's best within which another seed's may lie. The standard deviation over seeds is
#: at most 0.5 at the best stepsizes, but for two settings (0.8 and 1.4) whose others are 20 nats behind.
NEAR = 1.5


class NotMeasuredError(Exception):
    """A claim cannot be decided; the message says what is missing."""


@dataclass(frozen=True)
class Finding:
    """One comparison. ``sign``: 1 supports the claim, -1 contradicts it, 0 leaves it open."""

    what: str
    interval: Interval
    sign: int
    ratio: bool = True  # the interval is of a logarithm
    over: str = "seed"  # what the values are, whose mean has the interval

    def __str__(self) -> str:
        return f"{self.what} {self.interval.shown(self.ratio)}"


def ratios(claim: Claim, context: Context, reading: str) -> list[Finding]:
    """Mean log cost ratio over epochs, for every comparison of ``lower``, ``similar``, ``no_higher``."""
    level = corrected(len(claim.compared))
    found = []
    for ours, theirs in claim.compared:
        a, b = _pair(context, reading, ours, theirs)
        values = _log_ratio(a, b, claim.over)
        result = interval(values, level)
        found.append(Finding(f"{ours} / {theirs}", result, _sign(claim, result)))
    return found


def _sign(claim: Claim, found: Interval) -> int:
    if claim.measure == "similar":
        return similar(found, claim.margin)
    margin = float(np.log1p(claim.margin))
    return int(found.high < margin) - int(found.low > margin)


def similar(found: Interval, margin: float) -> int:
    """1 where the interval of a logarithm lies within +- log(1 + ``margin``), -1 where outside."""
    low, high, end = found.low, found.high, float(np.log1p(margin))
    inside, outside = -end < low and high < end, low > end or high < -end
    return int(inside) - int(outside)


def _pair(context: Context, reading: str, *labels: str) -> list[Curve]:
    """The curves of these series cut to the seeds all have; none may have diverged."""
    panel = next(p for p in context.figure.panels if p.x == "epoch")
    lines = context.lines(reading, panel)
    curves = []
    for label in labels:
        curve = lines.one(label)
        if curve is None:
            raise NotMeasuredError(f"no data of {label}")
        _refuse_divergence(curve)
        curves.append(curve)
    seeds = sorted(set.intersection(*(set(curve.seeds) for curve in curves)))
    if not seeds:
        raise NotMeasuredError(f"{' and '.join(labels)} have no seed in common")
    return [_cut(curve, seeds) for curve in curves]


def _refuse_divergence(curve: Curve) -> None:
    if curve.diverged:
        raise NotMeasuredError(f"{curve.label}: {curve.diverged} of {curve.n} seeds diverged")


def _cut(curve: Curve, seeds: list[int]) -> Curve:
    rows = [curve.seeds.index(seed) for seed in seeds]
    return replace(curve, costs=curve.costs[rows], seconds=curve.seconds[rows], seeds=tuple(seeds))


def _log_ratio(
    a: Curve, b: Curve, over: tuple[float | None, float | None] = (None, None)
) -> np.ndarray:
    """Mean over the common epochs of log(A / B), for each seed [n]."""
    x = np.intersect1d(a.x[a.whole], b.x[b.whole])
    first, last = over[0] or 0.0, over[1] if over[1] is not None else np.inf
    x = x[(x >= first) & (x <= last)]
    if not len(x):
        raise NotMeasuredError(f"{a.label} and {b.label} have none of the epochs {first:g} on")
    costs = [c.costs[:, np.searchsorted(c.x, x)] for c in (a, b)]
    if any((cost <= 0).any() for cost in costs):
        raise NotMeasuredError("a cost is not positive")
    return np.asarray(np.log(costs[0] / costs[1]).mean(axis=1))


def wall_time(claim: Claim, context: Context, reading: str) -> list[Finding]:
    """Mean log cost ratio at equal seconds, over the times both series have."""
    found = []
    for ours, theirs in claim.compared:
        a, b = _pair(context, reading, ours, theirs)
        if not (np.isfinite(a.seconds).all() and np.isfinite(b.seconds).all()):
            raise NotMeasuredError("no wall times")
        values = [_at_equal_times(a, b, i) for i in range(a.n)]
        result = interval(np.array(values))
        found.append(Finding(f"{ours} / {theirs} at equal times", result, _sign(claim, result)))
    return found


def _at_equal_times(a: Curve, b: Curve, seed: int) -> float:
    start = max(a.seconds[seed][0], b.seconds[seed][0])
    stop = min(a.seconds[seed][-1], b.seconds[seed][-1])
    if stop <= start:
        raise NotMeasuredError("no seconds that both series have")
    times = np.linspace(start, stop, 50)
    logs = [np.interp(times, c.seconds[seed], np.log(c.costs[seed])) for c in (a, b)]
    return float((logs[0] - logs[1]).mean())


def slower(claim: Claim, context: Context, reading: str) -> list[Finding]:
    """Ratio of seconds an epoch, against the bounds of the claim."""
    found = []
    low, high = np.log(claim.bounds)
    for ours, theirs in claim.compared:
        a, b = _pair(context, reading, ours, theirs)
        each = [c.seconds[:, -1] / len(c.x) for c in (a, b)]
        if not all(np.isfinite(e).all() and (e > 0).all() for e in each):
            raise NotMeasuredError("no wall times")
        result = interval(np.log(each[0] / each[1]))
        inside = low <= result.low and result.high <= high
        outside = result.high < low or result.low > high
        found.append(Finding(f"seconds of {ours} / {theirs}", result, int(inside) - int(outside)))
    return found


def best_cells(claim: Claim, context: Context, reading: str) -> list[Finding]:
    """Figure 4: best loss without correction minus best loss with, in nats, for every panel.

    As printed each seed has a best of its own: every seed counts that has all stepsizes within `NEAR` of
    the first seed's best. In the dense grid it is the stepsize that was chosen with the first seed, after
    the last mark: the panels of that mark alone can be judged.
    """
    panels = [
        panel
        for panel in context.figure.panels
        if (claim.panels == "all" or panel.name in claim.panels)
        and (reading == "as_printed" or panel.mark == _last(context))
    ]
    if not panels:
        raise NotMeasuredError("stepsizes are chosen by the last epoch")
    found = []
    for panel in panels:
        best = [_best_by_seed(context, panel, reading, s.label) for s in context.figure.series]
        both = pd.concat(best, axis=1, join="inner")
        if both.empty:
            raise NotMeasuredError(f"no data ({panel.title})")
        result = interval((both.iloc[:, 1] - both.iloc[:, 0]).to_numpy(), corrected(len(panels)))
        sign = int(result.low >= -claim.margin) - int(result.high < -claim.margin)
        what = f"{panel.title}: without - with"
        found.append(Finding(what, result, sign, ratio=False))
    return found


def _last(context: Context) -> int:
    return max(panel.mark for panel in context.figure.panels)


def _best_by_seed(context: Context, panel: Panel, reading: str, label: str) -> pd.Series:
    rows = context.rows[context.rows["panel"] == panel.name]
    mine = rows[(rows["reading"] == reading) & (rows["series"] == label)]
    if reading == "dense_grid":
        mine = mine[mine["selected"].astype(bool)]
    costs = series.capped(mine, panel.quantity).pivot_table("cost", "seed", "lr", "min")
    first = costs.iloc[:1].min()
    # A seed without one of the stepsizes that may well be its best says nothing of it.
    contenders = first.index[~(first > first.min() + NEAR)]
    return costs.dropna(subset=contenders).min(axis=1)


def winner(claim: Claim, context: Context, reading: str) -> list[Finding]:
    """Figure 4, last mark: best loss of all other settings minus the best with correction and large beta2."""
    corrected_label = context.figure.series[0].label
    inside: list[pd.Series] = []
    outside: list[pd.Series] = []
    for panel in (p for p in context.figure.panels if p.mark == _last(context)):
        for one in context.figure.series:
            best = _best_by_seed(context, panel, reading, one.label)
            large = panel.where["optimizer.beta2"] >= claim.beta2
            kind = inside if large and one.label == corrected_label else outside
            kind.append(best)
    best_of = [pd.concat(k, axis=1, join="inner").min(axis=1) for k in (inside, outside)]
    both = pd.concat(best_of, axis=1, join="inner")
    if both.empty:
        raise NotMeasuredError("no data after the last mark")
    result = interval((both.iloc[:, 1] - both.iloc[:, 0]).to_numpy())
    sign = int(result.low > 0) - int(result.high < 0)
    return [Finding("best of the others - best so", result, sign, ratio=False)]


def grid(claim: Claim, context: Context, reading: str) -> list[Finding]:
    """The stepsize of the paper's curve beside the best of the dense grid, and what it costs in the end."""
    panel = context.longest
    if panel is None:
        raise NotMeasuredError("no panel by epoch")
    printed = context.lines("as_printed", panel).one(claim.series)
    best = context.lines("dense_grid", panel).one(claim.series)
    if printed is None or best is None or not np.isfinite(printed.lr * best.lr):
        raise NotMeasuredError(f"{claim.series} is not there in both readings")
    for curve in (printed, best):
        _refuse_divergence(curve)
    seeds = sorted(set(printed.seeds) & set(best.seeds))
    if not seeds:
        raise NotMeasuredError(f"{claim.series} has no seed in both readings")
    ends = [float(min(c.x[c.whole][-1] for c in (printed, best)))] * 2
    values = _log_ratio(_cut(printed, seeds), _cut(best, seeds), (ends[0], ends[1]))
    result = interval(values)
    factor = best.lr / printed.lr
    within = claim.bounds[0] <= factor <= claim.bounds[1]
    sign = 1 if within else -int(result.low > 0)
    return [
        Finding(
            f"best stepsize {best.lr:g}, that of the paper's curve {printed.lr:g} (× {factor:.3g}); "
            f"last cost, the paper's stepsize / the best",
            result,
            sign,
        )
    ]


def paper_cells(claim: Claim, context: Context | None, reading: str) -> list[Finding]:
    """In how many panels of the paper's figure 4 the best without correction is lower."""
    lower = []
    panels = paper_curves.points("fig4_all")["panel"].unique()
    for panel in panels:
        best = [
            paper_curves.loss_by_lr(panel, name)[1].min()
            for name in ("bias_correction", "no_bias_correction")
        ]
        if best[1] < best[0]:
            lower.append(best[1] - best[0])
    gap = min(lower, default=0.0)
    what = f"{len(lower)} of {len(panels)} panels are lower without correction, the most by {-gap:.2f} nats"
    return [Finding(what, Interval(gap, gap, gap, float("nan"), 1), -1 if lower else 1, False)]


def paper_stretched(claim: Claim, context: Context | None, reading: str) -> list[Finding]:
    """Units of wall time an epoch in the paper's figure 2b: a constant is no measured time."""
    found = []
    for name in ("SFO", "Adam"):
        top, _ = paper_curves.curve(paper_curves.Reference("fig2_b_top", name))
        bottom, _ = paper_curves.curve(paper_curves.Reference("fig2_b_bottom", name))
        n = min(len(top), len(bottom))
        each = bottom[1:n] / top[1:n]
        exact = float(np.ptp(each)) < 1e-3
        units = Interval(float(each.mean()), float(each.min()), float(each.max()), float("nan"), 1)
        what = f"{name}: units of wall time an epoch"
        found.append(Finding(what, units, -1 if exact else 1, False))
    return found


def paper_divided(claim: Claim, context: Context | None, reading: str) -> list[Finding]:
    """How many points of the paper's figure 2b are costs with five decimals, as all of them were logged.

    See `paper.drawn_divided`. The drawing is good to 1e-5 of a cost, so that is allowed for.
    """
    found = []
    for name in ("SFO", "Adam", paper_curves.UNDIVIDED):
        _, cost = paper_curves.curve(paper_curves.Reference("fig2_b_top", name))
        units = cost / LOGGED
        whole = int((np.abs(units - np.round(units)) <= 1e-5 * units).sum())
        share = whole / len(units)
        what = f"{name}: {whole} of {len(units)} points are multiples of 1e-5"
        found.append((what, Interval(share, share, share, float("nan"), 1)))
    as_drawn = 1 if found[1][1].mean == 1.0 else -1
    return [Finding(what, share, as_drawn, False) for what, share in found]
