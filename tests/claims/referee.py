"""A second working-out of every verdict, from the committed rows and claims.yaml, for the tests.

Nothing here uses the code that judges, draws or tests the claims. A rule stands here as the head of
claims.yaml and the note above the tables say it. What the tables print is compared digit by digit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from scipy import stats

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "results" / "paper"
CURVES = ROOT / "adam_repro" / "figures" / "curves"
CLAIMS = yaml.safe_load((ROOT / "adam_repro/claims/claims.yaml").read_text(encoding="utf-8"))
#: The column `reading` of the rows, by what claims.yaml says.
IN_ROWS = {"fitted": "as_printed", "tuned": "dense_grid"}
HEADINGS = {
    "paper": "The claims of the paper",
    "also": "Also measured",
    "beyond": "Further findings, on experiments that the paper does not have",
}
FURTHER_SEEDS = 4  # besides the one that tuned; five where none did
NEAR = 1.5  # nats: "when it has every stepsize within 1.5 nats of the first seed's best"
DIVERGED = 400.0  # nats: figure 4 draws a diverged run there
INFINITY = float("inf")
EVALUATED = "eval_train_cost"
#: What no test decides, because nothing in it is random.
EXACT = {
    "never_converges",
    "closed_form",
    "more_usable",
    "rescaling",
    "state",
    "paper_cells",
    "paper_stretched",
    "paper_divided",
}


class MissingError(Exception):
    """A claim's rows are not there."""


@dataclass(frozen=True)
class Comparison:
    """The claim says that the mean of ``values`` is between ``low`` and ``high``.

    ``all_of``: what has to hold together, a window of a figure. ``sizes``: it is a slope, not a mean.
    ``one_more``: the values are the logarithm of one trial's cost over those of the others.
    """

    values: np.ndarray
    low: float
    high: float
    is_ratio: bool = True
    all_of: Any = None
    sizes: np.ndarray | None = None
    sample: str = "seed"
    one_more: bool = False

    @property
    def estimate(self) -> tuple[float, float, int]:
        """Mean or slope, its standard error, its degrees of freedom."""
        if self.sizes is not None:
            fit = stats.linregress(np.log(self.sizes), np.log(self.values))
            return float(fit.slope), float(fit.stderr), len(self.sizes) - 2
        n, deviation = len(self.values), float(np.std(self.values, ddof=1))
        error = deviation * np.sqrt(1 + 1 / n) if self.one_more else deviation / np.sqrt(n)
        return float(self.values.mean()), float(error), n - 1

    @property
    def interval(self) -> tuple[float, float]:
        mean, error, freedom = self.estimate
        half = stats.t.ppf(0.975, freedom) * error
        return mean - half, mean + half

    def p_beyond(self, bound: float, side: int) -> float:
        """One-sided p that the mean is above (1) or below (-1) the bound."""
        mean, error, freedom = self.estimate
        if np.isinf(bound) or error == 0:
            return 0.0 if side * (mean - bound) > 0 else 1.0
        return float(stats.t.sf(side * (mean - bound) / error, freedom))

    @property
    def p_inside(self) -> float:
        return max(self.p_beyond(self.low, 1), self.p_beyond(self.high, -1))

    @property
    def p_outside(self) -> float:
        ends = np.isfinite([self.low, self.high]).sum()
        return min(1.0, ends * min(self.p_beyond(self.low, -1), self.p_beyond(self.high, 1)))

    @property
    def shows(self) -> int:
        start, end = self.interval
        if self.low < start and end < self.high:
            return 1
        return -1 if end < self.low or start > self.high else 0

    @property
    def slack(self) -> float:
        """How far inside the mean is: the least of a list of comparisons is the one the table prints."""
        mean = self.estimate[0]
        return min(mean - self.low, self.high - mean)

    def __str__(self) -> str:
        three = np.array([self.estimate[0], *self.interval])
        if self.is_ratio:
            return "× {:.4g} [{:.4g}, {:.4g}]".format(*np.exp(three))
        return "{:+.3g} [{:+.3g}, {:+.3g}]".format(*three)


