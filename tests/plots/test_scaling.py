"""Steps by problem size: where a cost counts as reached, the best stepsize, slopes, what is missing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure as Drawing

from adam_repro.claims.model import CONTRADICTED, SUPPORTED, UNDECIDED
from adam_repro.figures import load, plan
from adam_repro.plots import scaling
from adam_repro.report import figure_report, tables
from adam_repro.results import merge, table
from adam_repro.statistics import log_log_slope
from tests.merged_csvs import judged_of, leave, put

SIZES = [256, 362, 512, 724, 1024, 1448, 2048, 2896, 4096]


def made(exponent: float = 1.0, label: str = "GD", noise: float = 0.0) -> pd.DataFrame:
    """Rows of trials of three stepsizes that reach 1 % after size^exponent steps at the middle one."""
    rng = np.random.default_rng(0)
    parts = []
    for size in SIZES:
        best = size**exponent * np.exp(noise * rng.standard_normal())
        for lr, factor in ((1.0, 2.0), (2.0, 1.0), (4.0, 3.0)):
            steps = factor * best * np.array([0.5, 2.0, 3.0])
            cost = [0.02, 0.005, 0.001]  # the target is in the middle of the first two logarithms
            more = {"lr": lr, "grid": f"task.data.words={size}", "identity": f"{label}{size}{lr}"}
            parts.append(
                pd.DataFrame({"step": steps, "test_cost": cost, "epoch": [0, 1, 2], **more})
            )
    found = pd.concat(parts, ignore_index=True)
    columns = {
        "figure": "bigram", "panel": "steps", "reading": "dense_grid", "series": label,
        "scale": "paper", "seed": 0, "train_cost": found["test_cost"], "seconds": 1.0,
        "status": "finished", "selected": True,
    }  # fmt: skip
    return found.assign(**columns).reindex(columns=table.columns_of("bigram"))


@pytest.mark.parametrize(
    ("costs", "steps"),
    [
        ([1.0, 0.1, 0.001, 0.0001], 25.0),  # half a decade of one: the logarithm is interpolated
        ([1.0, 0.005, 0.1, 0.001, 0.001], 35.0),  # below for a while only
        ([1.0, 0.1, 0.001], np.nan),  # one row may be a good phase of a period
        ([0.01, 0.001], 10.0),
        ([1.0, 0.02], np.nan),
        ([1.0, 0.001, np.inf], np.nan),
    ],
)
def test_a_cost_counts_from_where_it_stays_low(costs: list[float], steps: float) -> None:
    trial = pd.DataFrame({"test_cost": costs, "step": 10.0 * np.arange(1, len(costs) + 1)})
    assert scaling.steps_to(trial, 0.01) == pytest.approx(steps, nan_ok=True)


def test_the_slope_is_the_exponent_with_its_t_interval() -> None:
    assert log_log_slope(SIZES, np.array(SIZES, float) ** 0.7).mean == pytest.approx(0.7)
    from scipy.stats import linregress, t

    y = np.exp(np.random.default_rng(0).standard_normal(9)) * np.array(SIZES)
    found, peer = log_log_slope(SIZES, y), linregress(np.log(SIZES), np.log(y))
    assert found.mean == pytest.approx(peer.slope)
    assert found.high - found.mean == pytest.approx(peer.stderr * t.ppf(0.975, 7))
    assert found.p == pytest.approx(peer.pvalue)
    assert np.isinf(log_log_slope([1, 2], [1, 2]).high)


def test_each_size_has_its_fewest_steps_and_an_edge_is_marked(folder: Path) -> None:
    rows = made()
    put(folder, "bigram", rows[(rows["lr"] > 1) | (rows["grid"] != "task.data.words=512")])
    context = figure_report.load_context("bigram", folder)
    steps = scaling.steps_by_lr(context, context.figure.panels[0], "dense_grid")
    best = scaling.best_by_size(steps, "GD")
    assert best["size"].tolist() == SIZES
    np.testing.assert_allclose(best["steps"], 1.25 * np.array(SIZES))
    assert set(best["lr"]) == {2.0}
    assert not best["at_edge"].any()
    only = scaling.best_by_size(steps[steps["lr"] < 4], "GD")
    assert only["at_edge"].all()


def test_the_drawing_says_what_is_missing(folder: Path) -> None:
    rows = made()
    unreached = (rows["grid"] == "task.data.words=4096") & (rows["epoch"] > 0)
    put(folder, "bigram", pd.concat([rows[~unreached], made(0.5, "Adam")]))
    drawing, messages = scaling.draw(figure_report.load_context("bigram", folder), "dense_grid")
    assert isinstance(drawing, Drawing)
    assert len(drawing.axes) == 2
    assert "GD: not reached at 4096" in messages
    assert "Lion: no data" in messages
    assert not [message for message in messages if message.startswith("Adam")]
    texts = [text.get_text() for text in drawing.axes[0].texts]
    assert texts == ["1.00", "0.50"]


def test_the_report_has_a_table_of_steps(folder: Path) -> None:
    put(folder, "bigram", made())
    report = figure_report.make_report("bigram", folder)
    (steps,) = tables.tables(report)
    assert steps.rows[0][0] == "GD"
    assert "512: 640.0 (2)" in steps.rows[0][1]
    assert (folder / "bigram_tuned.svg").exists()


def test_a_merge_keeps_the_rows_about_the_target_and_the_last(tmp_path: Path) -> None:
    figure = load.load("bigram")
    line = plan.plan_figure(figure, "smoke")[0]
    entry = line.grid_stage()[0]
    folder = leave(tmp_path, entry, [1.0] * 6)
    metrics = pd.read_csv(folder / "metrics.csv")
    metrics["step"] = 10 * (metrics["epoch"] + 1)
    metrics["test_cost"] = [0.5, 0.005, 0.02, 0.009, 0.003, 0.001]
    metrics.to_csv(folder / "metrics.csv", index=False)
    merge.merge(figure, "smoke", [line], tmp_path, tmp_path / "paper")
    found = table.read(tmp_path / "paper", "bigram").rows
    assert found["step"].tolist() == [30, 40, 60]
    assert found["test_cost"].tolist() == [0.02, 0.009, 0.001]
    assert set(found["panel"]) == {"steps"}


@pytest.mark.parametrize(
    ("slope", "noise", "verdict"),
    [(0.95, 0.0, SUPPORTED), (0.95, 0.8, UNDECIDED), (0.5, 0.0, CONTRADICTED)],
)
def test_an_exponent_is_judged_by_its_interval(
    slope: float, noise: float, verdict: str, folder: Path
) -> None:
    put(folder, "bigram", made(slope, noise=noise))
    one = judged_of(folder, "bigram")["bigram_gd"]
    assert one.verdict == verdict
    assert one.findings[0].n == len(SIZES)


def test_an_exponent_needs_every_size(folder: Path) -> None:
    rows = made()
    put(folder, "bigram", rows[rows["grid"] != "task.data.words=1024"])
    one = judged_of(folder, "bigram")["bigram_gd"]
    assert (one.verdict, one.why) == (UNDECIDED, "GD does not reach the cost at 1024")


@pytest.mark.parametrize(("error", "verdict"), [(1e-8, SUPPORTED), (1e-4, CONTRADICTED)])
def test_gradient_descent_is_judged_beside_its_closed_form(
    error: float, verdict: str, folder: Path
) -> None:
    rows = made()
    pi = {size: 1 / np.arange(1, size + 1) for size in SIZES}
    rows["step"] = [3 + i % 40 for i in range(len(rows))]
    size = rows["grid"].str.split("=").str[1].astype(int)
    rows["test_cost"] = [
        (1 + error) * sum(p * (1 - lr * p) ** (2 * t) for p in pi[s] / pi[s].sum())
        for s, lr, t in zip(size, rows["lr"], rows["step"], strict=True)
    ]
    put(folder, "bigram", rows)
    assert judged_of(folder, "bigram")["bigram_closed_form"].verdict == verdict
