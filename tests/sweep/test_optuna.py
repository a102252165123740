"""A search by Optuna's sweeper: its batches are stacks, its objective is the final training cost."""

from __future__ import annotations

import math
from pathlib import Path

import pandas as pd
import pytest
import yaml

from adam_repro.cli import main
from tests.helpers import TINY_COMMAND as TINY
from tests.helpers import needs

pytestmark = needs("optuna")


@pytest.mark.slow
def test_a_search_goes_past_divergence_and_repetition(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Six draws from two stepsizes, in two batches: some are drawn twice, and one diverges."""
    monkeypatch.chdir(tmp_path)
    search = ["hydra/sweeper=optuna", "hydra.sweeper.n_trials=6", "hydra.sweeper.n_jobs=3"]
    fixed = ["hydra.sweeper.sampler.seed=0", "task=logreg", "optimizer=sgd", *TINY]
    assert main(["run", "-m", *search, *fixed, "optimizer.lr=1e-2,1e30"]) == 0
    out, _ = capfd.readouterr()
    assert out.count("best lr") == out.count("every trial:") == 1  # of two batches one table
    assert "edge of the grid" not in out  # 1e-2 is the smallest drawn, and of no grid
    (table,) = tmp_path.rglob("sweep.csv")
    frame = pd.read_csv(table).set_index("lr")
    assert dict(frame["status"]) == {1e-2: "finished", 1e30: "diverged"}
    (found,) = tmp_path.rglob("optimization_results.yaml")
    best = yaml.safe_load(found.read_text())
    assert float(best["best_params"]["optimizer.lr"]) == 1e-2
    assert math.isclose(best["best_value"], frame.loc[1e-2, "train_cost"], rel_tol=1e-6)
