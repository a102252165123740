"""A folder of one's own configurations beside the package's: its figures, its tasks, its mistakes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from adam_repro import config_folders
from adam_repro.cli import main
from adam_repro.config import compose
from adam_repro.errors import UserError
from adam_repro.figures import load

TASK = """\
# @package _global_
epochs: 3
batch_size: 16
task:
  name: mine
  model: logreg
  data: {name: synthetic, n_train: 64, n_test: 32}
  init: zeros
  l2: 0.0
  order: every_pass
  epoch_examples: null
"""
FIGURE = "extends: fig1_mnist\ntitle: mine\nseries: [Adam, AdaGrad]\n"


@pytest.fixture(params=["mine", "it's mine, 100 %"])
def folder(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    place = tmp_path / request.param
    for name, text in {"task/mine": TASK, "figure/my_figure": FIGURE}.items():
        path = place / f"{name}.yaml"
        path.parent.mkdir(parents=True)
        path.write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    yield place
    config_folders.use(None)


def test_its_task_is_composed_as_ours_are(folder: Path) -> None:
    config_folders.use(folder)
    assert compose.trial(["task=mine", "optimizer=adam"]).epochs == 3
    config_folders.use(None)
    with pytest.raises(Exception, match="mine"):
        compose.trial(["task=mine", "optimizer=adam"])


@pytest.mark.slow
@pytest.mark.parametrize(
    "form", ["--config-dir=FOLDER", "--config-dir FOLDER", "config_dir=FOLDER"]
)
def test_its_figure_is_trained_and_drawn(folder: Path, form: str) -> None:
    given = [word.replace("FOLDER", str(folder)) for word in form.split()]
    words = ["reproduce", *given, "my_figure", "scale=smoke", "progress=false"]
    assert main(words) == 0
    drawn = {path.name for path in Path("results/paper").glob("my_figure*.png")}
    assert "my_figure_tuned.png" in drawn
    for name in drawn:
        (Path("results/paper") / name).unlink()
    assert main(["report", *given]) == 0
    assert drawn == {path.name for path in Path("results/paper").glob("my_figure*.png")}


@pytest.mark.slow
def test_its_task_takes_part_in_a_comparison(folder: Path) -> None:
    words = ["compare", "adamax", "against=adam", "tasks=mine", "scale=smoke", "progress=false"]
    assert main([*words, "--config-dir", str(folder)]) == 0
    scores = pd.read_csv("results/compare/adamax/scores.csv")
    assert set(scores["task"]) == {"mine"}


def test_figures_of_both_folders_are_there(folder: Path) -> None:
    before = load.names()
    config_folders.use(folder)
    assert load.names() == (*before, "my_figure")
    assert load.load("my_figure").title == "mine"
    config_folders.use(None)
    assert load.names() == before


def test_a_name_of_ours_is_taken(folder: Path) -> None:
    (folder / "figure" / "fig4.yaml").write_text(FIGURE, encoding="utf-8")
    config_folders.use(folder)
    with pytest.raises(UserError, match=r"fig4.yaml: figure fig4 is there already; choose another"):
        load.names()


@pytest.mark.parametrize("command", ["reproduce", "report", "compare"])
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--config-dir", "nowhere"], "--config-dir nowhere: there is no such folder"),
        (["--config-dir"], "--config-dir: give a folder, as --config-dir my_configs"),
        (["--config-dir="], "--config-dir: give a folder, as --config-dir my_configs"),
    ],
)
def test_a_folder_that_is_not_there_is_told(
    command: str, words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([command, *words]) == 2
    assert capsys.readouterr().err == f"adam-repro {command}: {message}\n"


@pytest.mark.parametrize("task", ["regret", "twolayer"])
def test_a_task_that_takes_no_part_is_told(
    folder: Path, task: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", "adam", f"tasks={task}", "--config-dir", str(folder)]) == 2
    assert f"tasks={task}: must be one of quick, all, logreg, " in capsys.readouterr().err


PANEL = "{name: cost, title: t, xlabel: epoch, ylabel: cost, xlim: [0, 2], ylim: [0.2, 1.0]}"
OF_TORCH = f"""\
title: mine
number: ""
section: ""
task: torch
overrides: [task.target=tests.engine.test_own_task.Base]
readings: [tuned]
panels: [{PANEL}]
series:
  - {{label: Adam, optimizer: adam, style: 2, lr: [1e-3, 1e-2]}}
scales:
  paper: {{epochs: 2, seeds: 2, per_decade: 1, seconds: 1.0}}
"""
SMOKE = "  smoke: {epochs: 2, seeds: 2, per_decade: 1, seconds: 0.1, generated: true}\n"
DATA = "tiny: [task.data.name=synthetic, +task.data.n_train=64, +task.data.n_test=32]\n"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (OF_TORCH, "my_figure: scale=smoke: must be one of paper"),
        (OF_TORCH + SMOKE, "my_figure.yaml: Adam: task=torch: has no tiny data"),
        (OF_TORCH + SMOKE + DATA, "my_figure: batch_size=128: the training set has 64 examples"),
    ],
)
def test_what_a_scale_lacks_is_told_with_the_figure(
    folder: Path, text: str, told: str, capfd: pytest.CaptureFixture[str]
) -> None:
    (folder / "figure" / "my_figure.yaml").write_text(text, encoding="utf-8")
    words = ["fig1_mnist", "my_figure", "scale=smoke", "results_dir=try", "progress=false"]
    assert main(["reproduce", "--config-dir", str(folder), *words]) == 2
    assert told in capfd.readouterr().err
