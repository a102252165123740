"""Stacks trained by workers: the same bytes, preemption, kills, mistakes, options of sbatch."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from adam_repro.cli import main
from adam_repro.commands.reproduce import parse
from adam_repro.config.trial import Run, Trial
from adam_repro.errors import TrialFailedError, UserError
from adam_repro.runs.folder import TrialFolder
from adam_repro.sweep import train_all
from adam_repro.sweep.workers import Workers
from tests.helpers import TINY_COMMAND as TINY
from tests.helpers import Compose, elsewhere, metrics_bytes

pytest.importorskip("submitit")

from adam_repro.sweep import dispatch, executors
from adam_repro.sweep.progress import SweepBar

TWO = Workers(executor="local", workers=2)
SWEEP = [
    "run", "-m", "task=logreg", "optimizer=adam,sgd_nesterov", "optimizer.lr=1e-3,1e-2,1e-1",
    "task.data.name=synthetic", "+task.data.n_train=256", "+task.data.n_test=64",
    "task.epoch_examples=null", "epochs=2", "engine=looped", "progress=false",
]  # fmt: skip


def grid(trial: Compose, *words: str) -> list[Trial]:
    return [
        trial("task=logreg", f"optimizer={name}", f"optimizer.lr={lr}", *words)
        for name in ("adam", "sgd_nesterov")
        for lr in (1e-3, 1e-2, 1e-1)
    ]


@pytest.mark.slow
def test_two_workers_write_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    workers = ["hydra.launcher.executor=local", "hydra.launcher.workers=2"]
    assert main([*SWEEP, "results_dir=sent", *workers]) == 0
    out, _ = capfd.readouterr()
    assert "6 finished" in out
    assert main([*SWEEP, "results_dir=here"]) == 0
    sent, here = (
        {path.parent.name: path.read_bytes() for path in (tmp_path / name).rglob("metrics.csv")}
        for name in ("sent", "here")
    )
    assert len(here) == 6
    assert sent == here
    assert len(list((tmp_path / "sent" / "sweeps" / "workers").rglob("*_log.out"))) == 2
    assert len(list((tmp_path / "sent" / "sweeps").rglob("sweep.csv"))) == 1


def act_in_the_middle(
    monkeypatch: pytest.MonkeyPatch, act: Callable[[Sequence[Any]], None]
) -> None:
    """Call ``act`` with the jobs, once, as soon as a trial has rows and is not complete."""
    started: list[executors.Executor] = []
    start, look = executors.start, SweepBar.read_folders

    def starting(*arguments: Any) -> executors.Executor:
        monkeypatch.setattr(executors, "start", start)
        started.append(start(*arguments))
        return started[-1]

    def looking(self: SweepBar, folders: Sequence[TrialFolder]) -> None:
        look(self, folders)
        counts = [len(f.metrics.read_bytes().splitlines()) for f in folders if f.metrics.exists()]
        if started and any(3 < count < folders[0].trial.epochs for count in counts):
            act(started.pop().jobs)

    monkeypatch.setattr(dispatch, "POLL_SECONDS", 0.1)
    monkeypatch.setattr(executors, "start", starting)
    monkeypatch.setattr(SweepBar, "read_folders", looking)


def send(jobs: Sequence[Any], how: signal.Signals) -> None:
    """Send a signal to the workers themselves, which are the children of the jobs' processes.

    One that asks for requeueing goes to those that heed it by now: a worker that still imports would
    die of it, as on a cluster no job is preempted in its first second.
    """
    for job in jobs:
        found = subprocess.run(["pgrep", "-P", job.job_id], capture_output=True, text=True)
        for pid in found.stdout.split():
            if how is not signal.SIGUSR2 or _heeds(pid, how):
                os.kill(int(pid), how)


def _heeds(pid: str, how: signal.Signals) -> bool:
    """Whether a process catches a signal (Linux tells; elsewhere it is taken for granted)."""
    status = Path(f"/proc/{pid}/status")
    if not status.exists():
        return True
    caught = next(
        line
        for line in status.read_text(encoding="utf-8").splitlines()
        if line.startswith("SigCgt:")
    )
    return bool(int(caught.split()[1], 16) >> (how - 1) & 1)


@pytest.mark.slow
def test_a_preempted_worker_is_requeued_and_goes_on(
    trial: Compose, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    trials = grid(trial, "epochs=60")
    logs: list[Path] = []

    def preempt(jobs: Sequence[Any]) -> None:
        send(jobs, signal.SIGUSR2)
        logs.extend(job.paths.stdout for job in jobs)

    act_in_the_middle(monkeypatch, preempt)
    assert set(train_all(trials, run, TWO).values()) == {"finished"}
    assert any("Requeued job" in log.read_text() for log in logs)
    train_all(trials, elsewhere(run, "here"))
    for one in trials:
        assert metrics_bytes(one, run) == metrics_bytes(one, elsewhere(run, "here"))


@pytest.mark.slow
def test_a_killed_worker_is_reported_and_the_same_command_ends_with_the_same_bytes(
    trial: Compose, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    trials = grid(trial, "epochs=60")
    act_in_the_middle(monkeypatch, lambda jobs: send(jobs, signal.SIGKILL))
    with pytest.raises(UserError, match=r"trials are not complete; .* workers failed") as caught:
        train_all(trials, run, TWO)
    log = str(caught.value).split("its log: ")[1].splitlines()[0]
    assert Path(log).exists()
    assert set(train_all(trials, run, TWO).values()) == {"finished"}
    train_all(trials, elsewhere(run, "here"))
    for one in trials:
        assert metrics_bytes(one, run) == metrics_bytes(one, elsewhere(run, "here"))


@pytest.mark.slow
def test_an_interrupt_stops_the_workers(
    trial: Compose, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of a command in the background too, which ignores SIGINT, as its children then do."""
    seen: list[Any] = []

    def interrupt(jobs: Sequence[Any]) -> None:
        seen.extend(jobs)
        raise KeyboardInterrupt

    act_in_the_middle(monkeypatch, interrupt)
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with pytest.raises(KeyboardInterrupt):
            train_all(grid(trial, "epochs=5000"), run, TWO)
    finally:
        signal.signal(signal.SIGINT, before)
    assert seen
    assert all(job.done() for job in seen)


