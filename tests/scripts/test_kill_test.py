"""The kill test on a small stand-in for a sweep: a kill that does not strike is no kill."""

from __future__ import annotations

import importlib
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts"

#: Writes a row every so many seconds, goes on after its last row, and then says that it is finished.
SWEEP = """
import sys, time
from pathlib import Path
seconds, rows = float(sys.argv[1]), int(sys.argv[2])
folder = Path("trial")
folder.mkdir(exist_ok=True)
(folder / "trial.yaml").write_text("status: running")
table = folder / "metrics.csv"
done = table.read_text().count("\\n") if table.exists() else 0
for row in range(done, rows):
    time.sleep(seconds)
    with table.open("a") as file:
        file.write(f"{row}\\n")
(folder / "trial.yaml").write_text("status: finished")
"""


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    monkeypatch.syspath_prepend(str(SCRIPTS))
    module = importlib.import_module("kill_test")

    def start(folder: Path, words: list[str]) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-c", SWEEP, *words], cwd=folder, stderr=subprocess.PIPE
        )

    monkeypatch.setattr(module, "start", start)
    yield module
    sys.modules.pop("kill_test", None)


@pytest.mark.slow
def test_every_kill_that_counts_leaves_something_to_train(script: ModuleType) -> None:
    struck, trials, different = script.compare(3, signal.SIGKILL, 1, 0, ["0.02", "30"])
    assert (struck, trials, different) == (3, 1, [])


@pytest.mark.slow
def test_kills_of_a_sweep_that_is_always_faster_fail_the_test(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(script.time, "sleep", lambda _: None)
    monkeypatch.setattr(script, "complete", lambda folder, trials: True)
    monkeypatch.setattr(sys, "argv", ["kill_test.py", "--kills", "2", "0", "1"])
    with pytest.raises(SystemExit, match="FAILED: 2 kills were asked for, and 0 struck"):
        script.main()
    assert "0 starts killed with SIGKILL" in capsys.readouterr().out


@pytest.mark.slow
def test_a_sweep_is_begun_anew_when_it_was_complete_before_its_kill(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    complete, answers = script.complete, [True]
    monkeypatch.setattr(
        script, "complete", lambda *given: answers.pop() if answers else complete(*given)
    )
    assert script.compare(1, signal.SIGKILL, 1, 0, ["0.02", "30"]) == (1, 1, [])
    assert answers == []


def test_no_kills_at_all_are_no_test(script: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["kill_test.py", "--kills", "0"])
    with pytest.raises(SystemExit):
        script.main()
