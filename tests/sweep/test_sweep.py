"""Sweeps: stacks, what is missing, competing processes, the closing table."""

from __future__ import annotations

import multiprocessing
import re
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import yaml

from adam_repro.cli import main
from adam_repro.config.trial import Run, Trial
from adam_repro.errors import UserError
from adam_repro.figures import paper_curves
from adam_repro.runs.folder import TrialFolder
from adam_repro.sweep import table, train_all
from adam_repro.sweep.grouping import group
from adam_repro.sweep.progress import SweepBar
from tests.helpers import Compose, elsewhere, metrics_bytes

SWEEP = [
    "run", "-m", "task=logreg", "optimizer=adam,adagrad,sgd_nesterov",
    "task.data.name=synthetic", "+task.data.n_train=256", "+task.data.n_test=64",
    "task.epoch_examples=null", "epochs=2", "progress=false",
]  # fmt: skip


def grid(trial: Compose, *words: str) -> list[Trial]:
    return [
        trial("task=logreg", f"optimizer={name}", f"optimizer.lr={lr}", f"seed={seed}", *words)
        for name in ("adam", "adagrad", "sgd_nesterov")
        for lr in (1e-4, 1e-3, 1e-2, 1e-1)
        for seed in (0, 1, 2)
    ]


@pytest.mark.slow
def test_thirty_six_trials_are_three_stacks(trial: Compose) -> None:
    stacks = group(grid(trial))
    assert [len(stack) for stack in stacks] == [12, 12, 12]
    assert [{one.seed for one in stack} for stack in stacks] == [{0}, {1}, {2}]
    for stack in stacks:
        names = [one.optimizer["name"] for one in stack]
        assert names == sorted(names)


def test_what_has_no_stacked_form_stands_apart(trial: Compose) -> None:
    torch_nadam = ["optimizer=torch", "optimizer.target=torch.optim.NAdam"]
    trials = [
        trial("task=logreg", "schedule=constant", *words)
        for words in (["optimizer=adam"], ["optimizer=adam"], torch_nadam, ["optimizer=sfo"])
    ]
    assert sorted(len(stack) for stack in group(trials)) == [1, 1, 1]  # the duplicate once


@pytest.mark.slow
def test_a_larger_grid_trains_only_the_new_points(trial: Compose, run: Run) -> None:
    trials = grid(trial, "epochs=1")
    train_all(trials[:6], run)
    stamps = {
        t.identity: TrialFolder(t, run.results_dir).metadata_path.stat().st_mtime_ns
        for t in trials[:6]
    }
    outcome = train_all(trials, run)
    assert set(outcome.values()) == {"finished"}
    assert len(outcome) == 36
    for one in trials[:6]:
        assert (
            TrialFolder(one, run.results_dir).metadata_path.stat().st_mtime_ns
            == stamps[one.identity]
        )


FOREIGN = ("optimizer=torch", "optimizer.target=torch.optim.Adam")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("optimizer.lr=-1",), "lr=-1"),
        ((*FOREIGN, "+optimizer.kwargs.betaa=1"), "no option 'betaa'"),
        (
            (*FOREIGN, "+optimizer.kwargs.eps=-1"),
            r"Invalid epsilon value: -1 \(given lr=0.001, eps=-1\)",
        ),
        (("batch_size=513", "epochs=1"), "batch_size=513: the training set has 512 examples"),
        (("task.epoch_examples=63",), "batch_size=64: more than task.epoch_examples=63"),
        (("+task.cost_examples=63",), "batch_size=64: more than task.cost_examples=63"),
    ],
)
def test_a_mistake_in_one_trial_stops_the_sweep_before_it_starts(
    trial: Compose, run: Run, words: tuple[str, ...], message: str
) -> None:
    trials = [*grid(trial)[:3], trial("task=logreg", *words)]
    with pytest.raises(UserError, match=message):
        train_all(trials, run)
    assert not run.results_dir.exists()


def _train(trials: list[Trial], run: Run) -> None:
    train_all(trials, run)


@pytest.mark.slow
def test_two_processes_share_the_work(trial: Compose, run: Run) -> None:
    trials = grid(trial)[:12]
    processes = [
        multiprocessing.get_context("spawn").Process(target=_train, args=(trials, run))
        for _ in range(2)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0]
    train_all(trials, elsewhere(run, "alone"))
    for one in trials:
        assert metrics_bytes(one, run) == metrics_bytes(one, elsewhere(run, "alone"))


