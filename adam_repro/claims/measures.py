"""Measures on the trials of a figure. Each function gives findings: values by seed, and what the claim says.

Costs are compared as log(A / B), the mean over epochs for each seed. Two series with the same seed saw the
same initialisation, minibatches and masks, so they are pairs. Of tuned trials the seed that chose the
settings is left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pandas as pd

from adam_repro.claims.model import Evidence, Finding, NotMeasuredError, Unit, Window
from adam_repro.figures.spec import Panel
from adam_repro.plots import series
from adam_repro.plots.context import Context
from adam_repro.plots.series import Curve
from adam_repro.wording import counted

#: Nats above the first seed's best within which another seed's best may lie. At the best stepsizes the
#: standard deviation over seeds is at most 0.5. Two settings are the exception (0.8 and 1.4); their other
#: stepsizes are 20 nats behind.
NEAR = 1.5
TUNING_SEED = 0  # its trials are the grid from which a tuned setting is chosen


def lower(evidence: Evidence, context: Context, reading: str) -> list[Finding]:
    """The cost ratio of every pair is below 1 + margin."""
    return _cost_ratios(evidence, context, reading, -np.inf, float(np.log1p(evidence.margin)))


def similar(evidence: Evidence, context: Context, reading: str) -> list[Finding]:
    """The cost ratio of every pair is between 1 / (1 + margin) and 1 + margin."""
    end = float(np.log1p(evidence.margin))
    return _cost_ratios(evidence, context, reading, -end, end)


def _cost_ratios(
    evidence: Evidence, context: Context, reading: str, low: float, high: float
) -> list[Finding]:
    found = []
    for window in evidence.windows:
        for first, second in evidence.compared:
            a, b = curves_of(evidence, context, reading, first, second)
            values = log_ratio(a, b, window)
            where = _panel_in_words(evidence, context) + within(window)
            found.append(Finding(f"{first} / {second}{where}", values, low, high))
    return found


def _panel_in_words(evidence: Evidence, context: Context) -> str:
    """The title of the panel, where panels train one task at different settings; else nothing."""
    titles = [p.title for p in context.figure.panels if p.overrides and p.name == evidence.panel]
    return f" ({titles[0]})" if titles else ""


def within(window: Window) -> str:
    """The epochs of a window in words; nothing for all of them."""
    first, last = window
    if first is None and last is None:
        return ""
    if last is None:
        return f" from x = {first:g} on"
    return f" at x = {first or 0:g} to {last:g}" if first != last else f" at x = {last:g}"


def curves_of(evidence: Evidence, context: Context, reading: str, *labels: str) -> list[Curve]:
    """The curves of these series, cut to the seeds that all have and that are tested."""
    lines = context.curves(reading, panel_of(evidence, context))
    curves = []
    for label in labels:
        curve = lines.curve(label)
        if curve is None:
            raise NotMeasuredError(f"no data of {label}")
        curves.append(curve)
    left_out = {TUNING_SEED} if reading == "dense_grid" else set()
    return common_seeds(curves, f"{' and '.join(labels)} have no seed in common", left_out)


def panel_of(evidence: Evidence, context: Context) -> Panel:
    """The panel by epochs that the evidence names, or the first one, with the quantity it asks for."""
    panels = [p for p in context.figure.panels if p.x == "epoch"]
    panel = next(p for p in panels if evidence.panel in ("", p.name))
    return replace(panel, quantity=evidence.quantity) if evidence.quantity else panel


def common_seeds(
    curves: list[Curve], none: str, left_out: set[int] | frozenset[int] = frozenset()
) -> list[Curve]:
    """The curves cut to their common seeds, without those ``left_out``.

    Raises:
        NotMeasuredError: a seed diverged, or there is no common seed (message ``none``).
    """
    for curve in curves:
        if curve.diverged:
            raise NotMeasuredError(
                f"{curve.label}: {curve.diverged} of {counted(curve.n, 'seed')} diverged"
            )
    seeds = sorted(set.intersection(*(set(curve.seeds) for curve in curves)) - left_out)
    if not seeds:
        raise NotMeasuredError(none if not left_out else f"{none} beside the one that tuned them")
    rows = [[curve.seeds.index(seed) for seed in seeds] for curve in curves]
    return [
        replace(curve, costs=curve.costs[i], seconds=curve.seconds[i], seeds=tuple(seeds))
        for curve, i in zip(curves, rows, strict=True)
    ]


def log_ratio(a: Curve, b: Curve, window: Window = (None, None)) -> np.ndarray:
    """Mean of log(A / B) over the common epochs of a window, for each seed [n]."""
    x = np.intersect1d(a.x[a.finite], b.x[b.finite])
    first, last = window[0] or 0.0, window[1] if window[1] is not None else np.inf
    x = x[(x >= first) & (x <= last)]
    if not len(x):
        raise NotMeasuredError(f"{a.label} and {b.label} have none of the epochs {first:g} on")
    costs = [c.costs[:, np.searchsorted(c.x, x)] for c in (a, b)]
    if any((cost <= 0).any() for cost in costs):
        raise NotMeasuredError("a cost is not positive")
    return np.asarray(np.log(costs[0] / costs[1]).mean(axis=1))


def lower_at_equal_times(evidence: Evidence, context: Context, reading: str) -> list[Finding]:
    """The cost ratio at equal seconds is below 1, over the times that both series have."""
    found = []
    for first, second in evidence.compared:
        a, b = curves_of(evidence, context, reading, first, second)
        if not (np.isfinite(a.seconds).all() and np.isfinite(b.seconds).all()):
            raise NotMeasuredError("no wall times")
        values = np.array([_log_ratio_at_equal_times(a, b, i) for i in range(a.n)])
        found.append(Finding(f"{first} / {second} at equal times", values, high=0.0))
    return found


def _log_ratio_at_equal_times(a: Curve, b: Curve, seed: int) -> float:
    start = max(a.seconds[seed][0], b.seconds[seed][0])
    stop = min(a.seconds[seed][-1], b.seconds[seed][-1])
    if stop <= start:
        raise NotMeasuredError("no seconds that both series have")
    times = np.linspace(start, stop, 50)
    logs = [np.interp(times, c.seconds[seed], np.log(c.costs[seed])) for c in (a, b)]
    return float((logs[0] - logs[1]).mean())


def converges_less_often(evidence: Evidence, context: Context, reading: str) -> list[Finding]:
    """In how many seeds a series ends within twice the median last cost of each other one.

    Costs of a method that converges in some seeds only have two modes: a mean of them says nothing,
    and no t interval is given. The claim says: in none.
    """
    found = []
    for first, second in evidence.compared:
        a, b = curves_of(evidence, context, reading, first, second)
        reached = a.costs[:, -1] <= 2 * np.median(b.costs[:, -1])
        count, sign = int(reached.sum()), 1 if not reached.any() else -1 if reached.all() else 0
        what = (
            f"{first} ends within twice the cost of {second} in {count} of {counted(a.n, 'seed')}"
        )
        found.append(Finding(what, a.costs[:, -1], unit=Unit.IN_WORDS, sign=sign))
    return found


def cell_gains(evidence: Evidence, context: Context, reading: str) -> list[Finding]:
    """Figure 4, cell by cell: loss without bias correction minus loss with it is above -margin nats.

    A cell is a stepsize of a panel. A diverged trial, or a higher loss, counts as
    `series.DIVERGED_COST`; cells in which all trials did so say nothing and are left out.
    """
    found = []
    for panel in panels_of(evidence, context):
        costs = [_by_seed_and_lr(context, panel, reading, s.label) for s in context.figure.series]
        for lr in sorted(set(costs[0]) & set(costs[1])):
            pair = pd.concat([table[lr] for table in costs], axis=1, join="inner").dropna()
            if pair.empty or bool((pair >= series.DIVERGED_COST).all().all()):
                continue
            values = (pair.iloc[:, 1] - pair.iloc[:, 0]).to_numpy()
            what = f"{panel.title}, stepsize {lr:g}: without - with"
            found.append(Finding(what, values, -evidence.margin, np.inf, Unit.DIFFERENCE))
    if not found:
        raise NotMeasuredError("no stepsize has trials with and without correction")
    return found


def best_gains(evidence: Evidence, context: Context, reading: str) -> list[Finding]:
    """Figure 4: best loss without bias correction minus best loss with it, in nats, for every panel.

    Each seed has its own best. A seed counts if it has all stepsizes within `NEAR` of the first
    seed's best.
    """
    found = []
    for panel in panels_of(evidence, context):
        best = [best_by_seed(context, panel, reading, s.label) for s in context.figure.series]
        values = paired_difference(best, f"no data ({panel.title})").to_numpy()
        what = f"{panel.title}: best without - best with"
        found.append(Finding(what, values, -evidence.margin, np.inf, Unit.DIFFERENCE))
    return found


def panels_of(evidence: Evidence, context: Context) -> Iterator[Panel]:
    for panel in context.figure.panels:
        if evidence.panels == "all" or panel.name in evidence.panels:
            yield panel


def best_setting(evidence: Evidence, context: Context, reading: str) -> list[Finding]:
    """Figure 4, last mark: best loss of other settings minus best with correction and large beta2."""
    last = max(panel.mark for panel in context.figure.panels)
    return [
        Finding(f"best {group} - best so", values.to_numpy(), 0.0, np.inf, Unit.DIFFERENCE)
        for group, values in leads(evidence, context, reading, last).items()
    ]


def leads(evidence: Evidence, context: Context, reading: str, mark: int) -> dict[str, pd.Series]:
    """After a mark: best of a group of other settings minus best with correction and beta2 >= ``beta2``.

    The groups are those without correction at these beta2, and those of smaller beta2. Each has as
    many settings as are claimed to be best, since a best of more is lower by chance. Each seed counts
    at its best.
    """
    claimed: list[pd.Series] = []
    groups: dict[str, list[pd.Series]] = {}
    for panel in (p for p in context.figure.panels if p.mark == mark):
        for one in context.figure.series:
            losses = best_by_seed(context, panel, reading, one.label)
            if panel.where["optimizer.beta2"] < evidence.beta2:
                groups.setdefault("of smaller beta2", []).append(losses)
            elif one.label == context.figure.series[0].label:
                claimed.append(losses)
            else:
                groups.setdefault("without correction", []).append(losses)
    best = {name: pd.concat(of, axis=1, join="inner").min(axis=1) for name, of in groups.items()}
    so = pd.concat(claimed, axis=1, join="inner").min(axis=1)
    none = f"no data after mark {mark + 1}"
    return {name: paired_difference([so, losses], none) for name, losses in best.items()}


def paired_difference(pair: list[pd.Series], none: str) -> pd.Series:
    """Second minus first, for the seeds that both have; ``none``: the message when there is no such seed."""
    both = pd.concat(pair, axis=1, join="inner")
    if both.empty:
        raise NotMeasuredError(none)
    return both.iloc[:, 1] - both.iloc[:, 0]


def _by_seed_and_lr(context: Context, panel: Panel, reading: str, label: str) -> pd.DataFrame:
    """The capped loss of a panel's trials, by seed and stepsize."""
    rows = context.rows[context.rows["panel"] == panel.name]
    mine = rows[(rows["reading"] == reading) & (rows["series"] == label)]
    costs = series.with_capped_cost(mine, panel.quantity).groupby(["seed", "lr"])["cost"]
    return costs.min().unstack("lr")