@pytest.mark.slow
def test_what_a_worker_raises_is_reported_in_its_words(trial: Compose, run: Run) -> None:
    """A mistake that shows only in training; all others are reported before anything is submitted."""
    sparse = ("task=logreg", "optimizer=torch", "optimizer.target=torch.optim.SparseAdam")
    trials = [trial(*sparse, f"seed={seed}") for seed in (0, 1)]
    with pytest.raises(
        TrialFailedError, match=r"\(\d+\) with: optimizer.target=torch.optim.SparseAdam: .*step 1"
    ) as caught:
        train_all(trials, run, TWO)
    assert "2 of 2 workers failed" in str(caught.value)


@pytest.mark.slow
def test_a_mistake_is_reported_before_anything_is_submitted(trial: Compose, run: Run) -> None:
    with pytest.raises(UserError, match="lr=-1"):
        train_all([*grid(trial), trial("optimizer.lr=-1")], run, TWO)
    with pytest.raises(UserError, match=r"batch_size=513: .*at most 512"):
        train_all(grid(trial, "batch_size=513"), run, TWO)
    assert not run.results_dir.exists()


def test_missing_submitit_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "submitit", None)
    with pytest.raises(UserError, match=r"; pip install submitit$"):
        Workers(executor="slurm").check()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"executor": "pbs"}, "L.executor=pbs: must be one of here, local, slurm"),
        ({"executor": "local", "workers": 0}, "L.workers=0: must be a whole number, at least 1"),
        (
            {"executor": "local", "gpus_per_node": -1},
            "L.gpus_per_node=-1: must be a whole number, at least 0",
        ),
        (
            {"executor": "slurm", "timeout_min": 0},
            "L.timeout_min=0: must be a whole number, at least 1",
        ),
        ({"executor": "slurm", "mem_gb": 0.0}, "L.mem_gb=0.0: must be a finite number, above 0"),
        ({"executor": "local", "timeout_min": 5}, "L.timeout_min: for L.executor=slurm only"),
        ({"workers": 8}, "L.workers: a setting of workers; give L.executor=local or slurm"),
    ],
)
def test_settings_that_cannot_be_followed(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError) as error:
        Workers(**settings).check("L.")
    assert message in str(error.value)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("-m hydra.launcher.wrkers=2", "did you mean hydra.launcher.workers?"),
        ("-m hydra.launcher.executor=pbs", "must be one of here, local, slurm"),
        ("-m hydra.launcher.executor=local hydra.launcher.workers=two", "hydra.launcher.workers"),
        ("hydra.launcher.executor=local", "add -m"),
    ],
)
def test_a_mistake_on_the_command_line_gets_one_message(
    words: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["run", *words.split(), *TINY]) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert message in err
    assert err.count("\n") <= 2
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_reproduce_takes_the_same_settings() -> None:
    words = ["fig1_mnist", "executor=slurm", "workers=3", "additional_parameters.account=mine"]
    expected = Workers("slurm", 3, additional_parameters={"account": "mine"})
    assert parse(words).workers == expected
    with pytest.raises(UserError, match=r"^workers=two: must be a whole number"):
        parse(["fig1_mnist", "executor=local", "workers=two"])


