"""Default stepsizes, stepsizes that are of use, two figures beside each other, and early against late."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from adam_repro.claims import judge
from adam_repro.claims.model import CONTRADICTED, SUPPORTED, UNDECIDED
from adam_repro.claims.stepsizes import OneTrialFinding
from adam_repro.figures import load
from tests.merged_csvs import judged_of, put, rows


def test_one_further_trial_is_within_its_interval_as_often_as_it_should_be() -> None:
    rng, n, times = np.random.default_rng(3), 4, 4000
    inside = false = 0
    for _ in range(times):
        *others, further = rng.standard_normal(n + 1)
        one = OneTrialFinding("", further - np.array(others), high=0.0)
        inside += one.interval.low < 0 < one.interval.high
        false += one.p_below(0.0) < 0.05
    assert inside / times == pytest.approx(0.95, abs=0.012)
    assert false / times == pytest.approx(0.05, abs=0.012)


def grid_of(name: str, series: str, ends: dict[float, float], best: float) -> pd.DataFrame:
    """A tuned series: its grid with seed 0, and the best stepsize with four other seeds."""
    figure, parts = load.load(name), []
    for lr, cost in ends.items():
        dead = not np.isfinite(cost)
        for seed in range(5 if lr == best else 1):
            noise = np.exp(0.01 * ((seed * 7) % 5 - 2))
            more = {"lr": lr, "identity": f"{series}-{lr}-{seed}", "selected": lr == best}
            more |= {"status": "diverged" if dead else "finished"}
            costs = [np.nan if dead else cost * noise]
            parts.append(rows(figure, "dense_grid", series, seed, [200], costs, **more))
    return pd.concat(parts, ignore_index=True)


@pytest.mark.parametrize(
    ("at_default", "verdict"), [(0.0100, SUPPORTED), (0.04, CONTRADICTED), (0.0107, UNDECIDED)]
)
def test_a_default_that_is_no_worse_is_good(at_default: float, verdict: str, folder: Path) -> None:
    ends = {1e-4: 0.01, 1e-3: at_default, 1e-2: 0.3}
    put(folder, "fig2a", grid_of("fig2a", "Adam", ends, best=1e-4))
    one = judged_of(folder, "fig2a")["default_mlp"]
    assert one.verdict == verdict
    assert one.findings[0].interval.mean == pytest.approx(np.log(at_default / 0.01), abs=0.03)


@pytest.mark.parametrize("ends", [{1e-4: 0.01}, {1e-4: 0.01, 1e-3: float("inf")}])
def test_a_default_that_was_not_tried_or_diverged_is_named(
    ends: dict[float, float], folder: Path
) -> None:
    put(folder, "fig2a", grid_of("fig2a", "Adam", ends, best=1e-4))
    one = judged_of(folder, "fig2a")["default_mlp"]
    assert (one.verdict, one.why) == (UNDECIDED, "no finished trial of Adam at 0.001")


def test_a_stepsize_is_of_use_within_twice_the_best_cost(folder: Path) -> None:
    many = {1e-3: 1.0, 1e-2: 1.9, 1e-1: 2.1}
    few = {1e-3: 3.0, 1e-2: 1.0, 1e-1: float("inf")}
    parts = []
    for panel in load.load("defaults").panels:
        for name, ends in (("AdaMax", many), ("Adam", few)):
            parts.append(grid_of("defaults", name, ends, best=1e-2).assign(panel=panel.name))
    put(folder, "defaults", pd.concat(parts, ignore_index=True))
    one = judged_of(folder, "defaults")["adamax_stable"]
    assert one.verdict == SUPPORTED
    assert all("2 of 3 stepsizes of AdaMax, 1 of 3 of Adam" in str(each) for each in one.findings)


def two_figures(with_it: float, seeds: int) -> dict[str, pd.DataFrame]:
    found = {}
    for name, factor in (("fig1_imdb", with_it), ("imdb_without_dropout", 1.0)):
        figure, parts = load.load(name), []
        for one in figure.series:
            for seed in range(seeds):
                cost = factor * np.exp(0.01 * np.sin(seed + np.arange(176)))
                parts.append(rows(figure, "dense_grid", one.label, seed, np.arange(176), cost))
        found[name] = pd.concat(parts, ignore_index=True)
    return found


@pytest.mark.slow
@pytest.mark.parametrize(("with_it", "verdict"), [(0.5, SUPPORTED), (1.5, CONTRADICTED)])
def test_series_of_two_figures_are_compared(with_it: float, verdict: str, folder: Path) -> None:
    for name, found in two_figures(with_it, seeds=6).items():
        put(folder, name, found)
    one = judged_of(folder, "fig1_imdb", "imdb_without_dropout")["dropout_imdb"]
    assert one.verdict == verdict
    assert len(one.findings) == 6  # three methods, two windows
    assert set(one.tuning) == {"fig1_imdb", "imdb_without_dropout"}
    alone = judged_of(folder, "fig1_imdb")["dropout_imdb"]
    assert (alone.verdict, alone.why) == (
        UNDECIDED,
        "the figure imdb_without_dropout has no results",
    )


def figure_4(early: float, late: float) -> pd.DataFrame:
    """Losses whose gap with and without correction is one number after 10 epochs and another after 100."""
    figure, rng, parts = load.load("fig4"), np.random.default_rng(0), []
    for panel in figure.panels:
        gap = early if panel.mark == 0 else late
        for one in figure.series:
            for seed in range(5):
                loss = 100.0 + 0.05 * rng.standard_normal()
                loss += gap * (one.label == figure.series[1].label)
                more = {
                    "panel": panel.name,
                    "lr": 1e-3,
                    "identity": f"{panel.name}{one.label}{seed}",
                }
                parts.append(rows(figure, "as_printed", one.label, seed, [9], [loss], **more))
    return pd.concat(parts, ignore_index=True)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("early", "late", "verdict"),
    [(9.0, 2.0, SUPPORTED), (2.0, 9.0, CONTRADICTED), (2.0, 2.0, UNDECIDED)],
)
def test_a_cost_of_leaving_the_correction_out_may_be_larger_early(
    early: float, late: float, verdict: str, folder: Path
) -> None:
    put(folder, "fig4", figure_4(early, late))
    assert judged_of(folder, "fig4")["vae_instability_first"].verdict == verdict


def test_the_best_of_four_is_compared_with_bests_of_four(folder: Path) -> None:
    put(folder, "fig4", figure_4(1.0, 1.0))
    (smaller_beta2, uncorrected) = judged_of(folder, "fig4")["vae_best"].findings
    assert abs(smaller_beta2.interval.mean) < 0.1  # two of its four are as good
    assert uncorrected.interval.mean == pytest.approx(1.0, abs=0.1)


CSVS = {
    "invariance": ("factor,eps,train_cost\n1,0,0.5\n8,0,{a}\n1,1e-8,0.5\n8,1e-8,0.6\n", 0.5, 0.51),
    "memory": ("task,parameters,state\nlogreg,10,{a}\nmlp,30,60\n", 20, 30),
}


@pytest.mark.parametrize("name", CSVS)
def test_what_a_script_measured_decides(name: str, folder: Path) -> None:
    text, so, otherwise = CSVS[name]
    path = folder / f"claim_{name}.csv"

    def verdict() -> tuple[str, str]:
        one = next(one for one in judge.judge({}, folder) if one.claim.id == name)
        return one.verdict, one.why

    assert verdict()[0] == UNDECIDED
    assert "is not there" in verdict()[1]
    path.write_text(text.format(a=so), encoding="utf-8")
    assert verdict()[0] == SUPPORTED
    path.write_text(text.format(a=otherwise), encoding="utf-8")
    assert verdict()[0] == CONTRADICTED
    for damaged in ("", "factor,eps\n1,0\n", text.format(a="x")[:40]):
        path.write_text(damaged, encoding="utf-8")
        assert verdict()[0] == UNDECIDED or damaged.startswith("task,parameters,state")
