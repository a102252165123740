"""The summary of one trial: its costs, and the paper's at the same epochs where it has them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from adam_repro.figures import paper_curves
from adam_repro.plots import trial as trial_plot
from tests.helpers import Compose


@pytest.fixture
def folder(trial: Compose, tmp_path: Path) -> Path:
    """A trial of figure 1, left, whose training cost is the paper's times 1.02."""
    epochs = np.arange(46)
    line = paper_curves.Reference("fig1_left", "Adam")
    cost = paper_curves.interpolate(line, epochs.astype(float)) * 1.02
    record = {
        "status": "finished",
        "config": dict(trial("task=logreg", tiny=False).settings),
        "provenance": {"hardware": "a test"},
    }
    (tmp_path / "trial.yaml").write_text(yaml.safe_dump(record))
    rows = {"epoch": epochs, "train_cost": cost, "test_cost": cost, "train_error": 0.1}
    pd.DataFrame(rows).assign(test_error=0.1).to_csv(tmp_path / "metrics.csv", index=False)
    pd.DataFrame({"epoch": epochs, "seconds": 0.5}).to_csv(tmp_path / "timing.csv", index=False)
    return tmp_path


def test_the_summary_stands_beside_the_papers_numbers(folder: Path) -> None:
    text = trial_plot.summary(folder)
    assert "finished after 46 epochs, 23.0 s of training on a test" in text
    assert "beside the paper's Adam in figure 1 (left)" in text
    lines = [line.split() for line in text.splitlines() if line.endswith("%")]
    epochs = [line[0] for line in lines if line[0].isdigit()]
    assert epochs == ["0", "1", "2", "5", "10", "20", "30", "45"]
    assert ["10", "0.2854", "0.2798", "+2.0", "%"] in lines
    assert "median difference over the curve 2.0 %" in text


def test_the_curve_is_drawn_whole(folder: Path) -> None:
    path = trial_plot.draw(folder)
    assert path.read_bytes().startswith(b"\x89PNG")
    assert sorted(p.name for p in folder.glob("*.png")) == ["curve.png"]


def test_figure_2b_is_compared_after_each_pass(folder: Path, trial: Compose) -> None:
    record = yaml.safe_load((folder / "trial.yaml").read_text(encoding="utf-8"))
    record["config"] = dict(trial("task=mlp_deterministic", tiny=False).settings)
    (folder / "trial.yaml").write_text(yaml.safe_dump(record))
    x = np.arange(1.0, 26.0)
    cost = paper_curves.interpolate(paper_curves.Reference("fig2_b_top", paper_curves.UNDIVIDED), x)
    rows = {"epoch": range(25), "train_cost": 9.0, "eval_train_cost": cost * 0.9, "test_cost": 0.1}
    pd.DataFrame(rows).assign(train_error=0.1, test_error=0.1).to_csv(
        folder / "metrics.csv", index=False
    )
    text = trial_plot.summary(folder)
    assert "beside the paper's Adam, undivided in figure 2b" in text
    lines = [line.split() for line in text.splitlines() if line.endswith("%")]
    shown = [line for line in lines if line[0].isdigit()]
    assert [line[0] for line in shown] == ["1", "2", "5", "10", "20", "25"]
    assert {line[3] for line in shown} == {"-10.0"}
    assert trial_plot.draw(folder).read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("optimizer", "expected"),
    [("adam", "seed 0, batch size 128: finished"), ("sfo", "seed 0: finished")],
)
def test_only_what_has_minibatches_has_their_size(
    folder: Path, trial: Compose, optimizer: str, expected: str
) -> None:
    record = yaml.safe_load((folder / "trial.yaml").read_text(encoding="utf-8"))
    composed = trial("task=mlp", f"optimizer={optimizer}", tiny=False)
    record["config"] = dict(composed.settings)
    (folder / "trial.yaml").write_text(yaml.safe_dump(record))
    assert expected in trial_plot.summary(folder)
