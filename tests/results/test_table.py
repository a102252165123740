"""Validation of merged CSVs: missing, empty, cut off, of something else."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from adam_repro.results import table
from adam_repro.wording import counted
from tests.merged_csvs import cells, curves, grid, put


def test_what_is_written_is_read_back(folder: Path) -> None:
    written = curves("fig1_mnist", seeds=2)
    table.write(written, folder / "fig1_mnist.csv")
    merged = table.read(folder, "fig1_mnist")
    assert merged.problems == []
    assert len(merged.rows) == len(written)
    assert set(merged.rows.columns) == set(table.COLUMNS)


def test_a_missing_file_leaves_no_rows(folder: Path) -> None:
    merged = table.read(folder, "fig1_mnist")
    assert merged.rows.empty
    assert merged.problems == ["fig1_mnist.csv is missing"]


def test_an_empty_file_leaves_no_rows(folder: Path) -> None:
    (folder / "fig1_mnist.csv").write_text("")
    assert table.read(folder, "fig1_mnist").problems == ["fig1_mnist.csv is empty"]


def test_a_head_without_rows_is_reported(folder: Path) -> None:
    (folder / "fig1_mnist.csv").write_text(",".join(table.COLUMNS) + "\n")
    assert table.read(folder, "fig1_mnist").problems == ["fig1_mnist.csv has no rows"]


def test_a_line_cut_off_is_left_out(folder: Path) -> None:
    put(folder, "fig1_mnist", curves("fig1_mnist", seeds=1))
    path = folder / "fig1_mnist.csv"
    whole = len(table.read(folder, "fig1_mnist").rows)
    path.write_text(path.read_text(encoding="utf-8")[:-40])
    merged = table.read(folder, "fig1_mnist")
    assert len(merged.rows) == whole - 1
    assert merged.problems == ["fig1_mnist.csv: 1 row is incomplete or not numeric: ignored"]


def test_a_file_of_something_else_is_not_used(folder: Path) -> None:
    (folder / "fig1_mnist.csv").write_text("name,age\nAda,36\n")
    merged = table.read(folder, "fig1_mnist")
    assert merged.rows.empty
    assert "lacks the columns figure, series, epoch, train_cost" in merged.problems[0]


@pytest.mark.parametrize("column", [name for name in table.COLUMNS if name != "eval_train_cost"])
def test_a_figures_own_file_without_one_of_its_columns_is_not_used(
    column: str, folder: Path
) -> None:
    put(folder, "fig1_mnist", curves("fig1_mnist", seeds=1).drop(columns=column))
    merged = table.read(folder, "fig1_mnist")
    assert merged.rows.empty
    assert merged.problems == [f"fig1_mnist.csv lacks the columns {column}: the file is ignored"]


def test_a_figures_own_file_may_be_older_than_evaluations_after_a_pass(folder: Path) -> None:
    put(folder, "fig1_mnist", curves("fig1_mnist", seeds=1).drop(columns="eval_train_cost"))
    merged = table.read(folder, "fig1_mnist")
    assert len(merged.rows)
    assert merged.problems == []


def test_a_file_that_is_no_text_is_reported(folder: Path) -> None:
    (folder / "fig1_mnist.csv").write_bytes(bytes(range(256)) * 20)
    merged = table.read(folder, "fig1_mnist")
    assert merged.rows.empty
    assert len(merged.problems) == 1


def test_rows_of_another_figure_are_left_out(folder: Path) -> None:
    both = pd.concat([curves("fig1_mnist", seeds=1), curves("fig2a", seeds=1)])
    put(folder, "fig1_mnist", both)
    merged = table.read(folder, "fig1_mnist")
    assert set(merged.rows["figure"]) == {"fig1_mnist"}
    assert "of another figure" in merged.problems[0]


def test_words_in_the_place_of_numbers_are_left_out(folder: Path) -> None:
    rows = curves("fig1_mnist", seeds=1).astype({"train_cost": object})
    rows.loc[3, "train_cost"] = "about a half"
    put(folder, "fig1_mnist", rows)
    merged = table.read(folder, "fig1_mnist")
    assert len(merged.rows) == len(rows) - 1


def test_an_optimizer_of_ones_own_needs_four_columns(folder: Path) -> None:
    put(folder, "fig1_mnist", curves("fig1_mnist", seeds=1))
    (folder / "extra").mkdir()
    (folder / "extra" / "mine.csv").write_text(
        "figure,series,epoch,train_cost\nfig1_mnist,Mine,0,0.9\nfig1_mnist,Mine,1,0.5\n"
    )
    mine = table.read(folder, "fig1_mnist").rows.query("series == 'Mine'")
    assert list(mine["train_cost"]) == [0.9, 0.5]
    assert mine["selected"].all()
    assert set(mine["reading"]) == {""}


@pytest.mark.parametrize("at", [1, 2, -1])
@pytest.mark.parametrize("more", [",more", ",more,and more"])
def test_a_line_with_more_cells_than_the_head_is_left_out_and_reported(
    more: str, at: int, folder: Path
) -> None:
    put(folder, "fig1_mnist", curves("fig1_mnist", seeds=1))
    whole = table.read(folder, "fig1_mnist").rows
    path = folder / "fig1_mnist.csv"
    lines = path.read_text(encoding="utf-8").splitlines()
    lines[at] += more
    path.write_text("\n".join(lines))
    merged = table.read(folder, "fig1_mnist")
    assert merged.problems == ["fig1_mnist.csv: 1 row is incomplete or not numeric: ignored"]
    left = whole.drop(index=whole.index[at - 1 if at > 0 else at]).reset_index(drop=True)
    pd.testing.assert_frame_equal(merged.rows, left)


def test_every_line_with_a_cell_more_is_reported(folder: Path) -> None:
    put(folder, "fig1_mnist", curves("fig1_mnist", seeds=1))
    path = folder / "fig1_mnist.csv"
    head, *lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join([head, *(f"{i},{line}" for i, line in enumerate(lines))]))
    merged = table.read(folder, "fig1_mnist")
    assert merged.rows.empty
    assert f"fig1_mnist.csv: {len(lines)} rows" in merged.problems[0]


def test_a_comma_at_the_end_of_every_line_loses_nothing(folder: Path) -> None:
    put(folder, "fig1_mnist", curves("fig1_mnist", seeds=1))
    whole = table.read(folder, "fig1_mnist").rows
    path = folder / "fig1_mnist.csv"
    head, *lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join([head, *(f"{line}," for line in lines)]))
    merged = table.read(folder, "fig1_mnist")
    assert merged.problems == []
    pd.testing.assert_frame_equal(merged.rows, whole)


@pytest.mark.parametrize("column", ["seed", "epoch"])
@pytest.mark.parametrize("value", ["inf", "-inf", "1e300", "0.5", "-1"])
def test_a_seed_and_an_epoch_are_whole_numbers(value: str, column: str, folder: Path) -> None:
    put(folder, "fig1_mnist", curves("fig1_mnist", seeds=1))
    (folder / "extra").mkdir()
    mine = pd.DataFrame(
        {"figure": "fig1_mnist", "series": "Mine", "seed": "0", "epoch": ["0", "1"]}
    ).assign(train_cost="0.5")
    mine.loc[1, column] = value
    mine.to_csv(folder / "extra" / "mine.csv", index=False)
    merged = table.read(folder, "fig1_mnist")
    assert merged.problems == ["extra/mine.csv: 1 row is incomplete or not numeric: ignored"]
    assert list(merged.rows.query("series == 'Mine'")["epoch"]) == [0]


def test_a_seed_that_is_not_given_is_0(folder: Path) -> None:
    put(folder, "fig1_mnist", curves("fig1_mnist", seeds=1).assign(seed=""))
    merged = table.read(folder, "fig1_mnist")
    assert merged.problems == []
    assert set(merged.rows["seed"]) == {0}


def test_two_trials_of_one_seed_that_are_both_drawn_are_reported(folder: Path) -> None:
    found = curves("fig1_mnist", seeds=2)
    again = found[(found["identity"] == "dense_grid-Adam-1") & (found["epoch"] < 3)]
    put(folder, "fig1_mnist", pd.concat([found, again.assign(identity="other", lr=0.1)]))
    assert table.read(folder, "fig1_mnist").problems == [
        "fig1_mnist.csv: Adam: 3 rows with the seed and epoch of another trial"
    ]


def test_a_grid_that_is_not_drawn_shares_seeds_and_epochs(folder: Path) -> None:
    put(folder, "fig1_mnist", pd.concat([curves("fig1_mnist", seeds=1), grid("fig1_mnist", 5)]))
    assert table.read(folder, "fig1_mnist").problems == []


@pytest.mark.slow
def test_figure_4_draws_every_stepsize_of_a_seed_once(folder: Path) -> None:
    found = cells(seeds=2)
    put(folder, "fig4", found)
    assert table.read(folder, "fig4").problems == []
    put(folder, "fig4", pd.concat([found, found.head(1).assign(identity="other")]))
    assert table.read(folder, "fig4").problems == [
        "fig4.csv: with bias correction: 1 row with the seed and epoch of another trial"
    ]


@pytest.mark.parametrize("status", ["failed", "running", "damaged"])
def test_rows_of_a_trial_that_is_not_complete_are_no_results(status: str, folder: Path) -> None:
    found = curves("fig1_mnist", seeds=2)
    bad = found["seed"] == 1
    found.loc[bad, ["status", "train_cost"]] = [status, 1e-9]
    put(folder, "fig1_mnist", found)
    merged = table.read(folder, "fig1_mnist")
    assert set(merged.rows["seed"]) == {0}
    assert set(merged.rows["status"]) == {"finished"}
    assert merged.rows["train_cost"].min() > 1e-6
    assert (
        f"{counted(bad.sum(), 'row')} of trials that are not complete ({status})"
        in merged.problems[0]
    )
