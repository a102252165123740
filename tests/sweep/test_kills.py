"""The short form of ``scripts/kill_test.py``."""

from __future__ import annotations

import importlib.util
import signal
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "kill_test.py"
TINY = [
    "task.data.name=synthetic", "+task.data.n_train=4096", "+task.data.n_test=256",
    "task.epoch_examples=null", "epochs=60", "optimizer.lr=1e-3,1e-2",
]  # fmt: skip


@pytest.fixture
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("kill_test_script", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_killed_sweep_ends_with_the_same_bytes(script: ModuleType) -> None:
    struck, trials, different = script.compare(2, signal.SIGKILL, 1, 3, TINY)
    assert trials == 6
    assert struck >= 1
    assert different == []
