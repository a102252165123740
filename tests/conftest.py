"""Fixtures every test may use: trials composed from the real configurations, on generated data."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from adam_repro.config import compose
from adam_repro.config.trial import Run, Trial
from tests.helpers import Compose, CountingCallback

# A data set of 512 generated digits, in place of the task's own.
TINY = [
    "+task.data.n_train=512",
    "+task.data.n_test=100",
    "task.data.name=synthetic",
    "task.epoch_examples=null",
    "batch_size=64",
    "epochs=3",
]


@pytest.fixture
def trial() -> Compose:
    """``trial("task=mlp", "optimizer.lr=0.1")``: a trial on generated data, from the real YAML."""

    def build(*overrides: str, tiny: bool = True) -> Trial:
        return compose.trial([*(TINY if tiny else []), *overrides])

    return build


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """CPU, results below a temporary folder, no progress bar."""
    return Run(device="cpu", engine="looped", results_dir=tmp_path / "results", progress=False)


@pytest.fixture
def counter() -> CountingCallback:
    return CountingCallback()


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    # Tests run beside one another; more threads than cores make tiny operations crawl.
    torch.set_num_threads(1)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder of merged CSVs."""
    path = tmp_path / "results" / "paper"
    path.mkdir(parents=True)
    return path