@pytest.mark.parametrize(
    ("lengths", "workers", "expected"),
    [
        ((6,), 2, [3, 3]),
        ((6,), 4, [1, 2, 1, 2]),
        ((12, 12, 12), 2, [12, 12, 12]),
        ((8, 2), 2, [4, 4, 2]),
        ((2,), 5, [1, 1]),
    ],
)
def test_long_stacks_are_cut_so_that_every_worker_has_work(
    lengths: tuple[int, ...], workers: int, expected: list[int], trial: Compose
) -> None:
    one = trial()
    stacks = [[replace(one, seed=100 * i + j) for j in range(n)] for i, n in enumerate(lengths)]
    parts = dispatch.split_stacks(stacks, workers)
    assert [len(part) for part in parts] == expected
    assert [t for part in parts for t in part] == [t for stack in stacks for t in stack]


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Commands of Slurm that only note what they are asked, in the folder that is returned."""
    commands = {
        "sbatch": 'cp "$1" "$HERE/submitted"; echo Submitted batch job 77',
        "squeue": 'cat "$HERE/queue"',
        "scancel": 'echo "$@" > "$HERE/cancelled"',
        "srun": "exit 1",
    }
    for name, script in commands.items():
        (tmp_path / name).write_text(f"#!/bin/sh\nHERE={tmp_path}\n{script}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(executors, "POLL_SECONDS", 0.0)
    monkeypatch.setattr(dispatch, "POLL_SECONDS", 0.01)
    return tmp_path


@pytest.mark.slow
def test_any_option_of_sbatch_can_be_given(slurm: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (slurm / "queue").write_text("")
    monkeypatch.chdir(slurm)
    prefix = "hydra.launcher."
    options = ["executor=slurm", "additional_parameters.account=mine", 'setup=["module load x"]']
    assert main([*SWEEP, *(prefix + option for option in options)]) == 2
    asked = (slurm / "submitted").read_text()
    assert "#SBATCH --account=mine\n" in asked
    assert "\nmodule load x\n" in asked


@pytest.mark.slow
def test_jobs_that_vanish_from_the_queue_are_given_up(
    trial: Compose, run: Run, slurm: Path
) -> None:
    (slurm / "queue").write_text("")
    workers = Workers("slurm", 2, 3, timeout_min=7, partition="p")
    with pytest.raises(UserError, match=r"2 of 2 workers failed, .*killed or cancelled"):
        train_all(grid(trial), run, workers)
    asked = (slurm / "submitted").read_text()
    for line in ("array=0-1%2", "cpus-per-task=3", "time=7", "partition=p"):
        assert f"#SBATCH --{line}\n" in asked
    assert "#SBATCH --requeue\n" in asked
    assert "srun --unbuffered" in asked


@pytest.mark.slow
def test_an_interrupt_cancels_the_array(
    trial: Compose, run: Run, slurm: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (slurm / "queue").write_text("77_0\n77_1\n")

    def interrupt(self: SweepBar, folders: Sequence[TrialFolder]) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(SweepBar, "read_folders", interrupt)
    with pytest.raises(KeyboardInterrupt):
        train_all(grid(trial), run, Workers("slurm", 2))
    assert (slurm / "cancelled").read_text() == "77\n"


def test_no_slurm_is_reported(trial: Compose, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(UserError, match="there is no Slurm here"):
        train_all(grid(trial), run, Workers("slurm", 2))
