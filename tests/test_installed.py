"""The wheel and the sdist: each holds all that a run needs, in a folder that has nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

import adam_repro
from tests.helpers import TINY_COMMAND

ROOT = Path(__file__).resolve().parent.parent


def build(source: Path, into: Path, target: str) -> Path:
    """The wheel or the sdist of a source tree."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", str(into)]
    done = subprocess.run(command, cwd=source, capture_output=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    (found,) = into.iterdir()
    return found


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The wheel of this tree, and that of its sdist, each unpacked."""
    pytest.importorskip("hatchling")
    folder = tmp_path_factory.mktemp("built")
    with tarfile.open(build(ROOT, folder / "sdist", "sdist")) as archive:
        archive.extractall(folder / "source", filter="data")
    (source,) = (folder / "source").iterdir()
    found = {"wheel": build(ROOT, folder / "wheel", "wheel")}
    found["sdist"] = build(source, folder / "from_sdist", "wheel")
    for name, wheel in found.items():
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(folder / name / "unpacked" if name == "wheel" else folder / "second")
    return {"wheel": folder / "wheel" / "unpacked", "sdist": folder / "second"}


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.slow
def test_both_hold_the_same_files(built: dict[str, Path]) -> None:
    found = files(built["wheel"])
    assert found == files(built["sdist"])
    for folder in ("adam_repro", "hydra_plugins", "configs"):
        tracked = subprocess.run(
            ["git", "ls-files", folder], cwd=ROOT, capture_output=True, encoding="utf-8"
        )
        prefix = "adam_repro/" if folder == "configs" else ""
        if tracked.returncode == 0:
            assert {prefix + name for name in tracked.stdout.split()} <= found


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["wheel", "sdist"])
def test_each_runs_from_an_empty_folder(kind: str, built: dict[str, Path], tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(built[kind])}
    words = [sys.executable, "-P", "-m", "adam_repro"]
    for command in (["--version"], ["run", "task=logreg", "optimizer=adam", *TINY_COMMAND]):
        done = subprocess.run(
            [*words, *command], cwd=tmp_path, env=environment, capture_output=True, encoding="utf-8"
        )
        assert done.returncode == 0, done.stderr
    assert "finished after 2 epochs" in done.stdout
    (record,) = tmp_path.rglob("trial.yaml")
    assert f"adam_repro: {adam_repro.__version__}" in record.read_text(encoding="utf-8")


def test_the_version_is_the_same_everywhere() -> None:
    version = adam_repro.__version__
    assert f"\nversion: {version}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert changes.split("\n## ")[1].split()[0] == version
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["authors"]
    assert any(
        one.startswith("Programming Language :: Python :: 3.13") for one in project["classifiers"]
    )
