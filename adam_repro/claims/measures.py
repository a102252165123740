"""Measure claims on the trials of a figure. Each function returns findings: an effect and its interval.

Costs are compared as log(A / B), the mean over epochs for each seed, then an interval over the seeds.
Two series with the same seed saw the same initialisation, minibatches and masks, so they are pairs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd

from adam_repro.claims.model import Claim, Finding, NotMeasuredError, Unit
from adam_repro.figures.spec import Panel
from adam_repro.plots import series
from adam_repro.plots.context import Context
from adam_repro.plots.series import Curve
from adam_repro.statistics import Interval, bonferroni_level, t_interval

#: Nats above the first seed's best within which another seed's best may lie. At the best stepsizes the
#: standard deviation over seeds is at most 0.5. Two settings are the exception (0.8 and 1.4); their other
#: stepsizes are 20 nats behind.
NEAR = 1.5

Sign = Callable[[Interval, float], int]  # of the interval of a logarithm, given the claim's margin


def cost_ratio_below(claim: Claim, context: Context, reading: str) -> list[Finding]:
    """Mean log cost ratio over epochs, for every comparison; supported when below log(1 + margin)."""
    return _cost_ratios(claim, context, reading, below)


def cost_ratio_within(claim: Claim, context: Context, reading: str) -> list[Finding]:
    """The same; supported when within +- log(1 + margin)."""
    return _cost_ratios(claim, context, reading, within)


def _cost_ratios(claim: Claim, context: Context, reading: str, sign: Sign) -> list[Finding]:
    level = bonferroni_level(len(claim.compared))
    findings = []
    for first, second in claim.compared:
        a, b = _curves(context, reading, first, second)
        result = t_interval(_log_ratio(a, b, claim.over), level)
        findings.append(Finding(f"{first} / {second}", result, sign(result, claim.margin)))
    return findings


def below(result: Interval, margin: float) -> int:
    """1 where the interval of a logarithm is below log(1 + ``margin``), -1 where it is above."""
    end = float(np.log1p(margin))
    return int(result.high < end) - int(result.low > end)


def within(result: Interval, margin: float) -> int:
    """1 where the interval of a logarithm is within +- log(1 + ``margin``), -1 where it is outside."""
    low, high, end = result.low, result.high, float(np.log1p(margin))
    inside, outside = -end < low and high < end, low > end or high < -end
    return int(inside) - int(outside)


def _curves(context: Context, reading: str, *labels: str) -> list[Curve]:
    """The curves of these series, cut to the seeds that all have."""
    panel = next(p for p in context.figure.panels if p.x == "epoch")
    lines = context.curves(reading, panel)
    curves = []
    for label in labels:
        curve = lines.curve(label)
        if curve is None:
            raise NotMeasuredError(f"no data of {label}")
        curves.append(curve)
    return common_seeds(curves, f"{' and '.join(labels)} have no seed in common")


def common_seeds(curves: list[Curve], none: str) -> list[Curve]:
    """The curves cut to their common seeds.

    Raises:
        NotMeasuredError: a seed diverged, or there is no common seed (message ``none``).
    """
    for curve in curves:
        if curve.diverged:
            raise NotMeasuredError(f"{curve.label}: {curve.diverged} of {curve.n} seeds diverged")
    seeds = sorted(set.intersection(*(set(curve.seeds) for curve in curves)))
    if not seeds:
        raise NotMeasuredError(none)
    rows = [[curve.seeds.index(seed) for seed in seeds] for curve in curves]
    return [
        replace(curve, costs=curve.costs[i], seconds=curve.seconds[i], seeds=tuple(seeds))
        for curve, i in zip(curves, rows, strict=True)
    ]


def _log_ratio(
    a: Curve, b: Curve, over: tuple[float | None, float | None] = (None, None)
) -> np.ndarray:
    """Mean of log(A / B) over the common epochs, for each seed [n]."""
    x = np.intersect1d(a.x[a.finite], b.x[b.finite])
    first, last = over[0] or 0.0, over[1] if over[1] is not None else np.inf
    x = x[(x >= first) & (x <= last)]
    if not len(x):
        raise NotMeasuredError(f"{a.label} and {b.label} have none of the epochs {first:g} on")
    costs = [c.costs[:, np.searchsorted(c.x, x)] for c in (a, b)]
    if any((cost <= 0).any() for cost in costs):
        raise NotMeasuredError("a cost is not positive")
    return np.asarray(np.log(costs[0] / costs[1]).mean(axis=1))


def cost_ratio_at_equal_times(claim: Claim, context: Context, reading: str) -> list[Finding]:
    """Mean log cost ratio at equal seconds, over the times that both series have."""
    findings = []
    for first, second in claim.compared:
        a, b = _curves(context, reading, first, second)
        if not (np.isfinite(a.seconds).all() and np.isfinite(b.seconds).all()):
            raise NotMeasuredError("no wall times")
        result = t_interval(np.array([_log_ratio_at_equal_times(a, b, i) for i in range(a.n)]))
        sign = below(result, claim.margin)
        findings.append(Finding(f"{first} / {second} at equal times", result, sign))
    return findings


def _log_ratio_at_equal_times(a: Curve, b: Curve, seed: int) -> float:
    start = max(a.seconds[seed][0], b.seconds[seed][0])
    stop = min(a.seconds[seed][-1], b.seconds[seed][-1])
    if stop <= start:
        raise NotMeasuredError("no seconds that both series have")
    times = np.linspace(start, stop, 50)
    logs = [np.interp(times, c.seconds[seed], np.log(c.costs[seed])) for c in (a, b)]
    return float((logs[0] - logs[1]).mean())


def epoch_time_ratio(claim: Claim, context: Context, reading: str) -> list[Finding]:
    """Ratio of seconds an epoch, against the bounds of the claim."""
    findings = []
    low, high = np.log(claim.bounds)
    for first, second in claim.compared:
        a, b = _curves(context, reading, first, second)
        each = [c.seconds[:, -1] / len(c.x) for c in (a, b)]
        if not all(np.isfinite(e).all() and (e > 0).all() for e in each):
            raise NotMeasuredError("no wall times")
        result = t_interval(np.log(each[0] / each[1]))
        inside = low <= result.low and result.high <= high
        outside = result.high < low or result.low > high
        sign = int(inside) - int(outside)
        findings.append(Finding(f"seconds of {first} / {second}", result, sign))
    return findings


def bias_correction_gain(claim: Claim, context: Context, reading: str) -> list[Finding]:
    """Figure 4: best loss without bias correction minus best loss with it, in nats, for every panel.

    As printed, each seed has its own best. A seed counts if it has all stepsizes within `NEAR` of the
    first seed's best. In the dense grid the stepsize was chosen with the first seed, after the last mark,
    so only the panels of that mark can be judged.
    """
    panels = [
        panel
        for panel in context.figure.panels
        if (claim.panels == "all" or panel.name in claim.panels)
        and (reading == "as_printed" or panel.mark == _last_mark(context))
    ]
    if not panels:
        raise NotMeasuredError("stepsizes are chosen by the last epoch")
    findings = []
    for panel in panels:
        best = [_best_by_seed(context, panel, reading, s.label) for s in context.figure.series]
        values = _paired_difference(best, f"no data ({panel.title})")
        result = t_interval(values, bonferroni_level(len(panels)))
        sign = int(result.low >= -claim.margin) - int(result.high < -claim.margin)
        findings.append(Finding(f"{panel.title}: without - with", result, sign, Unit.DIFFERENCE))
    return findings


def _paired_difference(pair: list[pd.Series], none: str) -> np.ndarray:
    """Second minus first, for the seeds that both have; ``none``: the message when there is no such seed."""
    both = pd.concat(pair, axis=1, join="inner")
    if both.empty:
        raise NotMeasuredError(none)
    return (both.iloc[:, 1] - both.iloc[:, 0]).to_numpy()


def _last_mark(context: Context) -> int:
    return max(panel.mark for panel in context.figure.panels)


def _best_by_seed(context: Context, panel: Panel, reading: str, label: str) -> pd.Series:
    """The lowest loss of each seed that was trained at every stepsize that may be its best."""
    rows = context.rows[context.rows["panel"] == panel.name]
    mine = rows[(rows["reading"] == reading) & (rows["series"] == label)]
    if reading == "dense_grid":
        mine = mine[mine["selected"].astype(bool)]
    costs = series.with_capped_cost(mine, panel.quantity).pivot_table("cost", "seed", "lr", "min")
    first = costs.iloc[:1].min()
    contenders = first.index[~(first > first.min() + NEAR)]
    return costs.dropna(subset=contenders).min(axis=1)


def best_setting(claim: Claim, context: Context, reading: str) -> list[Finding]:
    """Figure 4, last mark: best loss of all other settings minus best with correction and large beta2."""
    with_correction = context.figure.series[0].label
    claimed: list[pd.Series] = []
    others: list[pd.Series] = []
    for panel in (p for p in context.figure.panels if p.mark == _last_mark(context)):
        for one in context.figure.series:
            large = panel.where["optimizer.beta2"] >= claim.beta2
            group = claimed if large and one.label == with_correction else others
            group.append(_best_by_seed(context, panel, reading, one.label))
    best = [pd.concat(group, axis=1, join="inner").min(axis=1) for group in (claimed, others)]
    result = t_interval(_paired_difference(best, "no data after the last mark"))
    sign = int(result.low > 0) - int(result.high < 0)
    return [Finding("best of the others - best so", result, sign, Unit.DIFFERENCE)]


def best_stepsize(claim: Claim, context: Context, reading: str) -> list[Finding]:
    """Best stepsize of the dense grid over that of the paper's curve, and the ratio of the last costs."""
    panel = context.longest_panel
    if panel is None:
        raise NotMeasuredError("no panel by epoch")
    printed = context.curves("as_printed", panel).curve(claim.series)
    best = context.curves("dense_grid", panel).curve(claim.series)
    if printed is None or best is None or not np.isfinite(printed.lr * best.lr):
        raise NotMeasuredError(f"{claim.series} is not there in both readings")
    curves = common_seeds([printed, best], f"{claim.series} has no seed in both readings")
    end = float(min(c.x[c.finite][-1] for c in (printed, best)))
    result = t_interval(_log_ratio(curves[0], curves[1], (end, end)))
    factor = best.lr / printed.lr
    near = claim.bounds[0] <= factor <= claim.bounds[1]
    what = (
        f"best stepsize {best.lr:g}, that of the paper's curve {printed.lr:g} (× {factor:.3g}); "
        f"last cost, the paper's stepsize / the best"
    )
    return [Finding(what, result, 1 if near else -int(result.low > 0))]
