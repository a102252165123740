"""The loop that a student reads gives the curve that the engine trains."""

from __future__ import annotations

import pandas as pd
import pytest
import torch

from adam_repro.config import compose
from adam_repro.config.trial import Run
from adam_repro.engine.minibatches import DeviceDataset
from adam_repro.engine.reference import train
from adam_repro.figures.plan import GENERATED
from adam_repro.runs.check import dataset_of
from adam_repro.runs.execute import execute
from adam_repro.runs.folder import TrialFolder
from adam_repro.tasks import build

SETTINGS = [
    ("logreg", ["schedule=inv_sqrt_pass", "task.order=once"]),
    ("logreg", ["schedule=inv_sqrt_iteration", "+task.cost_examples=32", "task.order=file"]),
    *((task, ["schedule=constant"]) for task in GENERATED),
    ("cnn", ["task.dropout_input=0.2", "task.dropout_hidden=0.5"]),
]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "words"), SETTINGS)
def test_it_gives_the_curve_of_the_engine(name: str, words: list[str], run: Run) -> None:
    fast = [f"task={name}", "optimizer=adam", "optimizer.lr=1e-3", "averaging=none", "epochs=3"]
    trial = compose.trial([*fast, *GENERATED[name], *words])
    execute([trial], run)
    expected = pd.read_csv(TrialFolder(trial, run.results_dir).metrics)
    task, dataset, cpu = build(trial.task), dataset_of(trial.task), torch.device("cpu")
    task.prepare(dataset)
    sets = (DeviceDataset(split, task, cpu) for split in (dataset.train, dataset.test))
    rows = pd.DataFrame(train(trial, task, *sets))
    for column in ("train_cost", "test_cost"):
        assert rows[column].tolist() == pytest.approx(expected[column].tolist(), rel=2e-5)
    assert expected["train_cost"].nunique() == 3  # it moved
