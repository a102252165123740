"""Theory's figures from CSV alone, and the command that makes the CSVs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from adam_repro import statistics
from adam_repro.claims.theory import theory_verdicts
from adam_repro.cli import main
from adam_repro.commands import theory
from adam_repro.commands.run import train_one
from adam_repro.config.trial import Run
from adam_repro.errors import UserError
from adam_repro.online import closed_form_checks
from adam_repro.plots.theory import draw_theory
from adam_repro.report import pages
from adam_repro.report import theory as section
from tests.helpers import Compose

PLAN = {
    "regret": {"streams": ["least_squares", "sparse"], "optimizers": ["adam", "sgd"]},
    "counterexample": {
        "theorem1": {
            "Adam": ["optimizer=adam", "optimizer.beta1=0", "optimizer.bias_correction=both"]
        }
    },
    "scale": {
        "lr": [0.03, 0.3],
        "regret": {"rounds": 60, "epochs": 4},
        "counterexample": {"epochs": 6},
        "rounds": {"theorem1": 600},
        "seeds": {"theorem1": 1},
    },
    "name": "smoke",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    few = [
        closed_form_checks.signal_to_noise(1.0, t=4),
        *closed_form_checks.bias_factors((1, 10), n=50),
    ]
    results = tmp_path_factory.mktemp("results")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(closed_form_checks, "run_all", lambda: few)
        theory.reproduce(PLAN, Run(device="cpu", results_dir=results, progress=False))
    return results / "paper"


@pytest.mark.slow
def test_the_experiment_leaves_csvs_and_figures(folder: Path) -> None:
    rows = pd.read_csv(folder / "theory_regret.csv")
    assert set(rows["place"]) == {"least_squares", "sparse"}
    best = rows[rows["best"]]
    assert (best.groupby(["place", "method"])["identity"].nunique() == 1).all()
    assert (best.groupby("identity")["step"].max() == 60).all()
    assert len(rows) == 4 * 4 + 4  # the best in full, the last row of the others
    least = rows[rows["step"] == 60].groupby(["place", "method"])["regret"].min()
    assert set(least) <= set(best["regret"])
    for kind in ("png", "pdf", "svg"):
        drawn = list(folder.glob(f"*.{kind}"))
        assert len(drawn) == 6
        assert all(path.stat().st_size > 5000 for path in drawn)


@pytest.mark.slow
def test_the_same_csv_gives_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    name = "theory_demonstrations.csv"
    (tmp_path / name).write_bytes((folder / name).read_bytes())
    (drawing,) = draw_theory(tmp_path)
    for kind in ("png", "pdf", "svg"):
        file = f"{drawing.name}.{kind}"
        assert (tmp_path / file).read_bytes() == (folder / file).read_bytes()


def test_a_trial_ends_with_its_picture_and_its_numbers(
    trial: Compose, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["task=counterexample", "task.rounds=500", "epochs=5"]
    one = trial(*words, tiny=False)
    train_one(one, run)
    output = capsys.readouterr().out
    assert "regret after T = 500" in output
    assert "in [-1, 1]" in output
    assert "nan" not in output
    assert (one.folder(run.results_dir) / "curve.png").stat().st_size > 5000


@pytest.mark.slow
def test_drawing_needs_no_torch() -> None:
    code = "import sys; import adam_repro.plots.theory; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_every_scale_of_the_plan_can_be_composed() -> None:
    for scale in ("paper", "smoke"):
        assert theory.load(scale)["name"] == scale
    with pytest.raises(UserError, match="scale=tiny: must be one of paper, smoke"):
        theory.load("tiny")
    assert main(["theory", "scales=smoke"]) == 2


def test_the_slope_of_a_regret() -> None:
    T = [10, 100, 1000]
    assert statistics.regret_slope(T, [1, 10**-0.5, 0.1]) == pytest.approx(-0.5)


@pytest.mark.slow
def test_the_section_has_every_figure_and_every_verdict(folder: Path) -> None:
    pages.write([], [], section.load(folder), folder)
    page, text = (folder / "index.html").read_text(), (folder / "README.md").read_text()
    found = theory_verdicts(folder)
    assert page.count("<figure>") == text.count("![") == 6
    assert page.count("<tr>") == len(found) + 1  # and the head
    words = {one.statement: one.verdict for one in found}
    assert words["m̂/√v̂ is closer to 0 near an optimum"] == "supported"
    # Runs of a reduced scale decide nothing.
    assert {one.verdict for one in found if one.section == "4"} == {"undecided"}


def test_without_its_csvs_there_is_no_section(tmp_path: Path) -> None:
    assert section.load(tmp_path) is None


def test_verdicts_follow_the_numbers(tmp_path: Path) -> None:
    rows = pd.DataFrame(
        {
            "place": "theorem1",
            "method": "Adam",
            "step": [10, 100, 1000],
            "regret": [13.0, 133.0, 1333.0],
            "average_regret": 1.333,
            "bound": [60.0, 200.0, 600.0],
            "x": 1.0,
            "seed": 0,
            "scale": "paper",
        }
    )
    rows.to_csv(tmp_path / "theory_counterexample.csv")
    assert [one.verdict for one in theory_verdicts(tmp_path)] == ["contradicted", "contradicted"]
    rows.assign(bound=1e6, average_regret=0.01).to_csv(tmp_path / "theory_counterexample.csv")
    assert [one.verdict for one in theory_verdicts(tmp_path)] == ["supported", "supported"]
