"""``adam-repro compare``: from a class to verdicts, stopped and given again, refused; and ``--check``."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
import yaml

from adam_repro.cli import main
from adam_repro.commands.compare import parse
from adam_repro.comparison import store
from adam_repro.comparison.model import (
    HIGHER,
    LOWER,
    NOT_TESTED,
    ROW_COLUMNS,
    SAME,
    Comparison,
    Score,
    TaskResult,
)
from adam_repro.errors import UserError
from adam_repro.files import committed_comparison

HERE = "tests.comparison.candidates"
SMOKE = ["scale=smoke", "progress=false", "device=cpu"]
DETERMINISTIC = ["logreg", "mlp_deterministic", "bigram", "rare_classes"]


def compare(results: Path, *words: str, drawn: bool = False) -> int:
    """Run the command; ``drawn``: with its page, which takes longer than such trials do."""
    with pytest.MonkeyPatch.context() as patch:
        if not drawn:
            patch.setattr("adam_repro.comparison.page.write", lambda *_: None)
        return main(["compare", *words, *SMOKE, f"results_dir={results}"])


def judged(results: Path, label: str) -> list[Score]:
    found = store.read(results / "compare" / label)
    return [one for one in found.scores if one.verdict != NOT_TESTED]


@pytest.mark.slow
def test_an_optimizer_is_the_same_as_itself_by_another_name(tmp_path: Path) -> None:
    words = ["torch.optim.Adam", "against=adam", "tasks=all", "budget=2"]
    assert compare(tmp_path, *words) == 0
    scores = judged(tmp_path, "Adam")
    assert {one.task: one.verdict for one in scores if one.verdict != SAME} == {}
    assert len(scores) > 9


@pytest.mark.slow
def test_an_optimizer_that_skips_steps_is_higher(tmp_path: Path) -> None:
    tasks = f"tasks={','.join(DETERMINISTIC)}"
    words = [f"{HERE}.SkippingAdam", "against=adam", tasks, "budget=5", "seeds=9"]
    assert compare(tmp_path, *words) == 0
    scores = judged(tmp_path, "SkippingAdam")
    assert {one.task: one.verdict for one in scores} == dict.fromkeys(DETERMINISTIC, HIGHER)


@pytest.mark.slow
def test_workers_train_the_same_rows(tmp_path: Path) -> None:
    words = [f"{HERE}.SkippingAdam", "against=adam", "tasks=rare_classes", "budget=2"]
    assert compare(tmp_path / "here", *words) == 0
    assert compare(tmp_path / "local", *words, "executor=local", "workers=2") == 0
    folders = [tmp_path / place / "compare" / "SkippingAdam" for place in ("here", "local")]
    here, local = ((folder / "scores.csv").read_bytes() for folder in folders)
    assert here == local
    assert list((tmp_path / "local" / "sweeps" / "workers").iterdir())


@pytest.mark.slow
def test_a_logger_has_the_trials_by_the_label(tmp_path: Path) -> None:
    words = ["adamax", "against=adam", "tasks=rare_classes", "budget=2", "label=mine"]
    assert compare(tmp_path, *words, "logger=tensorboard") == 0
    trials = {path.parent.name for path in tmp_path.glob("runs/*/*/*/trial.yaml")}
    logged = list((tmp_path / "tensorboard" / "mine").iterdir())
    assert len(logged) == len(trials) > 0
    assert main(["compare", *words, "logger=nothing", f"results_dir={tmp_path}"]) == 2


@pytest.mark.slow
def test_random_steps_never_win(tmp_path: Path) -> None:
    words = [f"{HERE}.RandomSteps", "against=adam,sgd", "tasks=logreg,imdb,mlp,rare_classes"]
    assert compare(tmp_path, *words, "budget=5") == 0
    scores = judged(tmp_path, "RandomSteps")
    assert len(scores) == 8
    assert LOWER not in {one.verdict for one in scores}
    assert HIGHER in {one.verdict for one in scores}


SMALL = ["torch.optim.Adam", f"{HERE}.Failing", "against=adam,rmsprop", "tasks=logreg,rare_classes",
         "budget=6", "label=small"]  # fmt: skip


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two candidates, one of which fails at large stepsizes, in one go."""
    results = tmp_path_factory.mktemp("whole")
    assert compare(results, *SMALL) == 0
    return results


