"""Any trials as one frame: what a row has, what damaged folders do, which folders are found."""

from __future__ import annotations

import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import adam_repro
from adam_repro.errors import UserError
from adam_repro.results.frame import read
from tests.trial_folders import put, put_sweep


def test_a_row_is_an_epoch_with_the_settings_of_its_trial(tmp_path: Path) -> None:
    put(tmp_path, optimizer__lr=0.1, seconds=[1.0, 2.0, 3.0], seed=4)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        frame = adam_repro.load(tmp_path)
    assert list(frame.columns[:5]) == ["task", "optimizer", "seed", "status", "epoch"]
    assert frame["epoch"].tolist() == [0, 1, 2]
    assert frame["train_cost"].tolist() == [2.0, 1.0, 0.5]
    assert frame["seconds"].tolist() == [1.0, 3.0, 6.0]  # until the end of each epoch
    last = frame.iloc[-1]
    assert (last["optimizer.lr"], last["seed"], last["schedule"]) == (0.1, 4, "constant")
    assert (last["task.data.name"], last["status"], last["hardware"]) == (
        "mnist",
        "finished",
        "a test",
    )
    assert last["folder"].endswith(last["identity"])


def test_trials_of_different_columns_are_one_frame(tmp_path: Path) -> None:
    put(tmp_path, optimizer={"name": "sgd_nesterov", "lr": 0.1, "momentum": 0.9})
    put(tmp_path, columns={"bleu": (1.0, 2.0, 3.0)}, task__name="nmt")
    target = {"name": "torch", "target": "my_module.Mine", "kwargs": {}, "lr": None}
    put(tmp_path, optimizer=target)
    frame = adam_repro.load(tmp_path)
    assert len(frame) == 9
    assert set(frame["optimizer"]) == {"sgd_nesterov", "adam", "Mine"}
    assert frame["optimizer.momentum"].notna().sum() == 3
    assert sorted(frame["bleu"].dropna()) == [1.0, 2.0, 3.0]


@pytest.mark.filterwarnings("error")
def test_null_is_an_empty_cell_in_whatever_company(tmp_path: Path) -> None:
    put(tmp_path, optimizer={"name": "sgd", "lr": None}, columns={"test_cost": (float("nan"),) * 3})
    alone = adam_repro.load(tmp_path)
    assert alone["task.epoch_examples"].isna().all()
    put(tmp_path, task__epoch_examples=50, columns={"bleu": (1.0, 2.0, 3.0)})
    put(tmp_path, optimizer={"name": "sgd", "lr": 0.1, "momentum": None})
    frame = adam_repro.load(tmp_path)
    assert frame["task.epoch_examples"].notna().sum() == 3
    assert sorted(frame["optimizer.lr"].dropna().unique()) == [0.001, 0.1]


def cut(name: str, bytes_left: int) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        path = folder / name
        path.write_bytes(path.read_bytes()[:bytes_left])

    return damage


