"""The table of public optimizer classes: what is tried, what is told, and that the page is the CSV's."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest
import torch

from adam_repro.config.trial import Run
from adam_repro.runs.execute import execute
from adam_repro.runs.folder import TrialFolder
from tests.helpers import Compose

ROOT = Path(__file__).parents[2]


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    monkeypatch.syspath_prepend(ROOT / "scripts")
    monkeypatch.setattr(torch, "compile", torch.compile)  # the script replaces it
    yield importlib.import_module("optimizers")
    sys.modules.pop("optimizers", None)


def test_the_page_is_that_of_the_csv(script: ModuleType) -> None:
    frame = pd.read_csv(script.CSV, dtype={"version": str})
    assert script.PAGE.read_text(encoding="utf-8") == script.page(frame)
    assert not frame.duplicated(["package", "class"]).any()
    assert "/work" not in script.page(frame)
    assert not (frame["status"] == "error").any()


def test_every_class_of_a_module_is_tried_as_it_can_be_made(script: ModuleType) -> None:
    found = script.classes("torch.optim")
    assert {"Adam", "LBFGS", "SparseAdam"} <= found.keys()
    assert "Optimizer" not in found
    assert script.ways("torch.optim", "SGD", torch.optim.SGD)[0] == ["optimizer.lr=null"]

    class Wrapper(torch.optim.Optimizer):
        def __init__(self, optimizer: torch.optim.Optimizer, k: int = 5) -> None:
            raise NotImplementedError

    (words,) = script.ways("a_module", "Wrapper", Wrapper)
    one = script.trial("a_module", "Wrapper", words)
    assert one.optimizer["target"] == "optimizer_factories.around"
    assert one.optimizer["kwargs"]["wrapper"]["path"] == "a_module.Wrapper"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("task", "kind", "fails"),
    [("mlp", "torch.optim.Adagrad", False), ("logreg", "torch.optim.SparseAdam", True)],
)
def test_parts_train_by_their_function(
    script: ModuleType, trial: Compose, run: Run, task: str, kind: str, fails: bool
) -> None:
    path = f"++optimizer.kwargs.kind={script.a_class(kind)}"
    target = "optimizer.target=optimizer_factories.matrices"
    one = trial(f"task={task}", "optimizer=torch", target, path, "optimizer.lr=0.01")
    if fails:
        with pytest.raises(Exception, match="SparseAdam does not support dense"):
            execute([one], run)
        return
    assert execute([one], run) == {one.identity: "finished"}
    costs = pd.read_csv(TrialFolder(one, run.results_dir).metrics)["train_cost"]
    assert costs.iloc[-1] < costs.iloc[0]
