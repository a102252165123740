"""Rows are read by the names in the file's own header: other columns make no trial unreadable."""

from __future__ import annotations

import codecs
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from torch import Tensor

from adam_repro.config.trial import Run
from adam_repro.errors import UserError
from adam_repro.runs.execute import execute
from adam_repro.runs.folder import TrialFolder
from adam_repro.runs.metrics import COLUMNS, CsvRows
from adam_repro.tasks import MODELS, Batch
from adam_repro.tasks.logreg import LogisticRegression
from adam_repro.tasks.mlp import MultilayerPerceptron
from tests.helpers import Compose, KillAfter, Killed, elsewhere


def rewrite(path: Path, frame: pd.DataFrame) -> None:
    frame.to_csv(path, index=False, lineterminator="\n")


@pytest.mark.parametrize("change", ["one less", "one more", "another order"])
def test_a_finished_trial_with_other_columns_is_finished(
    change: str, trial: Compose, run: Run
) -> None:
    one = trial("task=logreg")
    execute([one], run)
    folder = TrialFolder(one, run.results_dir)
    rows = pd.read_csv(folder.metrics)
    changed = {
        "one less": rows.drop(columns="grad_norm"),
        "one more": rows.assign(perplexity=1.5),
        "another order": rows[[*reversed(rows.columns)]],
    }[change]
    rewrite(folder.metrics, changed)
    before = folder.metrics.read_bytes()
    assert execute([one], run) == {one.identity: "finished"}
    assert folder.metrics.read_bytes() == before


@pytest.mark.parametrize("change", ["one less", "one more"])
def test_a_trial_begun_with_other_columns_goes_on(change: str, trial: Compose, run: Run) -> None:
    one = trial("task=logreg")
    whole = elsewhere(run, "whole")
    execute([one], whole)
    with pytest.raises(Killed):
        execute([one], run, [KillAfter(9)])  # in the second epoch
    folder = TrialFolder(one, run.results_dir)
    rows = pd.read_csv(folder.metrics, dtype=str)
    changed = (
        rows.drop(columns="grad_norm") if change == "one less" else rows.assign(perplexity="1.5")
    )
    rewrite(folder.metrics, changed)
    assert execute([one], run) == {one.identity: "finished"}
    found = pd.read_csv(folder.metrics, dtype=str)
    expected = pd.read_csv(TrialFolder(one, whole.results_dir).metrics, dtype=str)
    missing = {"one less": ["grad_norm"], "one more": ["perplexity"]}[change]
    assert set(found.columns) == {*COLUMNS, *missing}
    shared = [name for name in COLUMNS if name not in missing]
    pd.testing.assert_frame_equal(found[shared], expected[shared])
    first = [found[name].isna().tolist() for name in missing]
    assert first == [[change == "one less", *[change == "one more"] * 2]]


def test_without_a_needed_column_a_file_has_no_rows(trial: Compose, run: Run) -> None:
    one = trial("task=logreg")
    execute([one], run)
    path = TrialFolder(one, run.results_dir).metrics
    rewrite(path, pd.read_csv(path).drop(columns="train_cost"))
    with pytest.raises(UserError, match="whole rows for 0 of"):
        execute([one], run)


def test_a_header_that_names_a_column_twice_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("epoch,train_cost,epoch\n0,1,0\n")
    assert CsvRows(tmp_path / "x.csv", ("epoch",)).rows == []


class Confident(MultilayerPerceptron):
    """Logs how sure the network is, and what follows from another column."""

    columns = ("confidence", "perplexity")

    def test_metrics(self, output: Tensor, batch: Batch) -> dict[str, Tensor]:
        return {"confidence": output.softmax(-1).amax(-1)}

    def row_metrics(self, row: Any) -> dict[str, float | None]:
        return {"perplexity": 2.0 ** row["test_cost"]}


