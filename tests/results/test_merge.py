"""From trial folders to a merged CSV: what is selected, which rows are written, what is missing."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from adam_repro.figures import load, plan
from adam_repro.figures.plan import PlannedSeries, PlannedTrial
from adam_repro.figures.spec import Figure
from adam_repro.results import merge, table
from adam_repro.results.committed import CommittedRows
from adam_repro.results.trial_results import TrialResults
from tests.merged_csvs import MNIST, leave, leave_all, leave_two_of_figure_4, one, read


@pytest.fixture(scope="module")
def lines() -> list[PlannedSeries]:
    return plan.plan_figure(MNIST, "smoke")


def test_the_lowest_final_cost_of_a_grid_is_chosen(
    tmp_path: Path, lines: list[PlannedSeries]
) -> None:
    line = one(lines, "dense_grid", "Adam")
    grid = line.grid_stage()
    for entry, last in zip(grid, [0.5, 0.3, 0.4, 0.3, 0.9, 0.9], strict=True):
        leave(tmp_path, entry, [0.1, 0.1, last])  # low costs before the last do not count
    assert merge.select_best(grid, TrialResults(tmp_path)) == {line.key: [grid[1].grid_point]}


def averaged() -> Figure:
    """Figure 2b, its Adam drawn at the average of the iterates."""
    figure = load.load("fig2b")
    adam = next(one for one in figure.series if one.label == "Adam")
    overrides = (*adam.overrides, "averaging=exponential")
    mean = replace(adam, quantity="average", overrides=overrides)
    return replace(figure, series=tuple(mean if one is adam else one for one in figure.series))


def test_the_setting_chosen_is_the_one_that_is_lowest_as_drawn(tmp_path: Path) -> None:
    # It draws the training set's cost at the average, not the mean of the last pass.
    found = plan.plan_figure(averaged(), "smoke")
    line = one(found, "dense_grid", "Adam")
    grid = line.grid_stage()
    for i, entry in enumerate(grid):
        folder = leave(tmp_path / "results", entry, [1.0, 0.1 * (i + 1)])
        rows = pd.read_csv(folder / "metrics.csv")
        rows["average_eval_train_cost"] = [9.0, 0.5 - 0.1 * (i == 1)]
        rows["eval_train_cost"] = 0.1 * (i + 1)
        rows.to_csv(folder / "metrics.csv", index=False)
    assert merge.select_best(grid, TrialResults(tmp_path / "results")) == {
        line.key: [grid[1].grid_point]
    }
    # The same from the merged CSV alone.
    merge.merge(averaged(), "smoke", [line], tmp_path / "results", tmp_path)
    committed = TrialResults(tmp_path / "gone", CommittedRows(tmp_path, ["fig2b"]))
    assert merge.select_best(grid, committed) == {line.key: [grid[1].grid_point]}


def test_a_diverged_trial_is_never_chosen_before_a_finished_one(
    tmp_path: Path, lines: list[PlannedSeries]
) -> None:
    line = one(lines, "dense_grid", "Adam")
    grid = line.grid_stage()
    leave(tmp_path, grid[0], [0.01, np.nan], "diverged")
    leave(tmp_path, grid[1], [9.0, 9.0, 9.0])
    assert merge.select_best(grid, TrialResults(tmp_path)) == {line.key: [grid[1].grid_point]}


def test_a_trial_that_lost_epochs_is_not_mistaken_for_the_best(
    tmp_path: Path, lines: list[PlannedSeries]
) -> None:
    line = one(lines, "dense_grid", "Adam")
    grid = line.grid_stage()
    leave(tmp_path, grid[0], [0.5, 0.1])
    leave(tmp_path, grid[1], [2.0, 1.0, 0.5])
    leave(tmp_path, grid[2], [0.1, 0.1, 0.1], status="running")
    assert merge.select_best(grid, TrialResults(tmp_path)) == {line.key: [grid[1].grid_point]}


def test_as_printed_selects_nothing(tmp_path: Path, lines: list[PlannedSeries]) -> None:
    printed = one(lines, "as_printed", "Adam").grid_stage()
    for entry in printed:
        leave(tmp_path, entry, [2.0, 1.0, 0.5])
    assert merge.select_best(printed, TrialResults(tmp_path)) == {}


def test_what_is_drawn_is_kept_whole_and_of_the_grid_the_last_row(
    tmp_path: Path, folder: Path, lines: list[PlannedSeries]
) -> None:
    leave_all(tmp_path, lines)
    merge.merge(MNIST, "smoke", lines, tmp_path, folder)
    rows, _ = read(folder)
    adam = rows[(rows["series"] == "Adam") & (rows["reading"] == "dense_grid")]
    grid = one(lines, "dense_grid", "Adam").grid_stage()
    drawn = adam[adam["selected"]]
    assert list(drawn["epoch"]) == [0, 1, 2]
    assert set(drawn["identity"]) == {grid[1].trial.identity}
    assert list(drawn["seconds"]) == [2.0, 4.0, 6.0]
    others = adam[~adam["selected"]]
    assert sorted(others["identity"]) == sorted(e.trial.identity for e in grid if e != grid[1])
    assert set(others["epoch"]) == {2}
    printed = rows[(rows["series"] == "Adam") & (rows["reading"] == "as_printed")]
    assert printed["selected"].all()
    assert len(printed) == 2 * 3  # seeds, epochs


def test_a_reading_of_which_nothing_is_there_is_reported_once(
    tmp_path: Path, folder: Path, lines: list[PlannedSeries]
) -> None:
    leave_all(tmp_path, [one(lines, "as_printed", "AdaGrad")])  # its stepsize is in no grid
    messages = merge.merge(MNIST, "smoke", lines, tmp_path, folder)
    assert messages[0] == "tuned: not trained"
    assert not any("(dense_grid)" in item for item in messages)


def test_points_shared_with_the_settings_as_printed_are_no_grid(
    tmp_path: Path, folder: Path, lines: list[PlannedSeries]
) -> None:
    leave_all(tmp_path, [line for line in lines if line.reading == "as_printed"])
    messages = merge.merge(MNIST, "smoke", lines, tmp_path, folder)
    assert messages[0] == "tuned: not trained"
    grid = len(one(lines, "dense_grid", "AdaGrad").grid_stage())
    assert f"AdaGrad (dense_grid): {grid} trials are not finished, or damaged" in messages
    assert all("(dense_grid)" in item for item in messages[1:])
    rows, provenance = read(folder)
    assert set(rows["reading"]) == {"as_printed"}
    assert {one["reading"] for one in provenance["series"]} == {"as_printed"}


def test_what_is_not_there_is_reported(
    tmp_path: Path, folder: Path, lines: list[PlannedSeries]
) -> None:
    leave_all(tmp_path, lines)
    lost = one(lines, "as_printed", "SGDNesterov").grid_stage()[0].trial.folder(tmp_path)
    (lost / "metrics.csv").write_text("epoch,train_cost\n0,what\n")
    for entry in one(lines, "dense_grid", "AdaGrad").grid_stage():
        (entry.trial.folder(tmp_path) / "trial.yaml").write_bytes(b"\xff\xfe")
    messages = merge.merge(MNIST, "smoke", lines, tmp_path, folder)
    assert "SGDNesterov (as_printed): 1 trial is not finished, or damaged" in messages
    grid = len(one(lines, "dense_grid", "AdaGrad").grid_stage())
    assert f"AdaGrad (dense_grid): {grid} trials are not finished, or damaged" in messages
    assert "AdaGrad (dense_grid): no trial of its grid is finished, so none is selected" in messages
    # The repeats of each grid's best with the second seed.
    assert "Adam (dense_grid): 1 trial is not finished, or damaged" in messages
    rows, provenance = read(folder)
    assert provenance["missing"] == messages
    assert rows[(rows["series"] == "AdaGrad") & (rows["reading"] == "dense_grid")].empty


def test_the_provenance_tells_coarse_products_apart(
    tmp_path: Path, folder: Path, lines: list[PlannedSeries]
) -> None:
    leave_all(tmp_path, lines)
    path = lines[0].grid_stage()[0].trial.folder(tmp_path) / "trial.yaml"
    record = yaml.safe_load(path.read_text(encoding="utf-8"))
    record["provenance"]["tf32"] = True
    path.write_text(yaml.safe_dump(record))
    merge.merge(MNIST, "smoke", lines, tmp_path, folder)
    hardware = read(folder)[1]["hardware"]
    assert hardware["an abacus in TF32"] == 1
    assert hardware["an abacus"] > 1


def test_the_provenance_names_every_start_of_a_trial(
    tmp_path: Path, folder: Path, lines: list[PlannedSeries]
) -> None:
    leave_all(tmp_path, lines)
    path = lines[0].grid_stage()[0].trial.folder(tmp_path) / "trial.yaml"
    record = yaml.safe_load(path.read_text(encoding="utf-8"))
    begun = {"hardware": "NVIDIA H200", "tf32": True, "torch": "2.8", "date": "2026-01-01"}
    record["provenance"] |= {"from_epoch": 1, "earlier": [begun]}
    path.write_text(yaml.safe_dump(record), encoding="utf-8")
    merge.merge(MNIST, "smoke", lines, tmp_path, folder)
    found = read(folder)[1]
    assert found["hardware"]["NVIDIA H200 in TF32 and an abacus"] == 1
    assert found["versions"]["torch"] == ["2.7", "2.8"]
    assert found["dates"] == ["2026-01-01", "2026-01-02"]


def test_the_provenance_says_what_was_run_on_what(
    tmp_path: Path, folder: Path, lines: list[PlannedSeries]
) -> None:
    leave_all(tmp_path, lines)
    merge.merge(MNIST, "smoke", lines, tmp_path, folder)
    _, record = read(folder)
    assert record["hardware"] == {"an abacus": record["trials"]}
    assert record["versions"]["torch"] == ["2.7"]
    assert record["commits"] == ["c0ffee"]
    assert record["generated_data"] is True
    adam = next(
        item for item in record["series"]
        if (item["series"], item["reading"]) == ("Adam", "dense_grid")
    )  # fmt: skip
    best = one(lines, "dense_grid", "Adam").grid_stage()[1]
    assert adam["settings"]["optimizer.lr"] == best.grid_point["optimizer.lr"]
    assert adam["searched"] == ["optimizer.lr", "schedule"]
    assert "optimizer.beta1" in adam["inferred"]
    assert "optimizer.lr" not in adam["inferred"]
    assert adam["command"].startswith("adam-repro run task=logreg optimizer=adam")


def test_a_trial_that_is_not_finished_is_of_no_origin(
    tmp_path: Path, folder: Path, lines: list[PlannedSeries]
) -> None:
    leave_all(tmp_path, lines)
    entry = one(lines, "as_printed", "AdaGrad").grid_stage()[0]
    leave(tmp_path, entry, [2.0], status="running")
    merge.merge(MNIST, "smoke", lines, tmp_path, folder)
    rows, record = read(folder)
    named = [identity for origin in record["origins"] for identity in origin["trials"]]
    assert sorted(named) == sorted(set(rows["identity"]))
    assert entry.trial.identity not in named


def test_nothing_trained_leaves_a_csv_with_its_head_alone(
    tmp_path: Path, folder: Path, lines: list[PlannedSeries]
) -> None:
    merge.merge(MNIST, "smoke", lines, tmp_path, folder)
    assert (folder / "fig1_mnist.csv").read_text(encoding="utf-8") == ",".join(table.COLUMNS) + "\n"
    assert not list(folder.glob("*.partial"))


def test_figure_4_takes_the_epochs_of_its_marks(tmp_path: Path, folder: Path) -> None:
    figure, found = leave_two_of_figure_4(tmp_path)
    printed = found[0].grid_stage()
    merge.merge(figure, "smoke", found, tmp_path, folder)
    rows = table.read(folder, "fig4").rows
    beta = figure.panels[0].where
    assert all(printed[0].grid_point[key] == value for key, value in beta.items())
    mine = rows[rows["identity"] == printed[0].trial.identity].set_index("panel")["train_cost"]
    assert mine["epochs10_beta1=0_beta2=0.99"] == 500.0
    assert mine["epochs100_beta1=0_beta2=0.99"] == 300.0
    other = rows[rows["identity"] == printed[1].trial.identity].set_index("epoch")["status"]
    assert other.to_dict() == {0: "finished", 1: "diverged"}


@pytest.fixture
def chosen(tmp_path: Path) -> tuple[PlannedSeries, list[PlannedTrial]]:
    """Figure 4's grid of one series: in every panel another stepsize is best after the last epoch."""
    (line, _) = [
        x for x in plan.plan_figure(load.load("fig4"), "smoke") if x.reading == "dense_grid"
    ]
    lrs, best = list(line.axes()["optimizer.lr"]), []
    panels = list(dict.fromkeys(entry.selection_group for entry in line.grid_stage()))
    for entry in line.grid_stage():
        mine = entry.grid_point["optimizer.lr"] == lrs[panels.index(entry.selection_group)]
        leave(tmp_path, entry, [300.0 + 5.0 * mine, 100.0 - 5.0 * mine])
        best += [entry] if mine else []
    return line, best


