"""A merge with keep=true: which committed rows stay, which are replaced, and their origins."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from adam_repro.figures import plan
from adam_repro.figures.plan import PlannedSeries
from adam_repro.results import merge, table
from adam_repro.results.committed import CommittedRows
from adam_repro.results.trial_results import TrialResults
from tests.merged_csvs import MNIST, leave, leave_all, leave_two_of_figure_4, one, read


@pytest.fixture(scope="module")
def lines() -> list[PlannedSeries]:
    return plan.plan_figure(MNIST, "smoke")


@pytest.fixture
def merged(tmp_path: Path, folder: Path, lines: list[PlannedSeries]) -> bytes:
    """The CSV of the whole plan, the trial folders of which are gone."""
    leave_all(tmp_path, lines)
    best = merge.select_best(
        [e for line in lines for e in line.grid_stage()], TrialResults(tmp_path)
    )
    for line in lines:
        for entry in (e for grid in best.get(line.key, []) for e in line.seed_stage(grid)):
            leave(tmp_path, entry, [3.0, 2.0, 0.7])
    assert merge.merge(MNIST, "smoke", lines, tmp_path, folder) == []
    shutil.rmtree(tmp_path / "runs")
    return (folder / "fig1_mnist.csv").read_bytes()


@pytest.mark.slow
def test_without_trial_folders_the_same_bytes_are_written(
    tmp_path: Path, folder: Path, lines: list[PlannedSeries], merged: bytes
) -> None:
    _, before = read(folder)
    assert merge.merge(MNIST, "smoke", lines, tmp_path, folder, keep=True) == []
    assert (folder / "fig1_mnist.csv").read_bytes() == merged
    assert read(folder)[1] == before
    merge.merge(MNIST, "smoke", lines, tmp_path, folder)
    assert read(folder)[0].empty


@pytest.mark.slow
def test_a_trial_that_has_a_folder_comes_before_its_rows(
    tmp_path: Path, folder: Path, lines: list[PlannedSeries], merged: bytes
) -> None:
    entry = one(lines, "as_printed", "Adam").grid_stage()[1]
    leave(tmp_path, entry, [2.0, 1.0, 0.25])
    merge.merge(MNIST, "smoke", lines, tmp_path, folder, keep=True)
    rows, record = read(folder)
    mine = (rows["identity"] == entry.trial.identity) & (rows["reading"] == "as_printed")
    assert list(rows.loc[mine, "train_cost"]) == [2.0, 1.0, 0.25]
    assert len(rows) == merged.count(b"\n") - 1
    assert record["trials"] == rows["identity"].nunique()


@pytest.mark.slow
def test_a_trial_that_another_figures_csv_holds_is_not_kept_for_this_one(
    folder: Path, lines: list[PlannedSeries], merged: bytes
) -> None:
    entry = one(lines, "as_printed", "Adam").grid_stage()[0]
    committed = CommittedRows(folder, ["fig1_mnist", "averaging"])
    assert committed.status(entry) == "finished"
    assert committed.status(replace(entry, figure="averaging")) is None


@pytest.mark.slow
def test_an_unfinished_folder_does_not_replace_finished_rows(
    tmp_path: Path, folder: Path, lines: list[PlannedSeries], merged: bytes
) -> None:
    leave(tmp_path, one(lines, "as_printed", "Adam").grid_stage()[0], [9.0], status="running")
    merge.merge(MNIST, "smoke", lines, tmp_path, folder, keep=True)
    assert (folder / "fig1_mnist.csv").read_bytes() == merged


@pytest.mark.slow
def test_a_better_point_of_the_grid_leaves_the_old_one_its_last_row(
    tmp_path: Path, folder: Path, lines: list[PlannedSeries], merged: bytes
) -> None:
    line = one(lines, "dense_grid", "Adam")
    old, new = line.grid_stage()[1], line.grid_stage()[2]
    leave(tmp_path, new, [1.0, 0.2, 0.1])
    messages = merge.merge(MNIST, "smoke", lines, tmp_path, folder, keep=True)
    assert messages == ["Adam (dense_grid): 1 trial is not finished, or damaged"]  # its second seed
    rows, _ = read(folder)
    adam = rows[(rows["series"] == "Adam") & (rows["reading"] == "dense_grid")]
    assert set(adam.loc[adam["selected"], "identity"]) == {new.trial.identity}
    left = adam[adam["identity"] == old.trial.identity]
    assert list(left["epoch"]) == [2]
    assert list(left["train_cost"]) == [0.4]


@pytest.mark.slow
def test_of_an_unselected_point_no_curve_is_made_up(
    folder: Path, lines: list[PlannedSeries], merged: bytes
) -> None:
    committed = CommittedRows(folder, ["fig1_mnist"])
    entry = one(lines, "dense_grid", "Adam").grid_stage()[0]
    assert committed.rows(entry, all_epochs=True) is None
    assert committed.rows(entry, all_epochs=False)["epoch"].tolist() == [2]  # type: ignore[index]


@pytest.mark.slow
def test_a_curve_that_was_cut_off_counts_as_missing(
    tmp_path: Path, folder: Path, lines: list[PlannedSeries], merged: bytes
) -> None:
    rows = table.read_figure_csv(folder, "fig1_mnist")
    entry = one(lines, "as_printed", "AdaGrad").grid_stage()[0]
    mine = rows["identity"] == entry.trial.identity
    table.write(rows[~(mine & (rows["epoch"] == 2))], folder / "fig1_mnist.csv")
    messages = merge.merge(MNIST, "smoke", lines, tmp_path, folder, keep=True)
    assert messages == ["AdaGrad (as_printed): 1 trial is not finished, or damaged"]
    assert entry.trial.identity not in set(read(folder)[0]["identity"])


@pytest.mark.slow
def test_the_origin_of_every_trial_is_reported(
    tmp_path: Path, folder: Path, lines: list[PlannedSeries], merged: bytes
) -> None:
    entry = one(lines, "as_printed", "SGDNesterov").grid_stage()[0]
    path = leave(tmp_path, entry, [2.0, 1.0, 0.3]) / "trial.yaml"
    path.write_text(
        path.read_text(encoding="utf-8")
        .replace("c0ffee", "f00d")
        .replace("an abacus", "a slide rule")
    )
    merge.merge(MNIST, "smoke", lines, tmp_path, folder, keep=True)
    rows, record = read(folder)
    assert record["commits"] == ["c0ffee", "f00d"]
    every = rows["identity"].nunique()
    assert record["hardware"] == {"a slide rule": 1, "an abacus": every - 1}
    by = {origin["commits"][0]: origin["trials"] for origin in record["origins"]}
    assert by["f00d"] == [entry.trial.identity]
    assert sorted(by["f00d"] + by["c0ffee"]) == sorted(set(rows["identity"]))


@pytest.mark.slow
def test_a_record_that_names_no_trials_speaks_for_all(
    tmp_path: Path, folder: Path, lines: list[PlannedSeries], merged: bytes
) -> None:
    path = folder / "fig1_mnist.provenance.yaml"
    record = yaml.safe_load(path.read_text(encoding="utf-8"))
    del record["origins"]
    record["commits"] = ["aaa", "bbb"]
    path.write_text(yaml.safe_dump(record))
    merge.merge(MNIST, "smoke", lines, tmp_path, folder, keep=True)
    origin, = read(folder)[1]["origins"]  # fmt: skip
    assert origin["commits"] == ["aaa", "bbb"]
    assert len(origin["trials"]) == record["trials"]
    path.write_text("{")
    merge.merge(MNIST, "smoke", lines, tmp_path, folder, keep=True)
    assert read(folder)[1]["hardware"] == {"unknown": record["trials"]}


def test_figure_4_keeps_the_rows_of_its_marks(tmp_path: Path, folder: Path) -> None:
    figure, found = leave_two_of_figure_4(tmp_path)
    merge.merge(figure, "smoke", found, tmp_path, folder)
    before = (folder / "fig4.csv").read_bytes()
    assert before.count(b"\n") == 1 + 4
    shutil.rmtree(tmp_path / "runs")
    leave(tmp_path, found[0].grid_stage()[2], [200.0, 100.0])
    merge.merge(figure, "smoke", found, tmp_path, folder, keep=True)
    after = (folder / "fig4.csv").read_bytes()
    assert set(before.splitlines()) < set(after.splitlines())
    assert after.count(b"\n") == 1 + 6