def remove(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def change(name: str, old: str, new: str) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        text = (folder / name).read_text(encoding="utf-8")
        assert old in text
        (folder / name).write_text(text.replace(old, new), encoding="utf-8")

    return damage


DAMAGES = {
    "record gone": remove("trial.yaml"),
    "record cut": cut("trial.yaml", 120),
    "record empty": cut("trial.yaml", 0),
    "record of other settings": change("trial.yaml", "seed: 0", "seed: 7"),
    "record not YAML": change("trial.yaml", "status: finished", "status: [\x01"),
    "metrics gone": remove("metrics.csv"),
    "metrics empty": cut("metrics.csv", 0),
    "metrics cut": cut("metrics.csv", 40),
    "metrics changed": change("metrics.csv", "0.5", "0.25"),
    "no header": change("metrics.csv", "epoch", "epochs"),
    "not UTF-8": lambda folder: (folder / "metrics.csv").write_bytes(b"\xff\xfe\x00"),
    "a word for a number": change("metrics.csv", "0.5", "half"),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_folder_is_named_and_left_out(
    damage: Callable[[Path], None], tmp_path: Path
) -> None:
    good = put(tmp_path, optimizer__lr=0.1)
    bad = put(tmp_path, optimizer__lr=0.2)
    damage(bad)
    frame, problems = read([tmp_path])
    assert set(frame["folder"]) == {str(good)}
    assert len(problems) == 1
    assert str(bad) in problems[0]
    with pytest.warns(RuntimeWarning, match=bad.name):
        adam_repro.load(tmp_path)
    with pytest.raises(UserError, match=bad.name):
        adam_repro.load(bad)


def test_a_word_for_a_number_is_found_without_a_checksum(tmp_path: Path) -> None:
    good, bad = put(tmp_path, status="running"), put(tmp_path, status="running", seed=1)
    change("metrics.csv", "0.5", "half")(bad)
    frame, problems = read([tmp_path])
    assert set(frame["folder"]) == {str(good)}
    assert "no number" in problems[0]


def test_a_trial_in_training_is_read_as_far_as_it_is_whole(tmp_path: Path) -> None:
    folder = put(tmp_path, status="running", epochs=50)
    with (folder / "metrics.csv").open("a", encoding="utf-8") as file:
        file.write("3,40,0.2")  # the row is in the making
    (folder / "timing.csv").unlink()
    frame, problems = read([folder])
    assert (frame["epoch"].tolist(), problems) == ([0, 1, 2], [])
    assert np.isnan(frame["seconds"]).all()
    cut("metrics.csv", 22)(folder)
    with pytest.raises(UserError, match="no epoch of it is there"):
        read([folder])


def test_a_cell_that_was_not_measured_or_not_finite_stays_so(tmp_path: Path) -> None:
    nan = float("nan")
    put(tmp_path, (1.0, nan), "diverged", columns={"test_cost": (float("inf"), nan)}, epochs=9)
    frame = adam_repro.load(tmp_path)
    assert np.isnan(frame["train_cost"].iloc[1])
    assert np.isinf(frame["test_cost"].iloc[0])


def test_a_trial_that_is_there_twice_counts_once(tmp_path: Path) -> None:
    put(tmp_path / "here")
    put(tmp_path / "copy")
    frame, problems = read([tmp_path / "here", tmp_path / "copy", tmp_path / "here"])
    assert len(frame) == 3
    assert len(problems) == 1
    assert "again" in problems[0]


def test_a_sweep_finds_its_trials(tmp_path: Path) -> None:
    mine = [put(tmp_path, seed=seed) for seed in range(3)]
    put(tmp_path, seed=9)
    sweep = put_sweep(tmp_path, mine)
    put_sweep(tmp_path, mine[:1], "two")
    for place in (sweep, sweep.parent):
        frame, problems = read([place])
        assert (sorted(frame["seed"].unique()), problems) == ([0, 1, 2], [])
    assert len(read([tmp_path])[0]["seed"].unique()) == 4


def test_what_a_sweep_lacks_is_named(tmp_path: Path) -> None:
    mine = put(tmp_path)
    sweep = put_sweep(tmp_path, [mine, mine.with_name("0123456789ab")])
    frame, problems = read([sweep])
    assert len(frame) == 3
    assert "0123456789ab" in problems[0]
    (sweep / "sweep.csv").write_text("nonsense", encoding="utf-8")
    with pytest.raises(UserError, match=r"sweep\.csv: is damaged"):
        read([sweep])


def test_a_sweep_elsewhere_says_where_its_results_are(tmp_path: Path) -> None:
    mine = put(tmp_path / "work" / "results")
    sweep = put_sweep(tmp_path / "far", [mine])
    record = f"results_dir: results\nhydra:\n  runtime:\n    cwd: {tmp_path / 'work'}\n"
    (sweep / "multirun.yaml").write_text(record, encoding="utf-8")
    assert set(read([sweep])[0]["folder"]) == {str(mine)}


@pytest.mark.parametrize(
    ("place", "said"), [("nowhere", "no such folder"), ("file", "is a file"), (".", "no trial in")]
)
def test_a_place_without_trials_is_one_message(place: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=said) as caught:
        adam_repro.load(tmp_path / place)
    assert str(tmp_path) in str(caught.value)


@pytest.mark.slow
def test_importing_the_package_imports_nothing_heavy() -> None:
    code = (
        "import sys, adam_repro\n"
        "heavy = {'torch', 'pandas', 'matplotlib', 'numpy', 'scipy', 'hydra'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "assert {'load', 'plot'} <= set(dir(adam_repro))\n"
        "adam_repro.load, adam_repro.plot\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
