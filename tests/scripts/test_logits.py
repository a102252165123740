"""The logits of figure 4's runs: which runs are taken, and that what is recorded is theirs."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    monkeypatch.syspath_prepend(str(SCRIPTS))
    yield importlib.import_module("logits")
    for name in ("logits", "claims"):
        sys.modules.pop(name, None)


def test_the_runs_are_those_whose_fate_the_drawing_tells(script: ModuleType) -> None:
    cells = script.cells()
    assert len({cell[:4] for cell in cells}) == len(cells) == 34
    assert sum(cell.diverged for cell in cells) == 12
    assert {cell.lr for cell in cells} == {1e-3, 3e-3, 1e-2, 3e-2}


@pytest.mark.slow
def test_larger_steps_have_larger_logits(script: ModuleType) -> None:
    found = [
        script.measure(script.Cell(0.9, 0.999, "both", lr, False), passes=1, quick=True)
        for lr in (1e-3, 1e-2)
    ]
    assert 0 < found[0]["largest"] < found[1]["largest"]
    assert 0 > found[0]["smallest"] > found[1]["smallest"]
    assert [one["passes"] for one in found] == [1, 1]