# The committed rows


@cache
def rows_of(figure: str) -> pd.DataFrame:
    path = RESULTS / f"{figure}.csv"
    if not path.is_file():
        raise MissingError(f"{figure} has no results")
    rows = pd.read_csv(path, low_memory=False)
    for column in ("panel", "grid"):
        rows[column] = rows[column].astype(object).where(rows[column].notna(), "")
    assert set(rows["scale"]) <= {"paper", "short", "smoke"}
    return rows


@cache
def spec_of(figure: str) -> dict[str, Any]:
    spec = yaml.safe_load((ROOT / f"configs/figure/{figure}.yaml").read_text(encoding="utf-8"))
    if "extends" not in spec:
        return spec
    spec = spec_of(spec["extends"]) | spec  # its panels are names of the other's
    panels = {panel["name"]: panel for panel in spec_of(spec["extends"])["panels"]}
    return spec | {"panels": [panels[p] if isinstance(p, str) else p for p in spec["panels"]]}


def panel_of(figure: str, name: str) -> dict[str, Any]:
    """The panel by epochs of this name, or the first one."""
    panels = [p for p in spec_of(figure)["panels"] if p.get("x", "epoch") == "epoch"]
    return next(p for p in panels if name in ("", p["name"]))


def best_trial(figure: str, panel: str, series: str) -> tuple[float, str]:
    """The stepsize and other settings of the trial that ends lowest, of the first seed's grid."""
    rows = rows_of(figure)
    mine = rows[(rows["reading"] == "dense_grid") & (rows["series"] == series)]
    mine = mine[mine["panel"].isin((panel, ""))]
    if mine.empty:
        raise MissingError(f"{figure}: nothing tuned of {series}")
    mine = mine[mine["seed"] == mine["seed"].min()]
    last = mine[(mine["epoch"] == mine["epoch"].max()) & (mine["status"] == "finished")]
    drawn = {p.get("quantity") for p in spec_of(figure)["panels"] if panel in ("", p["name"])}
    best = last.loc[last[EVALUATED if drawn == {EVALUATED} else "train_cost"].idxmin()]
    return best["lr"], best["grid"]


def costs_of(
    figure: str, reading: str, series: str, panel: str = "", quantity: str = ""
) -> pd.DataFrame:
    """Costs, a row a seed and a column an epoch; of tuned trials without the seed that tuned them."""
    rows, place = rows_of(figure), panel_of(figure, panel)
    quantity = quantity or place.get("quantity", "train_cost")
    mine = rows[(rows["reading"] == reading) & (rows["series"] == series)]
    mine = mine[mine["panel"].isin((place["name"], ""))]
    if mine.empty:
        raise MissingError(f"{figure}: no {series} ({reading})")
    if reading == "dense_grid":
        lr, grid = best_trial(figure, place["name"], series)
        mine = mine[((mine["lr"] == lr) | pd.isna(lr)) & (mine["grid"] == grid)]
        mine = mine[mine["seed"] != 0]
    assert (mine["status"] == "finished").all()
    table = mine.pivot(index="seed", columns="epoch", values=quantity)
    if quantity == EVALUATED:  # after a pass; a mean over it is drawn at its beginning
        table.columns += 1
    assert np.isfinite(table.to_numpy(float)).all()
    return table


def pairs_of(piece: dict[str, Any]) -> list[tuple[str, str]]:
    if "pairs" in piece:
        return [tuple(pair) for pair in piece["pairs"]]
    return [(piece["series"], other) for other in piece["versus"]]


def windows_of(piece: dict[str, Any]) -> list[tuple[float, float]]:
    windows = piece.get("windows", [[None, None]])
    return [(0 if a is None else a, INFINITY if b is None else b) for a, b in windows]