@pytest.mark.slow
def test_every_panel_of_figure_4_has_a_best_stepsize_of_its_own(
    tmp_path: Path, folder: Path, chosen: tuple[PlannedSeries, list[PlannedTrial]]
) -> None:
    line, best = chosen
    grids = [dict(entry.grid_point) for entry in best]
    assert merge.select_best(line.grid_stage(), TrialResults(tmp_path)) == {line.key: grids}
    assert len({grid["optimizer.lr"] for grid in grids}) == len(best) == 6
    more = replace(line, seeds=3)
    for grid in grids:
        for entry in more.seed_stage(grid):
            leave(tmp_path, entry, [310.0, 96.0])
    figure = line.figure
    assert merge.merge(figure, "smoke", [more], tmp_path, folder) == []
    rows = table.read(folder, "fig4").rows
    assert not rows["selected"].all()
    drawn = rows[rows["selected"]]
    assert set(drawn["identity"]) == {
        entry.trial.identity
        for grid in grids
        for entry in [more.trial_at(grid, 0), *more.seed_stage(grid)]
    }
    marks = drawn.groupby(["identity", "panel"])["train_cost"].first()
    assert len(marks) == 6 * 3 * 2  # cells, seeds, marks
    before = (folder / "fig4.csv").read_bytes()
    shutil.rmtree(tmp_path / "runs")
    assert merge.merge(figure, "smoke", [more], tmp_path, folder, keep=True) == []
    assert (folder / "fig4.csv").read_bytes() == before


def test_figure_2b_takes_the_evaluations_of_the_average(tmp_path: Path) -> None:
    lines = plan.plan_figure(load.load("fig2b"), "smoke")
    columns = {
        "Adam, L2 5e-6": "average_eval_train_cost",
        "Adam": "eval_train_cost",
        "SFO": "eval_train_cost",
    }
    for label, column in columns.items():
        entry = one(lines, "as_printed", label).grid_stage()[0]
        folder = leave(tmp_path, entry, [2.0, 1.0])
        rows = pd.read_csv(folder / "metrics.csv").assign(**{"eval_train_cost": 9.0})
        rows.assign(**{column: [0.5, 0.25]}).to_csv(folder / "metrics.csv", index=False)
    merge.merge(load.load("fig2b"), "smoke", lines, tmp_path, tmp_path / "paper")
    found = table.read(tmp_path / "paper", "fig2b").rows
    for label in columns:
        mine = found[(found["series"] == label) & (found["reading"] == "as_printed")]
        assert list(mine["eval_train_cost"]) == [0.5, 0.25]
        assert list(mine["train_cost"]) == [2.0, 1.0]