@pytest.mark.slow
def test_multirun_from_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([*SWEEP, "optimizer.lr=1e-3,1e-2", "seed=0,1"]) == 0
    out, _ = capfd.readouterr()
    assert "\n12 finished\n" in out
    assert "edge of the grid: try lr above 0.01" in out
    assert (
        "note: on logreg the optimizers have different schedules (adagrad and sgd_nesterov" in out
    )
    assert main([*SWEEP, "optimizer.lr=1e-3,1e-2", "seed=0,1"]) == 0
    again, _ = capfd.readouterr()
    assert "\n12 finished: nothing was trained, it was all there already\n" in again
    assert main([*SWEEP, "optimizer.lr=1e-3,1e-2", "seed=1,2"]) == 0
    assert "\n12 finished; 6 of them were there already\n" in capfd.readouterr().out
    path = min(
        (tmp_path / "results" / "sweeps").rglob("sweep.csv"), key=lambda p: p.stat().st_mtime
    )
    frame = pd.read_csv(path)
    assert len(frame) == 12
    assert frame["train_cost"].is_monotonic_increasing
    for identity in frame["identity"]:
        assert len(list((tmp_path / "results" / "runs").rglob(f"{identity}/metrics.csv"))) == 1
    drawn = path.with_name("plot.png")
    assert str(drawn.relative_to(tmp_path)) in out
    assert drawn.read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_swept_settings_reach_the_trials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The composition that is shared between jobs gives what one job alone is given."""
    monkeypatch.chdir(tmp_path)
    assert main([*SWEEP, "optimizer.lr=1e-3,1e-2", "averaging=none,polyak", "seed=3"]) == 0
    alone = [word for word in SWEEP if word != "-m" and not word.startswith("optimizer=")]
    assert (
        main([*alone, "optimizer=adagrad", "optimizer.lr=1e-2", "averaging=polyak", "seed=3"]) == 0
    )
    assert len(list((tmp_path / "results" / "runs").rglob("metrics.csv"))) == 12


@pytest.mark.slow
def test_one_setting_for_the_whole_sweep(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([*SWEEP, "engine=looped,batched"]) == 2
    assert "settings of the whole sweep" in capfd.readouterr().err


def test_the_table_averages_over_seeds_and_flags_edges() -> None:
    frame = pd.DataFrame(
        {
            "task": "logreg",
            "optimizer": "adam",
            "lr": [0.1, 0.1, 0.2, 0.2, 0.4, 0.4],
            "seed": [0, 1] * 3,
            "status": ["finished"] * 5 + ["diverged"],
            "train_cost": [3.0, 3.0, 1.0, 2.0, 0.5, None],
            "test_cost": [3.0, 3.0, 1.0, 2.0, 0.5, None],
        }
    )
    text = table.best_settings(frame)
    assert "0.2" in text  # 0.4 diverged for one seed
    assert "1.5" in text
    assert "edge" not in text
    assert "1 diverged" in text
    assert "try lr above 0.2" in table.best_settings(frame[frame["lr"] < 0.4])
    assert "edge" not in table.best_settings(frame[frame["lr"] < 0.4], grid=False)


def compared(**columns: object) -> pd.DataFrame:
    """The table of a sweep over two optimizers at two stepsizes each, with these columns."""
    frame = pd.DataFrame(
        {
            "task": "logreg", "optimizer": ["adam", "adam", "mine.Sign", "mine.Sign"],
            "lr": [0.1, 0.2, 0.1, 0.2], "schedule": "constant", "seed": 0, "status": "finished",
            "train_cost": [3.0, 2.0, 1.5, 2.5], "test_cost": [3.0, 2.0, 1.5, 2.5],
        }
    )  # fmt: skip
    return frame.assign(**columns)


def test_the_best_settings_have_columns_of_their_own() -> None:
    mixed = compared(momentum=[np.nan, np.nan, 0.9, 0.99], optimizer=["adam", "adam", "sgd", "sgd"])
    assert table.best_settings(mixed).splitlines() == [
        "task    optimizer  best lr  schedule  momentum  train cost  test cost  seeds",
        "logreg  adam           0.2  constant                     2          2      1"
        "  edge of the grid: try lr above 0.2",
        "logreg  sgd            0.1  constant  0.9              1.5        1.5      1"
        "  edge of the grid: try lr below 0.1",
        "4 finished",
    ]


def test_an_unfair_comparison_is_noted() -> None:
    """Other schedules, or one stepsize each; not what was searched alike for all."""

    def notes(**columns: object) -> list[str]:
        lines = table.best_settings(compared(**columns)).splitlines()
        return [line for line in lines if line.startswith("note: ")]

    assert notes() == notes(schedule=["constant", "inv_pass"] * 2) == []
    assert notes(schedule=["inv_pass"] * 2 + ["constant"] * 2) == [
        "note: on logreg the optimizers have different schedules (adam: inv_pass; Sign: constant); "
        "to compare the optimizers alone, give all of them one, as schedule=constant"
    ]
    assert len(notes(schedule=["inv_pass", "constant", "constant", "constant"])) == 1
    assert notes(lr=[0.1, 0.1, 0.2, 0.2]) == [
        "note: on logreg each optimizer has one stepsize, which need not be its best; give several, "
        "as optimizer.lr=1e-4,1e-3,1e-2"
    ]
    assert notes(lr=0.1) == []  # one for all: that was asked for


def test_the_bar_of_a_sweep_has_no_stray_comma(capfd: pytest.CaptureFixture[str]) -> None:
    bar = SweepBar(trial_epochs=2, trials=1, shown=True)
    bar.add_complete(["finished"], 2)
    bar.bar.refresh()
    bar.close()
    assert "| 1 of 1 trial done, 0 running [" in capfd.readouterr().err


@pytest.mark.parametrize("status", ["failed", "running", "diverged"])
def test_only_finished_trials_are_best_or_in_a_mean(status: str) -> None:
    frame = pd.DataFrame(
        {
            "task": "logreg", "optimizer": "adam", "lr": [0.1, 0.2, 0.4], "seed": 0,
            "status": ["finished", "finished", status],
            "train_cost": [3.0, 2.0, 0.5], "test_cost": [3.0, 2.5, 0.5],
        }
    )  # fmt: skip
    _, line, counts = table.best_settings(frame).splitlines()
    assert line.split() == ["logreg", "adam", "0.2", "2", "2.5", "1"]  # and no advice
    assert counts == f"2 finished, 1 {status}"
    seeds = pd.concat([frame, frame[1:2].assign(seed=1, status=status, train_cost=0.1)])
    assert table.best_settings(seeds).splitlines()[1].split()[2:6] == ["0.1", "3", "3", "1"]
    # Where no setting finished for every seed, the mean is over those that did, without advice.
    partial = pd.concat([frame[:1], frame[2:], frame[:1].assign(seed=1, status=status)])
    line = table.best_settings(partial).splitlines()[1]
    assert line.split() == ["logreg", "adam", "0.1", "3", "3", "1"]
    none = table.best_settings(frame.assign(status=status))
    assert "none finished" in none
    assert "0.5" not in none


def test_sweep_csv_lists_finished_trials_first_and_compares_only_them_with_the_paper(
    trial: Compose, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trials = [trial("task=logreg", f"optimizer.lr={lr}", tiny=False) for lr in (1e-4, 1e-3, 1e-2)]
    statuses = ("failed", "running", "finished")
    found = {one.identity: status for one, status in zip(trials, statuses, strict=True)}
    monkeypatch.setattr(TrialFolder, "status", lambda self: found[self.trial.identity])
    for one, cost in zip(trials, (0.1, 0.2, 0.3), strict=True):
        write_metrics(one, tmp_path, [cost, cost])
    frame = table.sweep_table(trials, tmp_path)
    assert list(frame["status"]) == ["finished", "failed", "running"]
    assert list(frame["train_cost"]) == [0.3, 0.1, 0.2]
    assert list(frame["from_paper"].isna()) == [False, True, True]


def write_metrics(one: Trial, results: Path, costs: Sequence[float]) -> None:
    folder = TrialFolder(one, results)
    folder.path.mkdir(parents=True)
    frame = pd.DataFrame({"epoch": range(len(costs)), "train_cost": costs, "test_cost": costs})
    frame.to_csv(folder.metrics, index=False)


@pytest.mark.slow
def test_what_sfo_does_not_read_is_said_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    words = [word for word in SWEEP if not word.startswith("optimizer=")]
    assert main([*words, "optimizer=adam,sfo", "batch_size=64", "seed=0,1"]) == 0
    _, err = capfd.readouterr()
    notes = [line for line in err.splitlines() if "not read" in line]
    assert len(notes) == 1
    assert notes[0].startswith("batch_size=64: not read by optimizer=sfo")
    assert "n_subfunctions" in notes[0]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "column", "best"),
    [
        (["optimizer.bias_correction=none", "optimizer.bias_correction=both"], "bias_correction", "both"),
        (["task.epoch_examples=128", "task.epoch_examples=null"], "task.epoch_examples", "null"),
        (["optimizer.kwargs.betas=[0.9,0.99]", "optimizer.kwargs.betas=[0.8,0.99]"], "kwargs.betas",
         "[0.8, 0.99]"),
    ],
)  # fmt: skip
def test_settings_that_are_no_numbers_are_distinguished(
    trial: Compose,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    column: str,
    best: str,
) -> None:
    monkeypatch.setattr(TrialFolder, "status", lambda self: "finished")
    foreign = "kwargs" in words[0]
    target = "optimizer.target=torch.optim.NAdam"
    method = ["optimizer=torch", target] if foreign else ["optimizer=adam"]
    added = "+" if foreign else ""
    trials = [
        trial("task=logreg", *method, added + word, f"seed={seed}")
        for word in words
        for seed in (0, 1)
    ]
    for one, cost in zip(trials, (2.0, 3.0, 1.0, 1.5), strict=True):
        write_metrics(one, tmp_path, [cost])
    frame = table.sweep_table(trials, tmp_path)
    assert frame[column].nunique(dropna=False) == 2
    text = table.best_settings(frame)
    head, line, _ = text.splitlines()
    at = head.index(column)
    assert line[at:].startswith(f"{best} ")
    assert line.split()[-3:] == ["1.25", "1.25", "2"]


@pytest.mark.slow
def test_two_processes_may_write_one_table(tmp_path: Path) -> None:
    frame = pd.DataFrame({"lr": np.arange(1000.0)})
    path = tmp_path / "sweep.csv"
    writer = multiprocessing.get_context("fork").Process
    others = [writer(target=_write_often, args=(frame, path)) for _ in range(2)]
    for other in others:
        other.start()
    for other in others:
        other.join()
    assert [other.exitcode for other in others] == [0, 0]
    assert [file.name for file in tmp_path.iterdir()] == ["sweep.csv"]


def _write_often(frame: pd.DataFrame, path: Path) -> None:
    for _ in range(100):
        table.write_csv(frame, path)


def test_what_a_sweep_varies_has_a_column_and_so_has_the_distance_to_the_paper(
    trial: Compose, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TrialFolder, "status", lambda self: "finished")
    trials = [trial("task=logreg", f"task.l2={l2}", tiny=False) for l2 in (0.0, 1e-3)]
    theirs = paper_curves.interpolate(paper_curves.Reference("fig1_left", "Adam"), np.arange(4.0))
    for one, factor in zip(trials, (1.0, 1.1), strict=True):
        write_metrics(one, tmp_path, theirs * factor)
    frame = table.sweep_table(trials, tmp_path)
    assert list(frame["task.l2"]) == [0.0, 1e-3]
    assert "task.init" not in frame
    assert frame["from_paper"].to_numpy() == pytest.approx([0.0, 0.1])
    head, line = table.best_settings(frame).splitlines()[:2]
    assert line[head.index("task.l2") :].startswith("0 ")


def test_other_data_than_the_papers_are_not_compared_with_it(trial: Compose) -> None:
    assert paper_curves.find_reference(trial("task=logreg", tiny=False).settings) is not None
    assert paper_curves.find_reference(trial("task=logreg").settings) is None


@pytest.mark.slow
def test_epochs_that_are_swept_are_not_averaged_as_seeds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    words = [word for word in SWEEP if not word.startswith(("optimizer=", "epochs="))]
    assert main([*words, "optimizer=adam", "epochs=1,2"]) == 0
    head, line = capfd.readouterr().out.splitlines()[:2]
    assert line[head.index("epochs_asked") :].startswith("2 ")
    (path,) = (tmp_path / "results" / "sweeps").rglob("sweep.csv")
    assert sorted(pd.read_csv(path)["epochs_asked"]) == [1, 2]


@pytest.mark.slow
def test_a_dictionary_is_merged_as_in_a_single_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = [word for word in SWEEP if "task.data.n_" not in word and "optimizer=" not in word]
    data = ["+task.data={n_train: 256, n_test: 64}"]
    assert main([*words, *data, "task.data={n_test: 32}"]) == 0
    (record,) = (tmp_path / "results" / "runs").rglob("trial.yaml")
    settings = yaml.safe_load(record.read_text())["config"]["task"]["data"]
    assert settings == {"name": "synthetic", "n_train": 256, "n_test": 32}


@pytest.mark.slow
def test_rows_of_complete_trials_are_read_once(
    trial: Compose, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    trials = grid(trial, "epochs=1")[:2]
    train_all(trials[:1], run)
    known: dict[str, dict[str, object]] = {}
    first = table.sweep_table(trials[:1], run.results_dir, known)
    train_all(trials, run)
    read: list[Trial] = []
    row = table._row
    monkeypatch.setattr(table, "_row", lambda one, *rest: read.append(one) or row(one, *rest))
    second = table.sweep_table(trials, run.results_dir, known)
    assert read == trials[1:]
    assert len(second) == 2
    assert set(first["identity"]) < set(second["identity"])


def test_the_bar_is_full_when_the_last_trial_is(trial: Compose, run: Run) -> None:
    """Half of a stack diverges in its first epoch: its share of the later steps is not counted again."""
    bar = SweepBar(trial_epochs=8, trials=2, shown=False)
    seen = []
    bar.bar.update = lambda n=1: seen.append(n)  # type: ignore[method-assign]
    stack = SimpleNamespace(trials=[trial("seed=0"), trial("seed=1")], epoch=0, epoch_steps=2)
    bar.on_stack_start(stack, 4)  # type: ignore[arg-type]
    for epoch in range(4):
        bar.on_step(), bar.on_step()
        rows = {"a": {"epoch": epoch, "train_cost": 1.0}}
        bar.on_epoch_end(rows | ({"b": {"epoch": 0, "train_cost": None}} if epoch == 0 else {}))
    assert sum(seen) == 8


@pytest.mark.slow
def test_a_trial_that_fails_in_its_first_epoch_is_in_the_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    words = [word for word in SWEEP if not word.startswith("optimizer=")]
    sparse = ["optimizer=torch", "optimizer.target=torch.optim.SparseAdam,torch.optim.NAdam"]
    assert main([*words, *sparse, "seed=0"]) == 2
    out, err = capfd.readouterr()
    assert "1 finished, 1 failed" in out
    assert "SparseAdam: its step 1 failed" in err


def test_two_classes_of_one_name_are_told_apart(trial: Compose, run: Run) -> None:
    """And one has its short name; `adam` is ours."""
    targets = ("torch.optim.NAdam", "torch.optim.nadam.NAdam", "torch.optim.SGD")
    trials = [trial("task=logreg", "optimizer=torch", f"optimizer.target={one}") for one in targets]
    text = table.best_settings(table.sweep_table([*trials, trial("task=logreg")], run.results_dir))
    for name in (*targets[:2], "SGD", "adam"):
        assert re.search(rf"^logreg +{name} ", text, re.MULTILINE), text


@pytest.mark.slow
def test_a_sweep_may_have_ours_and_one_by_import_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    words = [word for word in SWEEP if not word.startswith(("optimizer=", "optimizer.lr="))]
    both = [*words, "optimizer=adam,torch", "optimizer.lr=1e-3,1e-2", "seed=0"]
    own = ["optimizer.target=torch.optim.NAdam", "optimizer.kwargs.eps=1e-8,1e-6"]
    assert main([*both, *own]) == 0
    out, _ = capfd.readouterr()
    assert "6 finished" in out  # two of Adam, four of NAdam
    assert re.search(r"^logreg +NAdam +0.0", out, re.MULTILINE)
    for wrong in (["optimizer.targt=torch.optim.NAdam"], ["optimizer.target=torch.optim.NAdm"]):
        assert main([*both, *wrong]) == 2
    assert main([*words, "optimizer=adam,sgd", *own[:1], "seed=0"]) == 2
    assert "optimizer.target: there is no such option" in capfd.readouterr()[1]
