"""What the measured claims are measured with: the numbers are those of the trial that is watched."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest

from adam_repro.claims import script_measurements
from adam_repro.claims.judge import load

SCRIPTS = Path(__file__).parents[2] / "scripts"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    monkeypatch.syspath_prepend(str(SCRIPTS))
    yield importlib.import_module("claims")
    sys.modules.pop("claims", None)


def run(script: ModuleType, monkeypatch: pytest.MonkeyPatch, *words: str) -> None:
    monkeypatch.setattr(sys, "argv", ["claims.py", *words])
    script.main()


@pytest.mark.slow
def test_of_epsilon_that_is_large_all_parameters_are_below(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["task=mlp", "optimizer=adam", "epochs=2", *script.GENERATED["mlp"]]
    for eps, share in (("1e9", 1.0), ("1e-30", None)):
        rows = script.train([*words, f"optimizer.eps={eps}"], script.second_moment)
        assert [row["epoch"] for row in rows] == [1, 2]
        for row in rows:
            # Below an epsilon that nothing is below, only what never had a gradient.
            assert row["share_below_eps"] == (share or row["share_never_moved"])
            assert 0 <= row["share_never_moved"] < 1
            assert row["root_at_0.01"] <= row["root_at_0.5"] < 10


@pytest.mark.slow
def test_what_was_measured_is_not_measured_again_and_is_what_the_report_reads(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    words = ("cnn_eps", "--quick", "--epochs", "1", "--out", str(tmp_path))
    run(script, monkeypatch, *words, "--seeds", "0")
    path = tmp_path / "claim_cnn_eps_quick.csv"
    first = pd.read_csv(path)
    monkeypatch.setattr(script, "train", None)  # would fail if it were called
    run(script, monkeypatch, *words, "--seeds", "0")
    assert pd.read_csv(path).equals(first)
    path.rename(tmp_path / "claim_cnn_eps.csv")
    claim = next(one for one in load() if one.id == "cnn_eps")
    evidence = replace(claim.evidence[0], bounds=(0, 1))  # one pass was measured
    (found,) = script_measurements.second_moment(evidence, tmp_path)
    assert found.interval.mean == pytest.approx(float(first["share_below_eps"][0]))


@pytest.mark.slow
def test_more_subfunctions_take_more_memory(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    run(script, monkeypatch, "sfo_memory", "--quick", "--counts", "2", "6", "--out", str(tmp_path))
    rows = pd.read_csv(tmp_path / "claim_sfo_memory_quick.csv").set_index("n_subfunctions")
    assert set(rows["parameters"]) == {1_796_010}  # 784-1000-1000-10 with biases
    grown = rows["bytes"][6] - rows["bytes"][2]
    assert grown > 0.8 * 4 * script_measurements.VECTORS * script_measurements.FLOAT64 * 1_796_010


@pytest.mark.slow
def test_a_rescaled_cost_rescales_the_gradient_and_the_state_is_two_vectors(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(script, "FACTORS", (1.0, 2.0**-20))
    run(script, monkeypatch, "invariance", "--quick", "--out", str(tmp_path))
    rows = pd.read_csv(tmp_path / "claim_invariance_quick.csv").set_index(["factor", "eps"])
    small = rows.index.get_level_values("factor").min()
    costs = rows["train_cost"]
    assert costs[small, 0.0] == costs[1.0, 0.0]  # not one digit
    assert abs(costs[small, 1e-8] / costs[1.0, 1e-8] - 1) > 0.01  # it did rescale the gradients
    words = ["task=logreg", "optimizer=adam", "epochs=1", *script.GENERATED["logreg"]]
    (found,) = script.train(words, script.state)
    assert (found["parameters"], found["state"]) == (7850, 2 * 7850)