class ConfidentLinear(LogisticRegression):
    columns = ("confidence",)

    def test_metrics(self, output: Tensor, batch: Batch) -> dict[str, Tensor]:
        return {"confidence": output.softmax(-1).amax(-1)}


@pytest.mark.slow
@pytest.mark.parametrize("kind", [Confident, ConfidentLinear])
def test_a_task_logs_columns_of_its_own(
    kind: Any, trial: Compose, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "mlp" if kind is Confident else "logreg"
    monkeypatch.setitem(MODELS, name, kind)
    words = [f"task={name}", "task.data.n_train=128", "epochs=1"]
    stack = [trial(*words, f"optimizer.lr={lr}") for lr in (1e-3, 1e-2)]
    batched = elsewhere(run, "batched", engine="batched")
    execute(stack, run)
    execute(stack, batched)
    for one in stack:
        rows = pd.read_csv(TrialFolder(one, run.results_dir).metrics)
        assert tuple(rows.columns) == (*COLUMNS, *kind.columns)
        assert rows["confidence"].between(0.1, 1.0).all()
        together = pd.read_csv(TrialFolder(one, batched.results_dir).metrics)
        torch.testing.assert_close(
            torch.tensor(rows["confidence"].to_numpy()),
            torch.tensor(together["confidence"].to_numpy()),
            rtol=1e-4,
            atol=0,
        )
        if kind is Confident:
            assert rows["perplexity"].iloc[0] == pytest.approx(2.0 ** rows["test_cost"].iloc[0])


ROWS = b"epoch,train_cost\n0,2.5\n1,1.5\n2,0.5\n"


@pytest.mark.parametrize(
    "changed",
    [
        ROWS.replace(b"\n", b"\r\n"),
        codecs.BOM_UTF8 + ROWS,
        codecs.BOM_UTF8 + ROWS.replace(b"\n", b"\r\n"),
        b",epoch,train_cost\n0,0,2.5\n1,1,1.5\n2,2,0.5\n",
    ],
    ids=["CRLF", "BOM", "both", "index"],
)
def test_a_file_that_was_changed_on_its_way_is_whole(changed: bytes, tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    path.write_bytes(changed)
    table = CsvRows(path, ("epoch", "train_cost"))
    assert len(table.rows) == 3
    assert table.nothing_follows()
    assert table.flaw == ""
    table.keep(2, table.columns)
    assert path.read_bytes().endswith(b"1,1.5\n")
    assert b"\r" not in path.read_bytes()
    assert not path.read_bytes().startswith(codecs.BOM_UTF8)


@pytest.mark.parametrize(
    ("changed", "rows", "flaw"),
    [
        (ROWS.replace(b",", b";"), 0, "not separated by commas"),
        (ROWS.replace(b",", b"\t"), 0, "not separated by commas"),
        (ROWS.replace(b",", b";").replace(b".", b","), 0, "not separated by commas"),
        (ROWS.replace(b"\n", b"\r"), 0, "CR alone"),
        (ROWS.decode().encode("utf-16"), 0, "not UTF-8"),
        (ROWS.replace(b"train_cost", b"cost"), 0, "lacks train_cost"),
        (ROWS[:-1], 2, "last line has no end"),
        (ROWS + ROWS, 3, "no row that could follow: 'epoch,train_cost'"),
        (ROWS + ROWS.split(b"\n", 1)[1], 3, "no row that could follow: '0,2.5'"),
        (ROWS.replace(b"1,1.5\n", b""), 1, "no row that could follow: '2,0.5'"),
        (ROWS.replace(b"1,1.5", b"1,low"), 1, "no row that could follow: '1,low'"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(
    changed: bytes, rows: int, flaw: str, tmp_path: Path
) -> None:
    path = tmp_path / "metrics.csv"
    path.write_bytes(changed)
    table = CsvRows(path, ("epoch", "train_cost"))
    assert len(table.rows) == rows
    assert not table.nothing_follows()
    assert flaw in table.flaw
