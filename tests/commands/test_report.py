"""The command: without torch, soon done, the same bytes every time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from adam_repro.cli import main
from adam_repro.figures import load
from tests.merged_csvs import cells, curves, grid, put

# Of processor time, which the other tests beside this one do not take from it: the ten
# seconds on two cores that are promised are 20 of it.
MOST = 30.0


def thousand(folder: Path) -> int:
    """Merged CSVs of all figures of the paper; how many trials they hold."""
    trials = 0
    for name in load.PAPER:
        found = (
            cells(seeds=3)
            if name == "fig4"
            else pd.concat([curves(name, noise=0.03, seeds=10), grid(name, 17)])
        )
        put(folder, name, found)
        trials += found["identity"].nunique()
    return trials


@pytest.fixture
def without_torch(tmp_path: Path) -> dict[str, str]:
    """An environment in which importing torch, or Hydra, fails: in the processes that draw too."""
    for name in ("torch", "hydra"):
        (tmp_path / "barred" / name).mkdir(parents=True)
        (tmp_path / "barred" / name / "__init__.py").write_text(f"raise SystemExit('{name}!')\n")
    here = str(Path(__file__).resolve().parents[2])
    return {**os.environ, "PYTHONPATH": f"{tmp_path / 'barred'}{os.pathsep}{here}"}


@pytest.mark.slow
def test_a_thousand_trials_are_drawn_in_seconds(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert thousand(folder) >= 1000
    monkeypatch.setattr("os.cpu_count", lambda: 1)  # all in this process, whose time is known
    start = time.process_time()
    assert main(["report", f"results_dir={folder.parent}"]) == 0
    assert time.process_time() - start < MOST
    for name in load.PAPER:
        assert (folder / f"{name}_fitted.png").is_file()


@pytest.mark.slow
def test_two_processes_draw_and_none_needs_torch(
    folder: Path, without_torch: dict[str, str]
) -> None:
    names = ("fig1_mnist", "fig2b")
    for name in names:
        put(folder, name, curves(name, seeds=2))
    command = [sys.executable, "-m", "adam_repro", "report", f"results_dir={folder.parent}"]
    done = subprocess.run(command, env=without_torch, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert done.stdout == f"{folder / 'index.html'}\n"
    for name in names:
        for kind in ("png", "pdf", "svg"):
            assert (folder / f"{name}_fitted.{kind}").stat().st_size > 5000
    assert not list(folder.glob("*partial*"))
    assert not list(folder.glob(".*"))


@pytest.mark.slow
def test_the_same_csv_gives_the_same_bytes(folder: Path) -> None:
    put(folder, "fig1_mnist", curves("fig1_mnist", noise=0.1, seeds=3))
    words = ["report", "fig1_mnist", f"results_dir={folder.parent}"]
    assert main(words) == 0
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    assert main(words) == 0
    after = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    assert before == after


@pytest.mark.slow
def test_one_figure_anew_leaves_the_others_drawings_alone(folder: Path) -> None:
    for name in ("fig1_mnist", "fig2b"):
        put(folder, name, curves(name, seeds=1))
    assert main(["report", f"results_dir={folder.parent}"]) == 0
    untouched = (folder / "fig2b_fitted.png").stat().st_mtime_ns
    drawn = (folder / "fig1_mnist_fitted.png").stat().st_mtime_ns
    assert main(["report", "fig1_mnist", f"results_dir={folder.parent}"]) == 0
    assert (folder / "fig2b_fitted.png").stat().st_mtime_ns == untouched
    assert (folder / "fig1_mnist_fitted.png").stat().st_mtime_ns > drawn
    page = (folder / "index.html").read_text()
    assert 'id="fig1_mnist"' in page
    assert 'id="fig2b"' in page


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_stopped_it_leaves_nothing_half_done_and_nobody_behind(
    how: signal.Signals, folder: Path
) -> None:
    for name in ("fig1_mnist", "fig2b"):
        put(folder, name, curves(name, seeds=2))
    process = subprocess.Popen(
        [sys.executable, "-m", "adam_repro", "report", f"results_dir={folder.parent}"],
        stderr=subprocess.PIPE, text=True, start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    while not list(folder.glob("*.png")):
        assert process.poll() is None
        time.sleep(0.01)
    if how is signal.SIGINT:  # Ctrl-C reaches every process of the terminal
        os.killpg(process.pid, how)
    else:
        process.send_signal(how)
    _, err = process.communicate(timeout=300)  # ends when the last of its processes has
    assert "Traceback" not in err
    assert not (folder / "index.html").exists()
    if how is not signal.SIGKILL:
        assert process.returncode == 130
        assert not list(folder.glob(".*"))
    for path in folder.glob("[!.]*.png"):
        assert path.read_bytes().endswith(b"IEND\xaeB`\x82")
    assert main(["report", f"results_dir={folder.parent}"]) == 0
    assert not list(folder.glob(".*"))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["index.html", "README.md", "fig1_mnist_fitted.png"])
def test_a_file_that_cannot_be_written_is_named(
    name: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(folder, "fig1_mnist", curves("fig1_mnist", seeds=1))
    (folder / name / "below").mkdir(parents=True)
    assert main(["report", f"results_dir={folder.parent}"]) == 1
    err = capsys.readouterr().err
    assert err == f"adam-repro report: {folder / name}: Is a directory\n"
    assert not list(folder.rglob("*partial*"))
