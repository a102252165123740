"""``adam-repro plot``: from folders to a picture; a mistake is one message."""

from __future__ import annotations

from pathlib import Path

import pytest

from adam_repro.cli import main
from tests.trial_folders import put, put_sweep

HEADS = {"png": b"\x89PNG", "pdf": b"%PDF", "svg": b"<?xml"}


@pytest.mark.slow
@pytest.mark.parametrize("kind", HEADS)
def test_any_trials_become_a_picture(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trials = [put(tmp_path, optimizer__lr=lr) for lr in (0.1, 0.2, 0.3)]
    out = tmp_path / "new" / f"a.picture.{kind}"
    assert main(["plot", *map(str, trials[:2]), f"out={out}"]) == 0
    assert out.read_bytes().startswith(HEADS[kind])
    assert f"2 trials: {out}" in capsys.readouterr().out


def test_a_sweep_is_drawn_into_the_folder_where_the_command_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep = put_sweep(tmp_path, [put(tmp_path, seed=seed) for seed in range(2)])
    monkeypatch.chdir(tmp_path)
    words = ["x=seconds", "group=optimizer,optimizer.lr", "band=t", "xscale=log", "yscale=linear"]
    assert main(["plot", str(sweep), *words]) == 0
    assert (tmp_path / "plot.png").read_bytes().startswith(HEADS["png"])


def test_a_folder_with_an_equals_sign_is_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path / "lr=0.1")
    monkeypatch.chdir(tmp_path)
    assert main(["plot", "lr=0.1"]) == 0


def test_a_damaged_trial_is_named_beside_the_picture_of_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    put(tmp_path)
    bad = put(tmp_path, seed=1)
    (bad / "trial.yaml").write_text("identity: [", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert main(["plot", "."]) == 0
    said = capsys.readouterr()
    assert bad.name in said.err
    assert "1 trial: plot.png" in said.out


def test_what_makes_a_comparison_unfair_is_told_as_by_a_sweep(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    put(tmp_path, optimizer__name="adam", schedule="inv_pass")
    put(tmp_path, optimizer={"name": "adagrad", "lr": 0.1})
    monkeypatch.chdir(tmp_path)
    assert main(["plot", "runs"]) == 0
    out = capsys.readouterr().out
    assert (
        "note: on logreg the optimizers have different schedules (adagrad: constant; adam: inv_pass)"
        in out
    )
    assert "note: on logreg each optimizer has one stepsize" in out
    put(tmp_path / "alike", optimizer={"name": "adagrad", "lr": 0.001})
    put(tmp_path / "alike")
    assert main(["plot", "alike"]) == 0
    assert "note:" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["out=a.jpg"], "out=a.jpg: must be a file name that ends in one of .png, .pdf, .svg"),
        (["out=a"], "out=a: must be"),
        (["x=epochs"], "x=epochs: must be one of epoch, step, seconds"),
        (["y=cost"], "y=cost: there is no such column; legal here: train_cost"),
        (["group=optimiser"], "did you mean optimizer?"),
        (["band=std"], "band=std: must be one of range, t, none"),
        (["yscale=symlog"], "yscale=symlog: must be one of auto, linear, log"),
        (["colour=red"], "colour: there is no such option"),
        (["nowhere"], "nowhere: there is no such folder"),
        (["empty"], "there is no trial in"),
        (["~no_such_user_at_all"], "there is no such home folder"),
    ],
)
def test_a_mistake_is_one_message(
    words: list[str],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    put(tmp_path / "results")
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    place = [] if "=" not in words[0] else ["results"]
    assert main(["plot", *place, *words]) == 2
    told = capsys.readouterr().err
    assert said in told
    assert told.count("\n") == 1
    assert not list(tmp_path.glob("*.png"))


def test_options_alone_are_asked_for_their_trials(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plot", "x=step"]) == 2
    assert "which trials?" in capsys.readouterr().err
    assert main(["plot"]) == 0
    assert "FOLDER" in capsys.readouterr().out