def in_window(table: pd.DataFrame, window: tuple[float, float]) -> pd.DataFrame:
    return table.loc[:, [window[0] <= epoch <= window[1] for epoch in table.columns]]


# The measures


def measure_ratios(piece: dict[str, Any], reading: str) -> Iterator[Comparison]:
    figure, high = piece["figure"], float(np.log(1 + piece.get("margin", 0.0)))
    low = -high if piece["measure"] == "similar" else -INFINITY
    place = (piece.get("panel", ""), piece.get("quantity", ""))
    for window in windows_of(piece):
        for names in pairs_of(piece):
            a, b = (in_window(costs_of(figure, reading, name, *place), window) for name in names)
            values = np.log(a / b).mean(axis=1).to_numpy()
            yield Comparison(values, low, high, all_of=(figure, place[0], window))


def measure_across(piece: dict[str, Any], reading: str) -> Iterator[Comparison]:
    """The second of a pair is a series of the figure ``other``."""
    high, quantity = float(np.log(1 + piece.get("margin", 0.0))), piece.get("quantity", "")
    for window in windows_of(piece):
        for first, second in pairs_of(piece):
            a = costs_of(piece["figure"], reading, first, quantity=quantity)
            b = costs_of(piece["other"], reading, second, quantity=quantity)
            seeds, epochs = a.index.intersection(b.index), a.columns.intersection(b.columns)
            both = in_window((a.loc[seeds, epochs] / b.loc[seeds, epochs]), window)
            values = np.log(both).mean(axis=1).to_numpy()
            yield Comparison(values, -INFINITY, high, all_of=(piece["figure"], window))


def measure_default(piece: dict[str, Any], reading: str) -> Iterator[Comparison]:
    """The first seed's trial at the default stepsize beside the other seeds at the best one."""
    figure, name = piece["figure"], piece["series"]
    best = costs_of(figure, reading, name).iloc[:, -1]
    rows = rows_of(figure)
    mine = rows[(rows["reading"] == reading) & (rows["series"] == name) & (rows["seed"] == 0)]
    mine = mine[(mine["lr"] == piece["default"]) & (mine["epoch"] == mine["epoch"].max())]
    (cost,) = mine[panel_of(figure, "").get("quantity", "train_cost")]
    values = np.log(cost / best).to_numpy()
    high = float(np.log(1 + piece["margin"]))
    yield Comparison(values, -INFINITY, high, all_of=(figure, name), one_more=True)


def measure_wall_time(piece: dict[str, Any], reading: str) -> Iterator[Comparison]:
    """The logarithm of the cost is linear between the ends of two epochs; 50 times in equal steps."""
    figure, values = piece["figure"], []
    ((first, second),) = pairs_of(piece)
    pair = [
        (costs_of(figure, reading, name), costs_of(figure, reading, name, quantity="seconds"))
        for name in (first, second)
    ]
    for seed in pair[0][0].index:
        lines = [(cost.loc[seed], seconds.loc[seed]) for cost, seconds in pair]
        start = max(seconds.iloc[0] for _, seconds in lines)
        stop = min(seconds.iloc[-1] for _, seconds in lines)
        times = np.linspace(start, stop, 50)
        a, b = (np.interp(times, seconds, np.log(cost)) for cost, seconds in lines)
        values.append((a - b).mean())
    yield Comparison(np.array(values), -INFINITY, 0.0)


def measure_gaps(piece: dict[str, Any], reading: str) -> Iterator[Comparison]:
    """The difference of two costs, in nats, in a panel minus that in the panel before it."""
    for first, second in pairs_of(piece):
        gap = {}
        for panel in piece["panels"]:
            a, b = (costs_of(piece["figure"], reading, name, panel) for name in (first, second))
            gap[panel] = (b - a).mean(axis=1)
        for before, after in pairwise(piece["panels"]):
            yield Comparison((gap[after] - gap[before]).to_numpy(), 0.0, INFINITY, is_ratio=False)


