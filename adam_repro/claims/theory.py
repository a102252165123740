"""Verdicts on section 4 and on the paper's smaller statements, from the CSVs of `adam-repro theory`."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from adam_repro import statistics
from adam_repro.claims.model import CONTRADICTED, SUPPORTED, UNDECIDED
from adam_repro.plots.theory import STREAMS
from adam_repro.wording import counted

HEAD = ("section", "statement", "verdict", "measured")
MAX_SLOPE = -0.45  # of log mean regret against log T, to count as falling like 1/sqrt(T)


class TheoryVerdict(NamedTuple):
    """A statement of the paper, the verdict (undecided at a reduced scale), and the numbers behind it."""

    section: str
    statement: str
    verdict: str
    measured: str


def theory_verdicts(folder: Path) -> list[TheoryVerdict]:
    """A verdict on every statement that a CSV in ``folder`` measures.

    Raises:
        ValueError, LookupError, TypeError: a CSV is damaged.
    """
    verdicts: list[TheoryVerdict] = []
    for name, judge in (
        ("theory_demonstrations", _small_statements),
        ("theory_regret", _streams),
        ("theory_counterexample", _sequences),
    ):
        path = folder / f"{name}.csv"
        if path.exists():
            rows = pd.read_csv(path)
            if rows.empty:
                raise ValueError(f"{path.name} has no rows")
            full = "scale" not in rows or set(rows["scale"]) == {"paper"}
            verdicts += [one if full else one._replace(verdict=UNDECIDED) for one in judge(rows)]
    return verdicts


def _verdict(supported: bool) -> str:
    return SUPPORTED if supported else CONTRADICTED


def _streams(rows: pd.DataFrame) -> Iterator[TheoryVerdict]:
    adam = rows[(rows["method"] == "adam") & rows["best"]]
    every = rows[rows["method"] == "adam"]
    ratio = (every["bound"] / every["regret"]).min()
    streams = ", ".join(STREAMS[place] for place in adam["place"].unique())
    yield TheoryVerdict(
        "4",
        f"Theorem 4.1: R(T) is below the bound ({streams})",
        _verdict(bool(ratio > 1)),
        f"{counted(every['identity'].nunique(), 'run')}; the bound is at least {ratio:.3g} times the regret",
    )
    slopes = {
        place: statistics.regret_slope(mine["step"], mine["average_regret"])
        for place, mine in adam.groupby("place", sort=False)
    }
    yield TheoryVerdict(
        "4",
        f"Corollary 4.2: R(T)/T falls like 1/√T ({streams})",
        _verdict(max(slopes.values()) <= MAX_SLOPE),
        "slope over the last decade of T: "
        + ", ".join(f"{slope:.2f} {STREAMS[str(place)]}" for place, slope in slopes.items()),
    )
    last = rows[rows["best"] & (rows["place"] == "sparse")].groupby("method")["regret"].max()
    if {"adam", "sgd"} <= set(last.index):
        yield TheoryVerdict(
            "4",
            "For sparse features an adaptive method beats a non-adaptive one",
            _verdict(bool(last["adam"] < last["sgd"])),
            "regret at each method's best stepsize: "
            + ", ".join(f"{method} {value:.4g}" for method, value in last.items()),
        )


def _sequences(rows: pd.DataFrame) -> Iterator[TheoryVerdict]:
    mine = rows[(rows["place"] == "theorem1") & (rows["method"] == "Adam")]
    if mine.empty:
        return
    last = mine.iloc[-1]
    exceeded = bool((mine["regret"] > mine["bound"]).any())
    yield TheoryVerdict(
        "4",
        "Theorem 4.1: R(T) is below the bound (Theorem 1 of Reddi et al., C = 4)",
        _verdict(not exceeded),
        f"{last['regret'] / last['bound']:.3g} times the bound at T = {last['step']:.0f}; every "
        "assumption holds, as the iterates are projected on [-1, 1]",
    )
    yield TheoryVerdict(
        "4",
        "Corollary 4.2: R(T)/T goes to 0 (Theorem 1 of Reddi et al., C = 4)",
        _verdict(bool(last["average_regret"] < 0.1)),
        f"R(T)/T = {last['average_regret']:.4f}, (2C - 4)/3 = 1.3333; x = {last['x']:.4f}, "
        "the worst point is 1",
    )
    for place, others in rows[rows["place"] != "theorem1"].groupby("place", sort=False):
        ends = others[others["step"] == others["step"].max()]
        mean = ends.groupby("method", sort=False)[["x", "average_regret"]].mean()
        values_at_end = ", ".join(
            f"{method} {row['x']:.4f} ({row['average_regret']:.3f})"
            for method, row in mean.iterrows()
        )
        yield TheoryVerdict(
            "4",
            f"Adam converges to the best point, -1 (Reddi et al., section 5, {place})",
            _verdict(bool(mean.loc["Adam", "x"] < 0)),
            f"x (R(T)/T) at T = {ends['step'].max():.0f}, "
            f"{_seeds(ends['seed'].nunique())}{values_at_end}",
        )


def _seeds(n: int) -> str:
    return f"mean of {n} seeds: " if n > 1 else "one seed: "


def _small_statements(rows: pd.DataFrame) -> Iterator[TheoryVerdict]:
    table = rows.set_index("key")
    keys = set(table.index)
    value = table["measured"]
    if "adam_limit" in keys:
        yield TheoryVerdict(
            "2.1",
            "|Δ_t| is at most α (1 - β1)/√(1 - β2) = 3.162 α",
            _verdict(bool(value["adam_limit"] <= 3.1623)),
            f"{value['adam_limit']:.4f} α; closed form of the limit "
            f"{table['closed_form']['adam_limit']:.4f} α",
        )
    ratios = [key for key in table.index if key.startswith("snr_")]
    if ratios:
        yield TheoryVerdict(
            "2.1",
            "m̂/√v̂ is closer to 0 near an optimum",
            _verdict(bool(value[ratios].is_monotonic_decreasing)),
            f"falls from {value[ratios[0]]:.4f} to {value[ratios[-1]]:.4f} as the mean gradient goes "
            "to 0, and no further: m̂ averages some ten gradients",
        )
    bias = [key for key in table.index if key.startswith("bias_")]
    if bias:
        error = (table["measured"] / table["closed_form"] - 1).abs()[bias].max()
        yield TheoryVerdict(
            "3",
            "E v_t = E g² (1 - β2^t) for stationary gradients",
            _verdict(bool(error < 5e-5)),
            ", ".join(
                f"{value[k]:.5f} ± {table['half_width'][k]:.5f} ({table['closed_form'][k]:.5f})"
                for k in bias
            ),
        )
    if "adamax" in keys:
        yield TheoryVerdict(
            "7.1",
            "AdaMax: |Δ_t| is at most α",
            _verdict(bool(value["adamax"] <= 1)),
            f"{value['adamax']:.5f} α; closed form {table['closed_form']['adamax']:.5f} α",
        )
    if "bound_first" in keys:
        yield TheoryVerdict(
            "4",
            "Theorem 4.1: R(T) is never above the bound (Theorem 1 of Reddi et al., every T up to 10000)",
            _verdict(math.isnan(value["bound_first"])),
            f"first above it at T = {value['bound_first']:.0f}; {table['what']['bound_always']}: "
            f"{value['bound_always']:.0f}",
        )
    if "lemma_left" in keys:
        yield TheoryVerdict(
            "10.1",
            "Lemma 10.3: Σ √(g_t²/t) is at most 2 G∞ ‖g‖ (here with one gradient below 1/2)",
            _verdict(bool(value["lemma_left"] <= value["lemma_right"])),
            f"{value['lemma_left']:.4g} against {value['lemma_right']:.4g} for one gradient of 0.1",
        )
