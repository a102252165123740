"""The command itself: help, a run from end to end, every optimizer."""

from __future__ import annotations

import errno
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from adam_repro.cli import main
from adam_repro.files import config_folder
from tests.helpers import TINY_COMMAND as TINY
from tests.optim.references import REFERENCES

OPTIMIZERS = sorted(path.stem for path in (config_folder() / "optimizer").glob("*.yaml"))


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [[], ["--help"], ["--version"], ["reproduce"],
     *([word, "--help"] for word in ("run", "reproduce", "report", "theory", "data"))],
)  # fmt: skip
def test_help_waits_for_nothing_heavy(words: list[str]) -> None:
    code = (
        "import sys; from adam_repro.cli import main; status = main(sys.argv[1:]);"
        "heavy = {'torch', 'pandas', 'matplotlib', 'scipy', 'sklearn'} & set(sys.modules);"
        "sys.exit(f'imported {heavy}' if heavy else status)"
    )
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "adam-repro" in done.stdout


def test_help_lists_what_can_be_run(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--help"]) == 0
    out, _ = capfd.readouterr()
    for name in ("logreg", "mlp_deterministic", "vae", "sgd_nesterov", "exponential", "schedule"):
        assert name in out


def test_help_explains_every_option(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "task=mlp", "--help"]) == 0
    out, _ = capfd.readouterr()
    values, explained = out.split("\nschedule: ", 1)[1].split("\n\n", 1)
    assert "dropout_hidden: 0.5" in values
    options = {line.split(":")[0] for line in f"schedule: {values}".splitlines() if line[0] != " "}
    assert {"device", "progress"} < options
    for name in options - {"averaging"}:
        assert re.search(rf"^{name}(\.\*)? +\w|; {name}\.\*: \w", explained, re.M), name


@pytest.mark.slow
def test_a_run_ends_with_its_curve_and_its_summary(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["run", "task=logreg", "optimizer=adam", *TINY]) == 0
    out, _ = capfd.readouterr()
    assert "finished after 2 epochs" in out
    assert "paper" not in out  # generated data are compared with nothing
    assert main(["run", "task=logreg", "optimizer=adam", *TINY, "epochs=1"]) == 0
    assert "finished after 1 epoch, " in capfd.readouterr().out
    folder = tmp_path / re.findall(r"files: (\S+)\n$", out)[0]
    assert (folder / "curve.png").read_bytes().startswith(b"\x89PNG")
    before = (folder / "metrics.csv").stat().st_mtime_ns
    assert "kwargs" not in out
    assert main(["run", "task=logreg", "optimizer=adam", *TINY]) == 0
    assert (folder / "metrics.csv").stat().st_mtime_ns == before


@pytest.mark.slow
def test_a_finished_trial_in_a_read_only_folder_has_its_summary(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["run", "task=logreg", "optimizer=adam", *TINY]
    assert main(words) == 0

    def refuse(*_: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr("adam_repro.plots.trial.atomic_write", refuse)
    assert main(words) == 0
    out, err = capfd.readouterr()
    assert out.count("finished after 2 epochs") == 2
    assert "cannot be written to" in err


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimizer_trains(
    optimizer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = {
        "torch": ["optimizer.target=torch.optim.NAdam"],
        "sfo": ["optimizer.n_subfunctions=8", "schedule=constant"],
        "adadelta": ["epochs=12"],
        "lion": ["optimizer.lr=1e-3"],
    }
    # A rule without a reference is new here: its default stepsize may suit another task.
    new = optimizer not in (*REFERENCES, "sfo", "torch")
    others = [[f"optimizer.lr={lr}"] for lr in ("1e-3", "1e-2", "1e-1")]
    for stepsize in [[], *(others if new else [])]:
        given = [*TINY, "epochs=6", *words.get(optimizer, []), *stepsize]
        assert main(["run", f"optimizer={optimizer}", *given]) == 0
        metrics = max(
            (tmp_path / "results").rglob("metrics.csv"), key=lambda p: p.stat().st_mtime_ns
        )
        costs = [float(line.split(",")[3]) for line in metrics.read_text().splitlines()[1:]]
        if costs[-1] < 0.9 * costs[0]:
            return
    pytest.fail(f"no stepsize lowers the cost by a tenth; the last one: {costs}")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "noted"),
    [
        (["optimizer=sfo", "batch_size=64"], ["batch_size=64"]),
        (["optimizer=sfo", "task.order=once"], ["task.order=once"]),
        (["optimizer=sfo", "++task.epoch_examples=128"], ["task.epoch_examples=128"]),
        (["optimizer=sfo"], []),  # TINY says task.epoch_examples=null, which is what SFO does
        (["optimizer=adam", "batch_size=64"], []),
    ],
)
def test_what_an_optimizer_does_not_read_is_said(
    words: list[str],
    noted: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    few = [] if "optimizer=adam" in words else ["optimizer.n_subfunctions=8"]
    assert main(["run", *TINY, *few, *words]) == 0
    _, err = capfd.readouterr()
    lines = [line for line in err.splitlines() if "not read" in line]
    assert [line.split(":")[0] for line in lines] == noted
    assert all("optimizer=sfo" in line for line in lines)


SIGNALLED = """
import os, runpy, signal, sys
class Signal:
    def find_spec(self, name, path=None, target=None):
        if name == "adam_repro.cli":
            os.kill(os.getpid(), signal.{name})
sys.meta_path.insert(0, Signal())
runpy.run_module("adam_repro", run_name="__main__")
"""


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_signal_before_anything_has_begun_ends_it_without_a_word(name: str) -> None:
    words = [sys.executable, "-c", SIGNALLED.format(name=name)]
    done = subprocess.run(words, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


@pytest.mark.slow
def test_the_environment_cannot_change_a_progress_bar(tmp_path: Path) -> None:
    """tqdm takes TQDM_* for arguments of every bar, and fails at its import on one of a wrong type."""
    words = [sys.executable, "-m", "adam_repro", "run", "task=logreg", *TINY[:-1]]
    odd = {"TQDM_MININTERVAL": "soon", "TQDM_TOTAL": "x", "TQDM_DISABLE": "1", "TQDM_NCOLS": "7"}
    bars = {}
    for name, environment in (("plain", {}), ("odd", odd)):
        done = subprocess.run(
            [*words, f"results_dir={tmp_path / name}"],
            env=os.environ | environment,
            capture_output=True,
            text=True,
            check=True,
        )
        bars[name] = done.stderr.count("\r") > 0, "finished after 2 epochs" in done.stdout
    assert bars["odd"] == bars["plain"] == (bars["plain"][0], True)


@pytest.mark.slow
def test_a_plugin_that_cannot_be_imported_is_named(tmp_path: Path) -> None:
    plugin = tmp_path / "hydra_plugins" / "mine" / "__init__.py"
    plugin.parent.mkdir(parents=True)
    plugin.write_text("x = 1\nraise ValueError('no such thing')\n", encoding="utf-8")
    path = os.pathsep.join([str(tmp_path), str(Path(__file__).parents[1])])
    done = subprocess.run(
        [sys.executable, "-m", "adam_repro", "run", "task=logreg", "--cfg", "job"],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        encoding="utf-8",
    )
    assert done.returncode == 2
    told = f"ValueError: no such thing ({plugin}, line 2)\n"
    assert done.stderr == f"adam-repro run: Hydra cannot carry out this command: {told}"
