"""Columns of a task's own: a mistake names the task and the column, and leaves nothing behind."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from adam_repro.config.trial import Run, Trial
from adam_repro.errors import UserError
from adam_repro.results import frame, table
from adam_repro.runs import metrics
from adam_repro.runs.execute import execute
from adam_repro.runs.folder import TrialFolder
from adam_repro.tasks import MODELS, Batch, Classifier
from tests.helpers import Compose


class Base(Classifier):
    columns = ("margin",)

    def model(self, generator: torch.Generator) -> nn.Module:
        return nn.Linear(784, 10)

    def preprocess(self, inputs: Tensor) -> Tensor:
        return inputs.flatten(1).float().div(255.0)


def kind(name: str, base: type = Base, **members: Any) -> type[Classifier]:
    """A task with these members; a function is one of what the method of its name is given."""
    return type(name, (base,), {"__module__": __name__, **members})


def low(self: Any, batch: Batch) -> Tensor:
    return (batch.targets < 5).long()


GROUPS = {"columns": ("low", "high"), "group_columns": ("low", "high")}
ROWS = r"row_metrics\(\) must give a number or None; it gave"
#: Each with what it is told.
REFUSED = {
    kind("Absent"): "column margin: is declared, but no method returned it",
    kind("Forgot", decode=lambda *_: {"margin": 1.0}): "column margin: .* decodes = True",
    kind("Misspelt", test_metrics=lambda self, output, batch: {"margn": output.amax(1)}): (
        r"column margn: test_metrics has it, but it is not declared; .*did you mean margin\?"
    ),
    kind("Undeclared", columns=(), row_metrics=lambda self, row: {"perplexity": 1.0}): (
        "column perplexity: row_metrics has it, but it is not declared; columns: none"
    ),
    kind("Shared", columns=(), batch_metrics=lambda self, batch: {"largest": torch.ones(())}): (
        "column largest: batch_metrics has it, but it is not declared"
    ),
    kind("Decoded", decodes=True, decode=lambda *_: {"bleu": 1.0}): "column bleu: decode has it",
    kind("Text", row_metrics=lambda self, row: {"margin": "wide"}): f"column margin: {ROWS} 'wide'",
    kind("Truth", row_metrics=lambda self, row: {"margin": True}): f"column margin: {ROWS} True",
    kind("Nothing", row_metrics=lambda self, row: None): r"row_metrics\(\) must return a dict",
    kind("Plain", test_metrics=lambda self, output, batch: {"margin": 1.0}): (
        r"column margin: test_metrics\(\) must give \[\d+\], one value an example; it gave 1.0"
    ),
    kind("Mean", test_metrics=lambda self, output, batch: {"margin": output.mean()}): (
        r"column margin: test_metrics\(\) must give \[\d+\], .* a tensor \[\]"
    ),
    kind("Each", batch_metrics=lambda self, batch: {"margin": batch.targets}): (
        r"column margin: batch_metrics\(\) must give \[\], one value a minibatch; .*\[16\]"
    ),
    kind("NoGroups", **GROUPS): r"column low: groups\(\) must give \[16\], .* it gave None",
    kind("Beyond", **GROUPS, groups=lambda self, batch: batch.targets): (
        r"column low, high: groups\(\) gives places beyond 0 to 1"
    ),
    kind("Apart", columns=(), group_columns=("low",), groups=low): (
        "column low: group_columns has it, but it is not declared"
    ),
    kind("Taken", columns=("test_error",)): "column test_error: every trial has one of this name",
    kind("Setting", columns=("lr",)): "column lr: every trial has one of this name",
    kind("Twice", columns=("margin", "margin")): "column margin: is declared twice",
    kind("Comma", columns=("a,b",)): "column 'a,b': must be a word",
    kind("Letters", columns="margin"): "columns = 'margin': must be a tuple of names",
}


@pytest.fixture(params=[True, False], ids=["by import path", "registered"])
def own(request: pytest.FixtureRequest, trial: Compose, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A trial of a task class, and what its messages call it."""

    def make(task: type[Classifier]) -> tuple[Trial, str]:
        monkeypatch.setitem(globals(), task.__name__, task)
        target = f"{__name__}.{task.__name__}"
        words = "task=torch", f"task.target={target}", "optimizer=adam", "batch_size=16", "epochs=2"
        one = trial(*words)
        if request.param:
            return one, f"task.target={target}: "
        monkeypatch.setitem(MODELS, "mine", task)
        settings = {"name": "mine", "model": "mine", "data": one.task["data"], "l2": 0.0}
        settings |= {"order": "every_pass", "epoch_examples": None}
        return replace(one, task=settings), "task=mine: "

    return make


@pytest.mark.parametrize("engine", ["looped", "batched"])
@pytest.mark.parametrize("task", REFUSED, ids=lambda task: task.__name__)
def test_a_mistake_names_the_task_and_the_column(
    task: type[Classifier], engine: str, own: Any, run: Run
) -> None:
    one, named = own(task)
    with pytest.raises(UserError, match=f"^{named}{REFUSED[task]}"):
        execute([one], replace(run, engine=engine))
    assert not list(run.results_dir.rglob("*.csv"))


def test_columns_that_are_right_are_written(own: Any, run: Run) -> None:
    task = kind(
        "Right",
        columns=("margin", "low", "high", "late", "whole", "validation_cost"),
        group_columns=("low", "high"),
        groups=low,
        test_metrics=lambda self, output, batch: {"margin": output.amax(1)},
        row_metrics=lambda self, row: {"late": None, "whole": torch.tensor(2)},
    )
    one, _ = own(task)
    execute([one], run)
    last = TrialFolder(one, run.results_dir).metrics.read_text().splitlines()[-1].split(",")
    assert all(last[-6:-3])
    assert last[-3:] == ["", "2", ""]


def test_what_a_row_of_another_table_has_is_taken() -> None:
    assert set(metrics.TAKEN) >= {*metrics.COLUMNS, *table.COLUMNS}
    assert set(metrics.TAKEN) >= {*frame.FIRST, "seconds", "identity", "hardware", "folder"}


def test_what_row_metrics_raises_is_told_with_its_line(trial: Compose, run: Run) -> None:
    words = "task=torch", f"task.target={__name__}.Raises", "optimizer=adam", "batch_size=16"
    with pytest.raises(
        UserError, match=r"Raises: KeyError: 'cots' \(test_own_columns.py, line \d+\)"
    ):
        execute([trial(*words)], run)


class Raises(Base):
    def row_metrics(self, row: Any) -> dict[str, float | None]:
        return {"margin": row["cots"]}