def measure_best_stepsize(piece: dict[str, Any], reading: str) -> Iterator[Comparison]:
    figure, name = piece["figure"], piece["series"]
    fitted, tuned = (costs_of(figure, which, name) for which in ("as_printed", "dense_grid"))
    end = min(fitted.columns.max(), tuned.columns.max())
    values = np.log(fitted.loc[tuned.index, end] / tuned[end]).to_numpy()
    yield Comparison(values, -INFINITY, float(np.log(1 + piece["margin"])), all_of=figure)


def losses(figure: str, panel: str, corrected: bool, reading: str = "as_printed") -> pd.DataFrame:
    """Figure 4: the loss of a panel's trials, a row a seed and a column a stepsize."""
    rows = rows_of(figure)
    series = "with bias correction" if corrected else "without bias correction"
    mine = rows[(rows["reading"] == reading) & (rows["series"] == series)]
    mine = mine[mine["panel"] == panel]
    place = next(p for p in spec_of(figure)["panels"] if p["name"] == panel)
    cost = mine[place.get("quantity", "train_cost")].where(mine["status"] == "finished", DIVERGED)
    return mine.assign(cost=cost.fillna(DIVERGED).clip(upper=DIVERGED)).pivot(
        index="seed", columns="lr", values="cost"
    )


def best_losses(table: pd.DataFrame) -> pd.Series:
    """Each seed's own best, if it has all stepsizes within `NEAR` of the first seed's best."""
    first = table.loc[0]
    near = first.index[first <= first.min() + NEAR]
    return table[table[near].notna().all(axis=1)].min(axis=1)


def measure_cells(piece: dict[str, Any], reading: str) -> Iterator[Comparison]:
    for panel in spec_of(piece["figure"])["panels"]:
        with_it, without = (
            losses(piece["figure"], panel["name"], c, reading) for c in (True, False)
        )
        for lr in with_it.columns.intersection(without.columns):
            pair = pd.concat([with_it[lr], without[lr]], axis=1).dropna()
            if (pair == DIVERGED).all(axis=None):
                continue
            values = (pair.iloc[:, 1] - pair.iloc[:, 0]).to_numpy()
            yield Comparison(values, -piece["margin"], INFINITY, is_ratio=False)


def measure_best_cells(piece: dict[str, Any], reading: str) -> Iterator[Comparison]:
    for panel in spec_of(piece["figure"])["panels"]:
        if "panels" not in piece or panel["name"] in piece["panels"]:
            best = [best_losses(losses(piece["figure"], panel["name"], c)) for c in (False, True)]
            values = (best[0] - best[1]).dropna().to_numpy()
            yield Comparison(values, -piece.get("margin", 0.0), INFINITY, is_ratio=False)


def leads_of(piece: dict[str, Any], mark: int) -> list[pd.Series]:
    """After a mark, by epochs: the best loss of each four other settings minus that of those claimed."""
    groups: dict[str, list[pd.Series]] = {"smaller beta2": [], "no correction": [], "so": []}
    for panel in (p for p in spec_of(piece["figure"])["panels"] if p["mark"] == mark):
        for corrected in (True, False):
            best = best_losses(losses(piece["figure"], panel["name"], corrected))
            if panel["where"]["optimizer.beta2"] < piece["beta2"]:
                groups["smaller beta2"].append(best)
            else:
                groups["so" if corrected else "no correction"].append(best)
    assert {len(group) for group in groups.values()} == {4}
    so = pd.concat(groups.pop("so"), axis=1).dropna().min(axis=1)
    others = [pd.concat(group, axis=1).dropna().min(axis=1) for group in groups.values()]
    return [(other - so).dropna() for other in others]


