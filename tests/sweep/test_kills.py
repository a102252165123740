"""The short form of ``scripts/kill_test.py``."""

from __future__ import annotations

import errno
import importlib.util
import signal
from pathlib import Path
from types import ModuleType

import pytest

from adam_repro.cli import main

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


@pytest.mark.slow
def test_a_killed_sweep_ends_with_the_same_bytes(script: ModuleType) -> None:
    struck, trials, different = script.compare(2, signal.SIGKILL, 1, 3, TINY)
    assert trials == 6
    assert struck >= 1
    assert different == []


def test_a_full_disk_is_reported_in_one_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Whoever writes first: here Hydra, before anything is trained."""

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("omegaconf.OmegaConf.save", full)
    assert main(["run", "-m", *TINY, "progress=false"]) == 2
    _, err = capfd.readouterr()
    assert "no space left on the device" in err
    assert err.count("\n") == 1