def without_seconds(results: Path) -> pd.DataFrame:
    return pd.read_csv(results / "compare" / "small" / "rows.csv").drop(columns="seconds")


@pytest.mark.slow
def test_killed_twice_it_ends_with_the_same_rows_and_scores(whole: Path, tmp_path: Path) -> None:
    words = [sys.executable, "-m", "adam_repro", "compare", *SMALL, *SMOKE]
    for trials in (2, 25):
        process = subprocess.Popen(
            [*words, f"results_dir={tmp_path}"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        while len(list(tmp_path.rglob("metrics.csv"))) < trials:
            assert process.poll() is None
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert compare(tmp_path, *SMALL) == 0
    pd.testing.assert_frame_equal(without_seconds(tmp_path), without_seconds(whole))
    one, other = (path / "compare" / "small" / "scores.csv" for path in (tmp_path, whole))
    assert one.read_bytes() == other.read_bytes()


@pytest.mark.slow
def test_given_again_nothing_is_trained(whole: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = {path: path.stat().st_mtime_ns for path in (whole / "runs").rglob("metrics.csv")}
    csv = (whole / "compare" / "small" / "rows.csv").read_bytes()
    assert compare(whole, *SMALL) == 0
    after = {path: path.stat().st_mtime_ns for path in (whole / "runs").rglob("metrics.csv")}
    failed = {path for path in after if "torch" in path.parts}
    assert {p: t for p, t in after.items() if p not in failed} == {
        p: t for p, t in before.items() if p not in failed
    }
    assert (whole / "compare" / "small" / "rows.csv").read_bytes() == csv


@pytest.mark.slow
def test_every_optimizer_has_as_many_tuning_trials_and_failed_ones_count_as_bad(
    whole: Path,
) -> None:
    found = store.read(whole / "compare" / "small")
    for task in found.tasks:
        assert {label: len(trials) for label, trials in task.tuning.items()} == dict.fromkeys(
            ["Adam", "Failing", "adam", "rmsprop"], 6
        )
        failing = task.tuning["Failing"]
        assert {one.status for one in failing} == {"finished", "failed"}
        assert all((one.status == "failed") == (one.setting.lr > 1e-3) for one in failing)
        assert (task.best["Failing"].lr or 1) <= 1e-3
        assert any("of 6 tuning trials failed" in note for note in task.notes["Failing"])
        counts = task.rows.groupby(["optimizer", "stage"])["identity"].nunique()
        assert counts["Adam", "tuning"] == 6
        assert counts["Adam", "repeat"] == 4
        assert set(task.step_seconds) == set(task.state_bytes) == set(task.best)
        assert task.state_bytes["adam"] > task.state_bytes["Failing"]


@pytest.mark.slow
def test_what_is_written_is_read_again(whole: Path) -> None:
    folder = whole / "compare" / "small"
    found = store.read(folder)
    assert found.label == "small"
    assert found.command.startswith("adam-repro compare torch.optim.Adam")
    assert [one.label for one in found.candidates] == ["Adam", "Failing"]
    assert found.provenance["versions"]["torch"]
    assert list(found.tasks[0].rows.columns) == list(ROW_COLUMNS)
    assert not found.tasks[0].rows.duplicated(["optimizer", "identity", "epoch"]).any()
    store.write(found, folder.parent / "again")
    for name in (store.ROWS, store.SCORES, store.RECORD):
        assert (folder.parent / "again" / name).read_text() == (folder / name).read_text()


@pytest.mark.slow
def test_it_says_what_it_does_and_what_came_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [f"{HERE}.Refusing", "torch.optim.SGD", "against=adam", "tasks=logreg", "budget=2"]
    assert compare(tmp_path, *words, "label=said") == 0
    out = capsys.readouterr().out
    assert re.search(r"Refusing +any task: .*I take vectors alone", out)
    assert "1 task at scale smoke, 3 optimizers: 2 tuning trials of each" in out
    assert re.search(r"at most 1\d to train, the first \d+ in \d+ stacks?; about \d+ s", out)
    assert re.search(r"logreg +adam +\d.* (lower|higher|the same within 1 %|undecided)", out)
    assert "undecided (Refusing does not train on this task)" in out
    assert str(tmp_path / "compare" / "said") in out


@pytest.mark.slow
def test_a_task_of_ones_own_and_an_optimizer_without_stepsize_take_part(tmp_path: Path) -> None:
    path = tmp_path / "compare.yaml"
    path.write_text(
        f"label: own\ncandidates: [{HERE}.NoStepsize, {HERE}.factory]\nagainst: [adam]\nbudget: 2\n"
        f"tasks: [{{target: {HERE}.TwoLayer, overrides: [task.data.name=synthetic]}}]\n"
    )
    assert compare(tmp_path, str(path), drawn=True) == 0
    found = store.read(tmp_path / "compare" / "own")
    (task,) = found.tasks
    assert task.task == "TwoLayer"
    assert {label: len(trials) for label, trials in task.tuning.items()} == {
        "NoStepsize": 1, "factory": 2, "adam": 2,
    }  # fmt: skip
    assert task.best["NoStepsize"].lr is None
    assert task.rows.loc[task.rows["optimizer"] == "NoStepsize", "lr"].isna().all()
    assert (tmp_path / "compare" / "own" / "index.html").is_file()


@pytest.mark.slow
def test_nobody_to_compare_is_told_before_anything_is_trained(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert compare(tmp_path, f"{HERE}.Refusing", "tasks=logreg", "against=none") == 2
    assert "no candidate can train any of these tasks" in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


def put(results: Path, *words: str) -> Path:
    """Write the record of a comparison that nobody trained; its folder."""
    request, _, _ = parse(words)
    tasks = [
        TaskResult(
            one.name, one.epochs_at(request.scale), one.metric, pd.DataFrame(columns=[*ROW_COLUMNS]),
            {}, {}, {request.entrants[0].label: request.settings_of(one)},
            schedules=request.schedules_of(one),
        )
        for one in request.tasks
    ]  # fmt: skip
    numbers = (request.scale, request.seeds, request.budget)
    folder = results / "compare" / request.label
    store.write(Comparison(request.label, "", *numbers, request.entrants, tuple(tasks), ()), folder)
    return folder


OWN = ["torch.optim.SGD", "tasks=logreg,mlp_first", "kwargs.momentum=0.9", "search.nesterov=true",
       "lr=1e-3..1"]  # fmt: skip


@pytest.mark.parametrize(
    ("words", "differs"),
    [
        (["torch.optim.sgd.SGD", *OWN[1:]], "SGD: words .*torch.optim.SGD.* there, .*torch.optim.sgd.SGD"),
        (["torch.optim.Adam", "label=SGD"], "candidates SGD there, Adam here"),
        ([*OWN, "kwargs.momentum=0.5"], "optimizer.kwargs.momentum=0.9 there, .*=0.5 here"),
        ([*OWN, "kwargs.dampening=0.1"], "optimizer.kwargs.dampening=0.1 here"),
        ([*OWN, "search.nesterov=true,false"], "SGD: search"),
        ([*OWN, "lr=1e-2..1"], r"SGD: lr_range 0.001,1.0 there, 0.01,1.0 here"),
        ([*OWN, "tasks=logreg"], "tasks logreg,mlp_first there, logreg here"),
        ([*OWN, "schedules=inv_pass"], "logreg: schedules constant,inv_sqrt_pass there, inv_pass here"),
        ([*OWN, "against=adam"], "rivals .*rmsprop.* there, adam here"),
        ([*OWN, "budget=9"], "budget 16 there, 9 here"),
        ([*OWN, "seeds=6"], "seeds 5 there, 6 here"),
        ([*OWN, "scale=smoke"], "scale short there, smoke here"),
        ([*OWN, "scale=paper"], "scale short there, paper here"),
    ],
)  # fmt: skip
def test_another_comparison_of_the_same_label_is_kept(
    words: list[str], differs: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = put(tmp_path, *OWN)
    before = {path: path.read_bytes() for path in folder.iterdir()}
    assert main(["compare", *words, f"results_dir={tmp_path}"]) == 2
    told = capsys.readouterr().err
    assert re.search(rf"{folder} holds another comparison, .*{differs}", told)
    assert "as label=SGD_2" in told
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_options_of_a_task_of_the_same_name_are_told_apart(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    text = "candidates: [adam]\ntasks: [{target: %s.TwoLayer, overrides: [batch_size=%d]}]\n"
    file.write_text(text % (HERE, 64))
    folder = put(tmp_path, str(file))
    store.check_free(folder, parse([str(file)])[0])
    file.write_text(text % (HERE, 32))
    with pytest.raises(UserError, match="TwoLayer: batch_size 64 there, 32 here"):
        store.check_free(folder, parse([str(file)])[0])


def test_the_same_comparison_goes_on_and_one_at_smoke_scale_gives_way(tmp_path: Path) -> None:
    store.check_free(put(tmp_path, *OWN), parse(OWN)[0])
    # In whatever order, and whoever all of whose trials diverged.
    (path,) = tmp_path.rglob(store.RECORD)
    record = yaml.safe_load(path.read_text())
    record["tasks"][0]["settings"] = {}
    path.write_text(yaml.safe_dump({**record, "tasks": record["tasks"][::-1]}))
    store.check_free(path.parent, parse(OWN)[0])
    smoke = put(tmp_path, *OWN, "scale=smoke", "seeds=3")
    store.check_free(smoke, parse(OWN)[0])
    committed, words = committed_comparison(), (committed_comparison() / store.RECORD).read_text()
    ours = shlex.split(yaml.safe_load(words)["command"])[2:]
    store.check_free(committed, parse(ours)[0])


def test_a_task_without_its_data_is_left_out_and_told_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def missing(task: object) -> None:
        raise UserError("task.data.name=mnist: no source has it")

    monkeypatch.setattr("adam_repro.comparison.bench.dataset_of", missing)
    assert compare(tmp_path, "adam", "against=none", "tasks=rare_classes") == 2
    out = capsys.readouterr().out
    assert re.search(r"adam +any task: task.data.name=mnist: no source has it", out)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("target", "words", "said"),
    [
        ("torch.optim.NAdam", [], "ends with the same bytes"),
        (f"{HERE}.Still", [], "changed no parameter"),
        (f"{HERE}.Blind", [], "lr has no effect"),
        (f"{HERE}.Unseeded", [], "two runs of the same trial differ"),
        (f"{HERE}.Refusing", [], "I take vectors alone"),
        ("adamax", [], "honours its stepsize"),
    ],
)
def test_check_says_what_is_wrong(
    target: str, words: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    well = target in ("torch.optim.NAdam", "adamax")
    command = ["compare", "--check", target, "tasks=logreg", f"results_dir={tmp_path}", *words]
    assert main(command) == (0 if well else 1)
    out = capsys.readouterr().out
    assert said in out
    assert ("FAILED" in out) is not well
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "which optimizer"),
        (["torch.optim.Adma"], "did you mean torch.optim.Adam"),
        (["adamm"], r"there is no such optimizer; use one of .*\(did you mean adam\?\)"),
        (["no_such_module.Mine"], "the module 'no_such_module' cannot be imported"),
        (["adam", "tasks=logrge"], r"tasks=logrge: must be one of .*\(did you mean logreg\?\)"),
        (["adam", "against=adma"], "adma: there is no such optimizer"),
        (["adam", "scale=tiny"], "scale=tiny: must be one of paper, short, smoke"),
        (["adam", "seeds=0"], "seeds=0: must be a whole number, at least 2"),
        (["adam", "seeds=1"], "seeds=1: must be a whole number, at least 2, for the first one tunes"),
        (["adam", "budget=0"], "budget=0: must be a whole number, at least 1"),
        (["adam", "lr=0"], "lr=0.0: must be a finite number, above 0"),
        (["adam", "lr=1e-1..1e-3"], "the lower end first"),
        (["adam", "lr=fast"], "lr=fast: must be a range, as 1e-5..1, values"),
        (["adam", "lr=1..x"], "lr=1..x: must be a range"),
        (["sfo", "lr=1"], "sfo has no lr; name its stepsize by lr_name="),
        (["adam", "search.rho=1,2"], "adam: rho: there is no such option"),
        (["adam", "kwargs.rho=1"], "adam: rho: there is no such option"),
        (["adam", "lr_name=rate"], "adam: rate: there is no such option"),
        (["adam", "schedules=cosine"], "schedule=cosine: must be one of constant"),
        (["adam", "label=a/b"], "label=a/b: must be a word that can name a folder"),
        (["adam", "lr=1,2", "budget=3"], "budget=3: adam has 4 settings to search on logreg"),
        (["adam", "epochs=3"], "epochs: there is no such option"),
        (["adam", "--chekc"], "--chekc: options have no dashes here"),
        (["adam", "workers=3"], "workers: a setting of workers; give executor=local"),
        (["missing.yaml"], "missing.yaml: there is no such file"),
    ],
)  # fmt: skip
def test_mistakes(words: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        parse(words)
