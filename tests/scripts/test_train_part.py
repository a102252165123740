"""A figure in part: the options are reproduce's own, optimizers and panels are the figure's."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from adam_repro.commands import reproduce
from adam_repro.errors import UserError
from adam_repro.figures.plan import PlannedSeries

SCRIPT = Path(__file__).parents[2] / "scripts" / "train_part.py"


@pytest.fixture
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("train_part_script", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_rest_of_a_figure_is_trained_with_the_options_given(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: list[Any] = []

    def train(planned: dict[str, list[PlannedSeries]], request: reproduce.Request) -> int:
        asked.append((planned, request))
        return 0

    monkeypatch.setattr(reproduce, "train", train)
    words = ["fig2b", "--without", "sfo", "scale=smoke", f"results_dir={tmp_path}", "device=cpu"]
    monkeypatch.setattr(sys, "argv", ["train_part.py", *words])
    assert script.main() == 0
    ((planned, request),) = asked
    assert {line.series.optimizer for line in planned["fig2b"]} == {"adam"}
    assert {line.scale.epochs_of("mlp_deterministic") for line in planned["fig2b"]} == {2}
    assert (request.scale, request.run.results_dir, request.run.device) == (
        "smoke",
        tmp_path,
        "cpu",
    )


@pytest.mark.slow
def test_panels_that_are_trained_apart_can_be_chosen(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[PlannedSeries] = []

    def train(planned: dict[str, list[PlannedSeries]], request: reproduce.Request) -> int:
        asked.extend(planned["adamax"])
        return 0

    monkeypatch.setattr(reproduce, "train", train)
    words = ["adamax", "--panel", "imdb", "--panel", "vae", "scale=smoke"]
    monkeypatch.setattr(sys, "argv", ["train_part.py", *words])
    assert script.main() == 0
    found = {(line.panel, line.series.optimizer) for line in asked}
    assert found == {(p, o) for p in ("imdb", "vae") for o in ("adam", "adamax")}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("fig2b", "--without", "adma"), "--without adma: fig2b has adam, sfo"),
        (("adamax", "--panel", "mnist"), "--panel mnist: adamax has cnn, imdb, logreg, mlp, vae"),
        (("fig2b", "--panel", "passes"), "--panel passes: fig2b has none that is trained apart"),
    ],
)
def test_a_name_that_is_not_there_is_answered_with_those_that_are(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], message: str
) -> None:
    monkeypatch.setattr(sys, "argv", ["train_part.py", *words])
    with pytest.raises(UserError, match=message):
        script.main()


def test_a_whole_figure_is_left_to_reproduce(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["train_part.py", "fig2b", "scale=smoke"])
    with pytest.raises(SystemExit):
        script.main()
    assert "give --without or --panel" in capsys.readouterr().err