def measure_winner(piece: dict[str, Any], reading: str) -> Iterator[Comparison]:
    for lead in leads_of(piece, max(p["mark"] for p in spec_of(piece["figure"])["panels"])):
        yield Comparison(lead.to_numpy(), 0.0, INFINITY, is_ratio=False)


def measure_lead_grows(piece: dict[str, Any], reading: str) -> Iterator[Comparison]:
    for first, last in zip(leads_of(piece, 0), leads_of(piece, 1), strict=True):
        yield Comparison((last - first).dropna().to_numpy(), 0.0, INFINITY, is_ratio=False)


def measure_gain_falls(piece: dict[str, Any], reading: str) -> Iterator[Comparison]:
    early = [name for name in piece["panels"] if name.startswith("epochs10_")]
    for name in early:
        late = name.replace("epochs10_", "epochs100_")
        assert late in piece["panels"]
        gains = [
            best_losses(losses(piece["figure"], panel, False))
            - best_losses(losses(piece["figure"], panel, True))
            for panel in (name, late)
        ]
        values = (gains[0] - gains[1]).dropna().to_numpy()
        yield Comparison(values, 0.0, INFINITY, is_ratio=False)


def steps_to(trial: pd.DataFrame, target: float) -> float:
    """The step from which on the test cost stays at or below the target.

    Two rows in a row must be there to say so. The logarithm of the cost is linear between two rows.
    """
    cost, step = trial["test_cost"].to_numpy(float), trial["step"].to_numpy(float)
    later = np.array([np.all(cost[i:] <= target) for i in range(len(cost))])
    if not later.any():
        return float("nan")
    i = int(np.argmax(later))
    if i == 0:
        return float(step[0])
    if i > len(cost) - 2:
        return float("nan")
    logs = np.log(cost[i - 1 : i + 1])
    return float(np.interp(-np.log(target), -logs, step[i - 1 : i + 1]))


@cache
def best_steps(figure: str, series: str) -> pd.Series:
    """The fewest steps of any stepsize, by the number of words."""
    rows = rows_of(figure)
    mine = rows[(rows["series"] == series) & (rows["reading"] == "dense_grid")]
    (target,) = spec_of(figure)["targets"]
    found = [
        (int(str(grid).rpartition("=")[2]), steps_to(trial.sort_values("epoch"), target))
        for (grid, _), trial in mine.groupby(["grid", "lr"])
    ]
    steps = pd.DataFrame(found, columns=["size", "steps"]).groupby("size")["steps"].min()
    assert steps.notna().all()
    return steps


def measure_exponent(piece: dict[str, Any], reading: str) -> Iterator[Comparison]:
    steps = best_steps(piece["figure"], piece["series"])
    sizes = steps.index.to_numpy(float)
    low, high = piece["bounds"]
    yield Comparison(steps.to_numpy(), low, high, is_ratio=False, sizes=sizes, sample="size")


def measure_memory(piece: dict[str, Any], reading: str) -> Iterator[Comparison]:
    rows = pd.read_csv(RESULTS / "claim_sfo_memory.csv").sort_values("n_subfunctions")
    needed = 3 * 8 * rows["parameters"]  # three vectors of float64
    each = (rows["bytes"].diff() / rows["n_subfunctions"].diff() / needed).dropna().to_numpy()
    end = float(np.log(1 + piece["margin"]))
    yield Comparison(np.log(each), -end, end, sample="difference")


def measure_second_moment(piece: dict[str, Any], reading: str) -> Iterator[Comparison]:
    rows = pd.read_csv(RESULTS / "claim_cnn_eps.csv")
    last = int(rows.groupby("seed")["epoch"].max().min())
    if last < piece["bounds"][1]:
        raise MissingError(f"measured over {last} of {piece['bounds'][1]} passes")
    values = rows.loc[rows["epoch"] == last, "share_below_eps"].to_numpy()
    yield Comparison(values, 0.5, INFINITY, is_ratio=False)


