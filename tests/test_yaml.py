"""A YAML file of one's own with a mistake: file, line and column in one line, whoever reads it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from adam_repro import config_folders
from adam_repro.claims import judge
from adam_repro.cli import main
from adam_repro.comparison import spec
from adam_repro.errors import UserError
from adam_repro.files import config_folder

BROKEN = "# a comment\nname: mine\nlr: [1\nbeta: 2\n"
TOLD = "cannot be read: line 4, column 5: expected ',' or ']', but got ':'"
TWICE = "# a comment\nname: mine\nlr: 1\nlr: 2\n"
READERS = [
    ("run --config-dir conf optimizer=mine", "conf/optimizer/mine.yaml"),
    ("run --config-dir conf task=mine", "conf/task/mine.yaml"),
    ("run --config-dir conf +experiment=mine", "conf/experiment/mine.yaml"),
    ("run -m --config-dir conf optimizer=mine,adam", "conf/optimizer/mine.yaml"),
    ("reproduce --config-dir conf mine scale=smoke", "conf/figure/mine.yaml"),
    ("compare --config-dir conf adam tasks=mine", "conf/task/mine.yaml"),
    ("compare mine.yaml", "mine.yaml"),
]


@pytest.mark.parametrize(("words", "name"), READERS)
def test_a_file_of_one_s_own_is_told_with_its_line(
    words: str,
    name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    for text, told in ((BROKEN, TOLD), (TWICE, "line 4, column 1: found duplicate key lr")):
        path.write_text(text)
        try:
            assert main(words.split()) == 2
        finally:
            config_folders.use(None)
        out, err = capfd.readouterr()
        assert out == ""
        assert f"{name}: " in err
        assert told in err
        assert err.count("\n") == 1
    assert [one for one in tmp_path.rglob("*") if one.is_file()] == [path]


def test_the_claims_are_told_with_their_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(judge, "CLAIMS_FILE", tmp_path / "claims.yaml")
    for text, told in ((BROKEN, TOLD), ("id: mine\n", "must be a list of claims")):
        (tmp_path / "claims.yaml").write_text(text)
        with pytest.raises(UserError, match=r"claims.yaml: ") as error:
            judge.load()
        assert told in str(error.value)


def test_the_tasks_of_comparisons_are_told_with_their_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(config_folder() / "compare.yaml", tmp_path)
    with (tmp_path / "compare.yaml").open("a") as file:
        file.write("more: [\n")
    monkeypatch.setattr(spec, "config_folder", lambda: tmp_path)
    spec.load.cache_clear()
    try:
        with pytest.raises(
            UserError, match=r"compare.yaml: cannot be read: line \d+, column \d+: "
        ):
            spec.load()
    finally:
        spec.load.cache_clear()