def best_by_seed(context: Context, panel: Panel, reading: str, label: str) -> pd.Series:
    """The lowest loss of each seed that was trained at every stepsize that may be its best."""
    costs = _by_seed_and_lr(context, panel, reading, label)
    first = costs.iloc[:1].min()
    contenders = first.index[~(first > first.min() + NEAR)]
    return costs.dropna(subset=contenders).min(axis=1)


def best_stepsize(evidence: Evidence, context: Context, reading: str) -> list[Finding]:
    """The stepsize of the paper's curve ends at a cost of at most 1 + margin times the best's."""
    panel = context.longest_panel
    if panel is None:
        raise NotMeasuredError("no panel by epoch")
    fitted = context.curves("as_printed", panel).curve(evidence.series)
    best = context.curves("dense_grid", panel).curve(evidence.series)
    if fitted is None or best is None or not np.isfinite(fitted.lr * best.lr):
        raise NotMeasuredError(f"{evidence.series} is not there in both readings")
    none = f"{evidence.series} has no seed in both readings"
    curves = common_seeds([fitted, best], none, {TUNING_SEED})
    end = float(min(c.x[c.finite][-1] for c in (fitted, best)))
    what = (
        f"{evidence.series}: best stepsize {best.lr:g}, that of the paper's curve {fitted.lr:g} "
        f"(× {best.lr / fitted.lr:.3g}); last cost, the paper's stepsize / the best"
    )
    values = log_ratio(curves[0], curves[1], (end, end))
    return [Finding(what, values, high=float(np.log1p(evidence.margin)))]
