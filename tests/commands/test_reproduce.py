"""``adam-repro reproduce``: from nothing to the page, stopped and given again, refused."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
import yaml

from adam_repro import config_folders
from adam_repro.cli import main
from adam_repro.commands import reproduce
from adam_repro.errors import UserError
from adam_repro.figures import load, plan
from adam_repro.figures.spec import READING_TITLES
from adam_repro.results.overwrite import check_scale
from adam_repro.results.trial_results import TrialResults

SMOKE = ["scale=smoke", "progress=false", "device=cpu"]
# What the three minutes of two quiet cores become where other tests run beside this one.


def command(words: list[str], results: Path) -> list[str]:
    return [sys.executable, "-m", "adam_repro", "reproduce", *words, f"results_dir={results}"]


def records(results: Path) -> dict[str, int]:
    """When each trial that is there was last recorded."""
    return {str(path): path.stat().st_mtime_ns for path in results.rglob("trial.yaml")}


@pytest.mark.slow
def test_all_at_smoke_scale_from_nothing_to_the_page(tmp_path: Path) -> None:
    results = tmp_path / "results"
    done = subprocess.run(command(["all", *SMOKE], results), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    first, page = done.stdout.splitlines()
    told = re.match(
        r"(\d+) trials at scale smoke; 0 are there, (\d+) to train in (\d+) stacks, "
        r"then up to (\d+) repeats of the best settings with other seeds; about \d+ (s|min) ",
        first,
    )
    assert told, first
    every, trained, _, repeats = (int(number) for number in told.groups()[:4])
    # A trial may stand in several figures.
    assert trained <= len(records(results)) <= trained + repeats <= every
    folder = results / "paper"
    assert page == str(folder / "index.html")
    text = (folder / "index.html").read_text()
    for name in load.names():
        assert f'id="{name}"' in text
        figure = load.load(name)
        for reading in figure.readings:
            for kind in ("png", "pdf", "svg"):
                title = READING_TITLES[reading]
                assert (folder / f"{name}_{title}.{kind}").is_file()
        record = yaml.safe_load((folder / f"{name}.provenance.yaml").read_text())
        assert record["missing"] == []
        assert {one["series"] for one in record["series"]} == {s.label for s in figure.series}
    assert (folder / "README.md").is_file()
    assert not list(folder.glob("*.partial"))

    # Given again: nothing is trained, the same CSVs are written.
    before, csvs = records(results), {p: p.read_bytes() for p in folder.glob("*.csv")}
    again = subprocess.run(command(["fig1_mnist", *SMOKE], results), capture_output=True, text=True)
    assert again.returncode == 0, again.stderr
    assert ", 0 to train in 0 stacks" in again.stdout
    assert records(results) == before
    assert {p: p.read_bytes() for p in folder.glob("*.csv")} == csvs


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Figure 1, left, reproduced in one go."""
    results = tmp_path_factory.mktemp("whole")
    assert main(["reproduce", "fig1_mnist", *SMOKE, f"results_dir={results}"]) == 0
    return results


def _heed_ctrl_c() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # whatever the shell of these tests does


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_stopped_and_given_again_it_ends_the_same(
    how: signal.Signals, whole: Path, tmp_path: Path
) -> None:
    stopped = tmp_path / "stopped"
    process = subprocess.Popen(
        command(["fig1_mnist", *SMOKE], stopped), stderr=subprocess.PIPE, text=True,
        preexec_fn=_heed_ctrl_c,
    )  # fmt: skip
    while not list(stopped.rglob("metrics.csv")):
        assert process.poll() is None
        time.sleep(0.005)
    os.kill(process.pid, how)
    _, err = process.communicate()
    assert "Traceback" not in err
    if how is not signal.SIGKILL:
        assert "The same command goes on where it stopped." in err
    assert process.returncode == (-how if how is signal.SIGKILL else 130)  # it was struck
    assert main(["reproduce", "fig1_mnist", *SMOKE, f"results_dir={stopped}"]) == 0
    one, other = (
        pd.read_csv(path / "paper" / "fig1_mnist.csv").drop(columns="seconds")
        for path in (whole, stopped)
    )
    pd.testing.assert_frame_equal(one, other)


