"""Training stacks on workers: submit the jobs, poll them, report failures."""

from __future__ import annotations

import os
import re
import signal
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import pairwise
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from adam_repro import data
from adam_repro.config.trial import Run, Trial
from adam_repro.errors import TrialFailedError, UserError, WorkerFailedError
from adam_repro.files import not_writable
from adam_repro.runs.folder import COMPLETE, TrialFolder
from adam_repro.sweep import executors
from adam_repro.sweep.grouping import group
from adam_repro.sweep.here import train_here
from adam_repro.sweep.progress import SweepBar
from adam_repro.sweep.workers import Workers
from adam_repro.wording import are, counted

if TYPE_CHECKING:
    from submitit.helpers import DelayedSubmission

POLL_SECONDS = 1.0  # between reads of the trial folders


@dataclass(frozen=True)
class WorkerJob:
    """One stack, trained by calling this object in a worker.

    A requeued job calls it again: complete trials are skipped, the others resume from their
    checkpoints. If the preempted job still has the lock of a trial, the new one waits for it.
    """

    trials: tuple[Trial, ...]
    run: Run
    threads: int

    def __call__(self) -> dict[str, str]:
        if os.environ.get("SUBMITIT_EXECUTOR") == "local":
            # submitit's jobs ignore SIGTERM, because Slurm sends one before a requeue.
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
        torch.set_num_threads(self.threads)
        epochs = sum(trial.epochs for trial in self.trials)
        with closing(SweepBar(epochs, len(self.trials), shown=False)) as bar:
            return train_here(self.trials, self.run, bar)

    def checkpoint(self) -> DelayedSubmission:
        """The job that submitit requeues at a time limit or a preemption."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self)


def dispatch(trials: Sequence[Trial], run: Run, workers: Workers, bar: SweepBar) -> dict[str, str]:
    """Train all trials on workers; return the status of each by identity once all are complete.

    Raises:
        TrialFailedError: trials failed; all others are complete.
        WorkerFailedError: workers ended before their trials were complete.
        UserError: workers could not start.
    """
    fetch_datasets(trials)
    run = replace(run, results_dir=run.results_dir.absolute(), progress=False)
    parts = split_stacks(group(trials, run.device), workers.workers)
    jobs = [WorkerJob(tuple(part), run, workers.cpus_per_task) for part in parts]
    folders = [TrialFolder(trial, run.results_dir) for trial in trials]
    executor = executors.start(jobs, workers, _log_folder(run.results_dir))
    try:
        while not executor.poll():
            began = time.monotonic()
            bar.read_folders(folders)
            # Reading thousands of folders on a network disk may take at most a tenth of the time.
            time.sleep(max(POLL_SECONDS, 10 * (time.monotonic() - began)))
    except BaseException:
        executor.cancel()
        raise
    bar.read_folders(folders)
    outcome = {folder.trial.identity: str(folder.status()) for folder in folders}
    undone = [status for status in outcome.values() if status not in COMPLETE]
    if undone:
        raise _failure(executor.jobs, len(undone), len(trials))
    return outcome


def fetch_datasets(trials: Sequence[Trial]) -> None:
    """Put every data set into the cache, so that no two workers prepare the same one.

    Raises:
        UserError: as :func:`adam_repro.data.load`.
    """
    done = []
    for trial in trials:
        settings = dict(trial.task.get("data") or {})
        name = settings.pop("name", None)
        if name in data.DATASETS and (name, settings) not in done:
            data.load(name, **settings)
            done.append((name, settings))


def split_stacks(stacks: Sequence[Sequence[Trial]], workers: int) -> list[list[Trial]]:
    """Cut the stacks into parts of at most one worker's share each, in trial-epochs.

    The lengths of the parts of one stack differ by at most one.
    """
    share = sum(len(stack) * stack[0].epochs for stack in stacks) / workers
    parts: list[list[Trial]] = []
    for stack in stacks:
        pieces = min(len(stack), ceil(len(stack) * stack[0].epochs / share))
        ends = [i * len(stack) // pieces for i in range(pieces + 1)]
        parts += [list(stack[a:b]) for a, b in pairwise(ends)]
    return parts


def _log_folder(results: Path) -> Path:
    """Create a folder for the workers' logs and submitit's files."""
    parent = results / "sweeps" / "workers"
    try:
        parent.mkdir(parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(prefix=time.strftime("%Y-%m-%d_%H-%M-%S_"), dir=parent))
    except OSError as error:
        raise not_writable(parent, error.strerror or str(error)) from None


def _failure(jobs: Sequence[Any], undone: int, trials: int) -> UserError:
    reasons = [(job, reason) for job in jobs if (reason := _reason(job)) is not None]
    text = f"{undone} of {counted(trials, 'trial')} {are(undone)} not complete; "
    prefix = re.compile(r"adam_repro\.errors\.(\w+): ")
    kinds = {match and match[1] for match in (prefix.match(reason) for _, reason in reasons)}
    if reasons:
        job, reason = reasons[0][0], prefix.sub("", reasons[0][1], count=1)
        text += (
            f"{len(reasons)} of {counted(len(jobs), 'worker')} failed, "
            f"the first ({job.job_id}) with: {reason}\n  its log: {job.paths.stdout}\n  "
        )
    kind = TrialFailedError if kinds == {TrialFailedError.__name__} else WorkerFailedError
    return kind(text + "Run the same command again to resume.")


def _reason(job: Any) -> str | None:
    """Why a job failed, in a line or two; None if it did not."""
    if not job.paths.result_pickle.exists():
        return "it was killed or cancelled before it could report a reason"
    error = job.exception()
    if error is None:
        return None
    # submitit gives the traceback as text between two dashed lines.
    trace = str(error).split("----------------------")[1].strip()
    return trace.splitlines()[-1]