MEASURES = {
    "lower": measure_ratios,
    "similar": measure_ratios,
    "lower_than_in": measure_across,
    "default_stepsize": measure_default,
    "gain_falls": measure_gain_falls,
    "lead_grows": measure_lead_grows,
    "wall_time": measure_wall_time,
    "gap_wider": measure_gaps,
    "best_stepsize": measure_best_stepsize,
    "cells": measure_cells,
    "best_cells": measure_best_cells,
    "winner": measure_winner,
    "exponent": measure_exponent,
    "memory": measure_memory,
    "second_moment": measure_second_moment,
}


# What is not random


def exact_never_converges(piece: dict[str, Any]) -> tuple[str, str]:
    verdicts, texts = [], []
    for names in pairs_of(piece):
        a, b = (
            costs_of(piece["figure"], IN_ROWS[piece["reading"]], name).iloc[:, -1] for name in names
        )
        count = int((a <= 2 * b.median()).sum())
        verdicts.append(1 if count == 0 else -1 if count == len(a) else 0)
        what = f"{names[0]} ends within twice the cost of {names[1]}"
        texts.append(f"{what} in {count} of {len(a)} seeds")
    return all_agree(verdicts), "; ".join(texts)


def exact_closed_form(piece: dict[str, Any]) -> tuple[str, str]:
    rows = rows_of(piece["figure"])
    rows = rows[(rows["series"] == piece["series"]) & (rows["status"] == "finished")]
    off = []
    for row in rows.itertuples():
        frequency = 1.0 / np.arange(1, int(row.grid.rpartition("=")[2]) + 1)
        frequency /= frequency.sum()
        left = np.abs(1 - row.lr * frequency) ** (2 * row.step)
        off.append(abs(row.test_cost / float(frequency @ left) - 1))
    text = f"largest relative difference {max(off):.1g}, over {len(off)} rows"
    return all_agree([1 if max(off) <= piece["margin"] else -1]), text


def exact_more_usable(piece: dict[str, Any]) -> tuple[str, str]:
    """Of use: the last cost of the first seed is finite and at most twice the lowest of the grid."""
    rows, signs, texts = rows_of(piece["figure"]), [], []
    ((first, second),) = pairs_of(piece)
    for panel in spec_of(piece["figure"])["panels"]:
        found = []
        for name in (first, second):
            mine = rows[(rows["series"] == name) & (rows["panel"] == panel["name"])]
            mine = mine[(mine["seed"] == 0) & (mine["reading"] == "dense_grid")]
            ended = mine[(mine["epoch"] == mine["epoch"].max()) & (mine["status"] == "finished")]
            usable = ended.loc[ended["train_cost"] <= 2 * ended["train_cost"].min(), "lr"]
            found.append((usable.nunique(), mine["lr"].nunique()))
        signs.append(1 if found[0][0] / found[0][1] > found[1][0] / found[1][1] else -1)
        told = [f"{count} of {n}" for count, n in found]
        texts.append(f"{panel['title']}: {told[0]} stepsizes of {first}, {told[1]} of {second}")
    return all_agree(signs), "; ".join(texts)


def exact_rescaling(piece: dict[str, Any]) -> tuple[str, str]:
    costs = pd.read_csv(RESULTS / "claim_invariance.csv").pivot(
        index="factor", columns="eps", values="train_cost"
    )
    off = (costs / costs.loc[1.0] - 1).abs().max()
    text = f"factors from {costs.index.min():.1g} to {costs.index.max():.1g}: {off[0.0]:.1g}, "
    sign = 1 if off[0.0] <= piece["margin"] else -1
    told = f"largest relative difference of the cost, {text}with ε = 1e-08 {off[1e-8]:.1g}"
    return all_agree([sign]), told


