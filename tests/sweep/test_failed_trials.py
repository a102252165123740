"""One bad trial: the others of its sweep are trained, a search goes past it, and it is never the best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
import yaml

from adam_repro import data, open_files
from adam_repro.cli import main
from adam_repro.config.trial import Run
from adam_repro.errors import TrialFailedError, UserError
from adam_repro.runs.folder import TrialFolder
from adam_repro.sweep import dispatch, here, train_all
from adam_repro.sweep.workers import Workers
from tests.helpers import TINY_COMMAND, Compose

MODULE = """
import torch

class Raises(torch.optim.SGD):
    def __init__(self, params, lr=1e-3):
        super().__init__(params, lr=lr)
    def step(self, closure=None):
        if self.param_groups[0]["lr"] > 0.05:
            raise ValueError("lr too large for this rule")
        super().step(closure)

class Refuses(torch.optim.SGD):
    def __init__(self, params, lr=1e-3):
        if lr > 0.05:
            raise ValueError("invalid lr")
        super().__init__(params, lr=lr)
"""
RUN = ["run", "-m", "task=logreg", "optimizer=torch", *TINY_COMMAND]
SEARCH = [
    *RUN, "hydra/sweeper=optuna", "hydra.sweeper.n_trials=6", "hydra.sweeper.n_jobs=2",
    "hydra.sweeper.sampler.seed=1",
]  # fmt: skip


@pytest.fixture(autouse=True)
def _module(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    modules = tmp_path_factory.mktemp("modules")
    (modules / "fragile_optimizers.py").write_text(MODULE, encoding="utf-8")
    monkeypatch.syspath_prepend(modules)
    monkeypatch.chdir(tmp_path)


def table(folder: Path) -> pd.DataFrame:
    (path,) = folder.rglob("sweep.csv")
    return pd.read_csv(path)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["Raises", "Refuses"])
def test_a_search_goes_past_a_failure(
    name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("optuna")
    words = [f"optimizer.target=fragile_optimizers.{name}", "optimizer.lr=1e-2,1e-1"]
    assert main([*SEARCH, *words]) == 0
    err = capfd.readouterr().err
    assert f"fragile_optimizers.{name}" in err
    assert "count as infinitely bad" in err
    (found,) = tmp_path.rglob("optimization_results.yaml")
    best = yaml.safe_load(found.read_text(encoding="utf-8"))
    assert float(best["best_params"]["optimizer.lr"]) == 1e-2
    finished = table(tmp_path).query("status == 'finished'")
    assert list(finished["lr"]) == [1e-2]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Refuses", ["optimizer.lr=interval(0.1,1)"]),
        ("Raises", ["optimizer.lr=0.1", "seed=1,2"]),
    ],
)
def test_a_search_without_any_result_is_a_mistake(
    name: str, words: list[str], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("optuna")
    short = [word.replace("trials=6", "trials=2") for word in SEARCH]
    assert main([*short, f"optimizer.target=fragile_optimizers.{name}", *words]) == 2
    err = capfd.readouterr().err
    assert f"adam-repro run: optimizer.target=fragile_optimizers.{name}" in err
    assert "Traceback" not in err
    if name == "Refuses":  # nothing was trained, and nothing is left
        assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_failure_in_one_batch_of_a_grid_is_told_after_the_last(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    words = ["optimizer.target=fragile_optimizers.Raises", "optimizer.lr=1e-1,1e-2,2e-2"]
    assert main([*RUN, "hydra.sweeper.max_batch_size=1", *words]) == 2
    out, err = capfd.readouterr()
    assert "2 finished, 1 failed" in out
    assert "lr too large for this rule" in err
    frame = table(tmp_path)
    assert dict(zip(frame["lr"], frame["status"], strict=True)) == {
        1e-2: "finished", 2e-2: "finished", 1e-1: "failed",
    }  # fmt: skip


@pytest.mark.slow
def test_a_trial_with_damaged_rows_does_not_stop_the_others(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    words = ["run", "-m", "task=logreg", "optimizer=adam", *TINY_COMMAND]
    assert main([*words, "optimizer.lr=1e-3"]) == 0
    (metrics,) = tmp_path.rglob("metrics.csv")
    semicolons = metrics.read_bytes().replace(b",", b";")
    metrics.write_bytes(semicolons)
    assert main([*words, "optimizer.lr=1e-3,1e-2"]) == 2
    out, err = capfd.readouterr()
    assert "1 finished, 1 damaged" in out
    assert "its cells are not separated by commas" in err
    assert metrics.read_bytes() == semicolons
    assert len(list(tmp_path.rglob("metrics.csv"))) == 2


@pytest.mark.slow
def test_sweeps_of_the_same_second_have_folders_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    class Stopped(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:
            return datetime(2014, 12, 22)

    monkeypatch.setattr("hydra.core.utils.datetime", Stopped)
    words = ["run", "-m", "task=logreg", "optimizer=adam", *TINY_COMMAND, "epochs=1"]
    for lr in ("1e-3,2e-3", "1e-2,2e-2"):
        assert main([*words, f"optimizer.lr={lr}"]) == 0
    tables = sorted(tmp_path.rglob("sweep.csv"))
    assert len(tables) == 2
    assert len({path.parent.name.rsplit("_", 1)[0] for path in tables}) == 1  # one second
    out = capfd.readouterr().out
    assert all(str(path.relative_to(tmp_path)) in out for path in tables)
    assert sorted(lr for path in tables for lr in pd.read_csv(path)["lr"]) == [
        1e-3,
        2e-3,
        1e-2,
        2e-2,
    ]


def test_a_stack_is_no_longer_than_files_may_be_open(
    trial: Compose, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    trials = [trial("task=logreg", f"optimizer.lr={lr}", "epochs=1") for lr in (1e-4, 1e-3, 1e-2)]
    lengths = []
    execute = here.execute

    def counted(stack: Sequence[object], *rest: object) -> dict[str, str]:
        lengths.append(len(stack))
        return execute(stack, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(here, "execute", counted)
    monkeypatch.setattr(open_files, "room", lambda: 2)
    assert set(train_all(trials, run).values()) == {"finished"}
    assert lengths == [2, 1]


def test_too_many_open_files_names_the_limit(
    trial: Compose, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> int:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr("adam_repro.file_locks.os.open", refuse)
    with pytest.raises(Exception, match="ulimit -n") as told:
        TrialFolder(trial("task=logreg"), run.results_dir).acquire()
    assert "results_dir" not in str(told.value)


def test_workers_that_are_gone_are_no_mistake_of_a_trial() -> None:
    paths = SimpleNamespace(result_pickle=Path("/nowhere"), stdout="log")
    job = SimpleNamespace(job_id="1", paths=paths)
    error = dispatch._failure([job], 1, 2)
    assert type(error).__name__ == "WorkerFailedError"
    assert not isinstance(error, TrialFailedError)
    assert Workers().executor == "here"


def test_a_results_folder_that_cannot_be_written_is_told_before_the_data_are_read(
    tmp_path: Path, trial: Compose, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr(data, "load", None)
    with pytest.raises(UserError, match="results_dir: cannot write to"):
        train_all([trial("optimizer=adam")], replace(run, results_dir=tmp_path / "file" / "below"))