@pytest.mark.slow
def test_two_processes_reproduce_the_same_figure_together(whole: Path, tmp_path: Path) -> None:
    together = tmp_path / "together"
    processes = [
        subprocess.Popen(
            command(["fig1_mnist", *SMOKE], together), stderr=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    for process in processes:
        _, err = process.communicate()
        assert process.returncode == 0, err
        assert "Traceback" not in err
    one, other = (
        pd.read_csv(path / "paper" / "fig1_mnist.csv").drop(columns="seconds")
        for path in (whole, together)
    )
    pd.testing.assert_frame_equal(one, other)
    assert not list((together / "paper").glob(".*"))


@pytest.mark.slow
def test_kept_trials_are_not_trained_again(
    whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(whole / "paper", tmp_path / "paper")
    csv = tmp_path / "paper" / "fig1_mnist.csv"
    before = csv.read_bytes()
    words = ["reproduce", "fig1_mnist", *SMOKE, "keep=true", f"results_dir={tmp_path}"]
    assert main(words) == 0
    told = capsys.readouterr().out
    assert ", 0 to train in 0 stacks" in told
    assert "about 1 s of training" in told
    assert csv.read_bytes() == before
    # One seed of one series is taken out: that trial alone is trained, to the same costs.
    rows = pd.read_csv(csv)
    out = (rows["series"] == "AdaGrad") & (rows["reading"] == "as_printed") & (rows["seed"] == 1)
    assert out.any()
    rows[~out].to_csv(csv, index=False, float_format="%.8g")
    assert main(words) == 0
    assert ", 1 to train in 1 stack, then" in capsys.readouterr().out
    assert len(records(tmp_path)) == 1
    whole_again = pd.read_csv(csv).drop(columns="seconds")
    pd.testing.assert_frame_equal(
        whole_again, pd.read_csv(whole / "paper" / csv.name).drop(columns="seconds")
    )


@pytest.mark.slow
def test_what_a_csv_holds_in_part_or_another_figure_holds_is_trained_again(
    whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(whole / "paper", tmp_path / "paper")
    csv = tmp_path / "paper" / "fig1_mnist.csv"
    rows = pd.read_csv(csv)
    printed, grid = (rows[rows["reading"] == name] for name in ("as_printed", "dense_grid"))
    last_alone = set(printed["identity"]) & set(grid.loc[~grid["selected"], "identity"])
    assert last_alone  # of these the rest of the CSV has no curve
    grid.to_csv(csv, index=False, float_format="%.8g")
    words = ["reproduce", "fig1_mnist", *SMOKE, "keep=true", f"results_dir={tmp_path}"]
    assert main(words) == 0
    left = "left out" in capsys.readouterr().err
    assert not left
    pd.testing.assert_frame_equal(
        pd.read_csv(csv).drop(columns="seconds"), rows.drop(columns="seconds")
    )


@pytest.mark.slow
def test_keeping_says_what_it_cannot_keep(
    whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(whole / "paper", tmp_path / "paper")
    csv = tmp_path / "paper" / "fig1_mnist.csv"
    before = csv.read_bytes()
    words = ["reproduce", "fig1_mnist", "keep=true", "train=false", f"results_dir={tmp_path}"]
    assert main([*words, "scale=paper"]) == 2
    assert "none of which belong to scale=paper; give scale=smoke" in capsys.readouterr().err
    assert csv.read_bytes() == before
    csv.write_text(csv.read_text().replace(pd.read_csv(csv)["identity"].iloc[0], "0123456789ab"))
    assert main([*words, "scale=smoke"]) == 0
    assert (
        "1 trial is left out, cut off or of settings other than planned" in capsys.readouterr().err
    )


@pytest.mark.slow
@pytest.mark.parametrize("words", [["train=false"], ["reading=dense_grid"], ["seeds=1"]])
def test_a_csv_whose_trials_would_be_lost_is_not_replaced(
    words: list[str], whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(whole / "paper", tmp_path / "paper")
    csv = tmp_path / "paper" / "fig1_mnist.csv"
    before = csv.read_bytes()
    command = ["reproduce", "fig1_mnist", *SMOKE, *words, f"results_dir={tmp_path}"]
    assert main(command) == 2
    err = capsys.readouterr().err
    assert re.search(r"keep=false: .*fig1_mnist.csv holds \d+ trials? without a folder", err)
    assert "give keep=true" in err
    assert csv.read_bytes() == before
    assert not (tmp_path / "runs").exists()


@pytest.mark.slow
def test_drawing_only_says_what_is_not_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["reproduce", "fig2b", *SMOKE, "train=false", f"results_dir={tmp_path}"]
    assert main(words) == 0
    out, err = capsys.readouterr()
    assert out == f"{tmp_path / 'paper' / 'index.html'}\n"
    assert err.count("fig2b: fitted: not trained") == 1
    assert not (tmp_path / "runs").exists()


def test_a_lesser_scale_does_not_replace_a_fuller_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "paper"
    folder.mkdir()
    (folder / "fig1_mnist.csv").write_text("figure,scale\nfig1_mnist,paper\n")
    assert main(["reproduce", "fig1_mnist", *SMOKE, f"results_dir={tmp_path}"]) == 2
    assert "holds results of scale paper, which would be replaced" in capsys.readouterr().err
    assert (folder / "fig1_mnist.csv").read_text() == "figure,scale\nfig1_mnist,paper\n"


def test_the_scale_is_found_behind_a_label_with_a_comma(tmp_path: Path) -> None:
    path = tmp_path / "fig2b.csv"
    path.write_text('figure,series,scale\nfig2b,"Adam, L2 5e-6",short\n')
    check_scale(path, "short", keep=True)
    with pytest.raises(UserError, match="holds results of scale short, which would be replaced"):
        check_scale(path, "smoke", keep=False)


@pytest.mark.slow
def test_the_announcement_counts_trials_stacks_and_time(tmp_path: Path) -> None:
    figure = load.load("fig1_mnist")
    lines = plan.plan_figure(figure, "short")
    unique = {entry.trial.identity: entry for line in lines for entry in line.grid_stage()}
    text = reproduce.announce(lines, list(unique.values()), TrialResults(tmp_path), "short")
    # Three fitted seeds, and the grid with the first of them: a stack for each seed.
    assert f"0 are there, {len(unique)} to train in 3 stacks" in text
    assert "then up to 6 repeats" in text
    seconds = figure.scales["short"].seconds_of("logreg") * figure.scales["short"].epochs_of(
        "logreg"
    )
    minutes = (len(unique) + 6) * seconds / 60
    told = re.search(r"about (\d+) min of training on two CPU cores", text)
    assert told
    assert int(told.group(1)) == round(minutes)


@pytest.mark.slow
def test_one_reading_may_be_trained_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["reproduce", "fig1_mnist", *SMOKE, "reading=fitted", f"results_dir={tmp_path}"]
    assert main(words) == 0
    assert len(records(tmp_path)) == 6  # three series, two seeds
    rows = pd.read_csv(tmp_path / "paper" / "fig1_mnist.csv")
    assert rows.loc[rows["reading"] == "as_printed", "identity"].nunique() == 6
    # The two trials that the tuning grid shares with it do not make a grid.
    assert set(rows["reading"]) == {"as_printed"}
    err = capsys.readouterr().err
    assert err.splitlines()[0] == "fig1_mnist: tuned: not trained"
    assert all("(dense_grid)" in line for line in err.splitlines()[1:])
    assert "fig1_mnist: SGDNesterov (dense_grid): 12 trials are not finished" in err


@pytest.mark.slow
def test_fewer_seeds_may_be_trained_and_the_rest_is_told_as_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["reproduce", "fig1_mnist", *SMOKE, f"results_dir={tmp_path}", "seeds=1"]
    assert main(words) == 0
    rows = pd.read_csv(tmp_path / "paper" / "fig1_mnist.csv")
    assert set(rows["seed"]) == {0}
    assert set(rows["reading"]) == {"as_printed", "dense_grid"}
    told = capsys.readouterr().err
    assert "fig1_mnist: Adam (as_printed): 1 trial is not finished" in told
    assert "fig1_mnist: Adam (dense_grid): 1 trial is not finished" in told


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "which figures"),
        (["scale=smoke"], "which figures"),
        (["fig1_mnits"], r"did you mean fig1_mnist\?"),
        (["fig1_mnist", "scale=tiny"], "scale=tiny: must be one of paper, short, smoke"),
        (
            ["fig1_mnist", "reading=best"],
            "reading=best: must be one of fitted, tuned, both",
        ),
        (
            ["fig3_first", "sfo_dropout", "reading=dense_grid"],
            "reading=dense_grid: must be one of fitted, both for fig3_first, sfo_dropout",
        ),
        (["fig1_mnist", "tf32=1"], "tf32=1: must be true or false"),
        (["fig1_mnist", "train=maybe"], "train=maybe: must be true or false"),
        (["fig1_mnist", "seeds=0"], "seeds=0: must be a whole number, at least 1"),
        (["fig1_mnist", "seeds=one"], "seeds=one: must be a whole number"),
        (["fig1_mnist", "keep=2"], "keep=2: must be true or false"),
        (["fig1_mnist", "progress=1"], "progress=1: must be true or false"),
        (["fig1_mnist", "engine=fast"], "engine=fast: must be one of auto, batched, looped"),
        (
            ["fig1_mnist", "lr=1"],
            "lr: there is no such option; legal here: scale, reading, seeds, results_dir",
        ),
        (["fig1_mnist", "scale.x=smoke"], "scale.x: there is no such option; legal here: scale"),
        (["fig1_mnist", "device.x=1"], "device.x: there is no such option; legal here: scale"),
        (["fig1_mnist", "workers.x=1"], "workers.x: there is no such option; legal here: scale"),
    ],
)
def test_mistakes(words: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        reproduce.parse(words)


@pytest.mark.parametrize("content", ["", "figure,scale\n", "figure\nfig4\n"])
def test_a_csv_without_results_is_in_nobodys_way(content: str, tmp_path: Path) -> None:
    path = tmp_path / "fig4.csv"
    path.write_text(content)
    check_scale(path, "smoke", keep=False)
    check_scale(tmp_path / "missing.csv", "smoke", keep=False)


def test_a_panel_that_draws_what_no_trial_measures_is_told_before_training(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = tmp_path / "figure"
    own.mkdir()
    panel = "{name: cost, title: x, xlabel: x, ylabel: y, xlim: [0, 9], ylim: [0, 1], quantity: theta_nrm}"
    (own / "mine.yaml").write_text(f"extends: fig2a\npanels: [{panel}]\n", encoding="utf-8")
    words = ["mine", "scale=smoke", f"results_dir={tmp_path}/r", f"config_dir={tmp_path}"]
    assert main(["reproduce", *words]) == 2
    told = "mine: panel cost: quantity=theta_nrm: must be one of epoch, step, examples, train_cost"
    assert told in capsys.readouterr().err
    assert not (tmp_path / "r").exists()
    config_folders.use(None)


@pytest.mark.parametrize("name", load.names())
def test_every_panel_draws_what_its_trials_measure(name: str) -> None:
    figure = load.load(name)
    reproduce._check_quantities({name: plan.plan_figure(figure, "smoke")})