def exact_state(piece: dict[str, Any]) -> tuple[str, str]:
    rows = pd.read_csv(RESULTS / "claim_memory.csv")
    (each,) = (rows["state"] / rows["parameters"]).unique()
    sign = 1 if [each, each] == piece["bounds"] else -1
    return all_agree([sign]), f"{each:g} values kept for each parameter, in {len(rows)} networks"


def paper_points(file: str, **where: str) -> pd.DataFrame:
    """Vertices of the paper's drawing, also of those outside the frame, from the left."""
    points, outside = (pd.read_csv(CURVES / f"{name}.csv") for name in (file, "outside_frame"))
    same = (outside["figure"] == points["figure"][0]) & outside["panel"].isin(points["panel"])
    points = pd.concat([points, outside[same]], ignore_index=True).sort_values("x")
    for column, value in where.items():
        points = points[points[column] == value]
    return points


def exact_paper_cells(piece: dict[str, Any]) -> tuple[str, str]:
    best = paper_points("fig4_all").groupby(["panel", "series"])["y"].min().unstack()
    gain = best["no_bias_correction"] - best["bias_correction"]
    lower = gain[gain < 0]
    text = f"{len(lower)} of {len(gain)} panels are lower without correction, "
    return all_agree([-1 if len(lower) else 1]), text + f"the most by {-lower.min():.2f} nats"


def exact_paper_stretched(piece: dict[str, Any]) -> tuple[str, str]:
    verdicts, texts = [], []
    for name in ("SFO", "Adam"):
        top, bottom = (
            paper_points(f"fig2_b_{place}", series=name)["x"].to_numpy()
            for place in ("top", "bottom")
        )
        n = min(len(top), len(bottom))
        each = bottom[1:n] / top[1:n]
        verdicts.append(-1 if np.ptp(each) < 1e-3 else 1)
        texts.append(f"{name}: units of wall time an epoch {each.mean():.3f}")
    return all_agree(verdicts), "; ".join(texts)


def exact_paper_divided(piece: dict[str, Any]) -> tuple[str, str]:
    texts, shares = [], []
    for name in ("SFO", "Adam", "Adam, undivided"):
        points = paper_points("fig2_b_top", series=name.removesuffix(", undivided"))
        x, cost = points["x"].to_numpy(), points["y"].to_numpy()
        if name != "Adam" and name != "SFO":
            cost = cost * np.where(x > 7.5, 2.3 * (x - 7), 1.0)
        units = cost / 1e-5
        whole = int((np.abs(units - units.round()) <= 1e-5 * units).sum())
        shares.append(whole / len(units))
        texts.append(f"{name}: {whole} of {len(units)} points are multiples of 1e-5")
    return all_agree([1 if shares[1] == 1 else -1]), "; ".join(texts)


def all_agree(signs: list[int]) -> str:
    if -1 in signs:
        return "contradicted"
    return "supported" if min(signs) == 1 else "undecided"


# The verdicts


@dataclass(frozen=True)
class Judged:
    """A claim's row, worked out here. ``p``: NaN where nothing is tested."""

    claim: dict[str, Any]
    verdict: str
    compared: tuple[Comparison, ...] = ()
    p: float = float("nan")
    text: str = ""


def pieces_of(claim: dict[str, Any]) -> list[dict[str, Any]]:
    return claim.get("evidence") or [claim]


def judge(claim: dict[str, Any]) -> Judged:
    """The verdict of a claim by itself.

    Supported: every interval is inside the bounds. Contradicted: in each window of each figure, and
    of each panel where panels are named, one of the comparisons shows the contrary, at the level divided
    by their number. p is that of the test that comes closer: of the worst comparison for the one,
    of the worst window for the other.
    """
    pieces = pieces_of(claim)
    if pieces[0]["measure"] in EXACT:
        assert len(pieces) == 1
        try:
            verdict, text = globals()[f"exact_{pieces[0]['measure']}"](pieces[0])
        except MissingError:
            return Judged(claim, "undecided", text="–")
        return Judged(claim, verdict, text=text)
    compared: list[Comparison] = []
    try:
        for piece in pieces:
            assert "figure" not in piece or set(rows_of(piece["figure"])["scale"]) == {"paper"}
            reading = IN_ROWS[piece.get("reading", "tuned")]
            found = list(MEASURES[piece["measure"]](piece, reading))
            tuned = "figure" in piece and reading == "dense_grid"
            assert min(len(one.values) for one in found) >= FURTHER_SEEDS + (not tuned)
            compared += found
    except MissingError:
        return Judged(claim, "undecided", text="–")
    worst = max(one.p_inside for one in compared)
    groups: dict[Any, list[float]] = {}
    for one in compared:
        groups.setdefault(one.all_of, []).append(one.p_outside)
    contrary = max(min(1.0, len(group) * min(group)) for group in groups.values())
    p = min(1.0, 2 * min(worst, contrary))
    verdict = "undecided"
    if p < 0.05:
        verdict = "supported" if worst < contrary else "contradicted"
    assert (verdict == "supported") == all(one.shows == 1 for one in compared)
    return Judged(claim, verdict, tuple(compared), p)


@cache
def uncorrected() -> dict[str, Judged]:
    return {claim["id"]: judge(claim) for claim in CLAIMS}


@cache
def judged() -> dict[str, Judged]:
    return correct(uncorrected())


def correct(found: dict[str, Judged]) -> dict[str, Judged]:
    """With Holm's correction: the smallest p against 0.05 / m, the next 0.05 / (m - 1), ..."""
    found = dict(found)
    for table in HEADINGS:
        mine = [one for one in found.values() if one.claim.get("table", "paper") == table]
        tested = sorted((one for one in mine if not np.isnan(one.p)), key=lambda one: one.p)
        stands = True
        for i, one in enumerate(tested):
            stands = stands and one.p <= 0.05 / (len(tested) - i)
            if not stands:
                found[one.claim["id"]] = replace(one, verdict="undecided")
    return found


# The tables as they are printed


@cache
def printed() -> dict[str, list[str]]:
    """By the claim's words: verdict, effect, fitted settings, test."""
    page = (RESULTS / "README.md").read_text(encoding="utf-8")
    found = {}
    for heading in HEADINGS.values():
        part = page.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
        for line in part.splitlines():
            cells = [cell.strip() for cell in line.strip().strip("|").split(" | ")]
            if len(cells) == 6 and cells[0] != "section" and not cells[0].startswith("---"):
                found[cells[1]] = cells[2:]
    return found


def is_shown(claim: dict[str, Any]) -> bool:
    """Whether some of a claim's evidence is there; a claim without any has no row."""
    files = [
        f"{piece['figure']}.csv" if "figure" in piece else f"claim_{claim['id']}.csv"
        for piece in pieces_of(claim)
        if not piece["measure"].startswith("paper_")
    ]
    return not files or any((RESULTS / name).is_file() for name in files)


def row_of(claim: dict[str, Any]) -> list[str]:
    return printed()[" ".join(claim["claim"].split())]


# The pages


def said(page: str) -> str:
    return " ".join((ROOT / page).read_text(encoding="utf-8").split())


def drawn_costs(
    figure: str, reading: str, series: str, quantity: str = "train_cost", panel: str = ""
) -> pd.DataFrame:
    """Costs of all seeds, as they are drawn."""
    rows = rows_of(figure)
    mine = rows[(rows["reading"] == reading) & (rows["series"] == series) & rows["selected"]]
    mine = mine[mine["panel"] == panel] if panel else mine
    return mine.pivot(index="seed", columns="epoch", values=quantity)


def factor(claim: str, i: int = 0) -> float:
    return float(np.exp(judged()[claim].compared[i].estimate[0]))


def percent(ratio: float) -> str:
    return f"{100 * abs(ratio - 1):.0f}"
