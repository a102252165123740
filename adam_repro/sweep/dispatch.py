"""A sweep's stacks in the hands of workers: handing out, looking on, telling what failed."""

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
from adam_repro.errors import TrialFailedError, UserError
from adam_repro.runs.folder import COMPLETE, TrialFolder
from adam_repro.sweep import clusters
from adam_repro.sweep.grouping import group
from adam_repro.sweep.here import train_here
from adam_repro.sweep.progress import SweepBar
from adam_repro.sweep.workers import Workers

if TYPE_CHECKING:
    from submitit.helpers import DelayedSubmission

LOOK = 1.0  # seconds between looks at the folders


@dataclass(frozen=True)
class Work:
    """One stack, as a worker trains it.

    A job that is requeued runs it again from the beginning: complete trials are left alone, the
    others go on from their checkpoints. A trial that the job's predecessor, not quite dead, still
    holds is waited for, as any other process's.
    """

    trials: tuple[Trial, ...]
    run: Run
    threads: int

    def __call__(self) -> dict[str, str]:
        if os.environ.get("SUBMITIT_EXECUTOR") == "local":
            # submitit has its jobs ignore SIGTERM, because Slurm sends one ahead of a requeue.
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
        torch.set_num_threads(self.threads)
        epochs = sum(trial.epochs for trial in self.trials)
        with closing(SweepBar(epochs, len(self.trials), shown=False)) as bar:
            return train_here(self.trials, self.run, bar)

    def checkpoint(self) -> DelayedSubmission:
        """What submitit puts into the queue when a job's time is up, or its node is wanted back."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self)


def dispatch(trials: Sequence[Trial], run: Run, workers: Workers, bar: SweepBar) -> dict[str, str]:
    """Have workers train all trials; the status of each by identity, when all are complete.

    Raises:
        TrialFailedError: trials could not go on; all others are complete.
        UserError: workers could not be started, or ended before their trials were complete.
    """
    fetch(trials)
    run = replace(run, results_dir=run.results_dir.absolute(), progress=False)
    parts = split(group(trials), workers.workers)
    work = [Work(tuple(part), run, workers.cpus_per_task) for part in parts]
    folders = [TrialFolder(trial, run.results_dir) for trial in trials]
    cluster = clusters.start(work, workers, _logs(run.results_dir))
    try:
        while not cluster.over():
            began = time.monotonic()
            bar.look(folders)
            # Folders of thousands of trials, on a disk far away, are not read all the time.
            time.sleep(max(LOOK, 10 * (time.monotonic() - began)))
    except BaseException:
        cluster.cancel()
        raise
    bar.look(folders)
    outcome = {folder.trial.identity: str(folder.status()) for folder in folders}
    undone = [status for status in outcome.values() if status not in COMPLETE]
    if undone:
        raise _failure(cluster.jobs, len(undone), len(trials))
    return outcome


def fetch(trials: Sequence[Trial]) -> None:
    """Have every data set in the cache, so that no two workers prepare the same one.

    Raises:
        UserError: what :func:`adam_repro.data.load` raises.
    """
    done = []
    for trial in trials:
        settings = dict(trial.task.get("data") or {})
        name = settings.pop("name", None)
        if name in data.DATASETS and (name, settings) not in done:
            data.load(name, **settings)
            done.append((name, settings))


def split(stacks: Sequence[Sequence[Trial]], workers: int) -> list[list[Trial]]:
    """The stacks, cut so that none is more than one worker's share and every worker has one.

    A share is counted in trial-epochs. The parts of a stack differ in length by one at most.
    """
    share = sum(len(stack) * stack[0].epochs for stack in stacks) / workers
    parts: list[list[Trial]] = []
    for stack in stacks:
        pieces = min(len(stack), ceil(len(stack) * stack[0].epochs / share))
        ends = [i * len(stack) // pieces for i in range(pieces + 1)]
        parts += [list(stack[a:b]) for a, b in pairwise(ends)]
    return parts


def _logs(results: Path) -> Path:
    """A new folder for the workers' logs and what submitit keeps beside them."""
    above = results / "sweeps" / "workers"
    try:
        above.mkdir(parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(prefix=time.strftime("%Y-%m-%d_%H-%M-%S_"), dir=above))
    except OSError as error:
        raise UserError(
            f"results_dir: cannot write to {above}: {error.strerror or error}; "
            "choose a folder you can write to"
        ) from None


def _failure(jobs: Sequence[Any], undone: int, trials: int) -> UserError:
    reasons = [(job, reason) for job in jobs if (reason := _reason(job)) is not None]
    text = f"{undone} of {trials} trials are not complete; "
    own = re.compile(r"adam_repro\.errors\.(\w+): ")
    kinds = {match and match[1] for match in (own.match(reason) for _, reason in reasons)}
    if reasons:
        job, reason = reasons[0][0], own.sub("", reasons[0][1], count=1)
        text += (
            f"{len(reasons)} of {len(jobs)} workers failed, the first ({job.job_id}) with: {reason}\n"
            f"  its log: {job.paths.stdout}\n  "
        )
    kind = TrialFailedError if kinds == {TrialFailedError.__name__} else UserError
    return kind(text + "The same command goes on where they stopped.")


def _reason(job: Any) -> str | None:
    """Why a job failed, in a line or two; None for one that did not."""
    if not job.paths.result_pickle.exists():
        return "it was killed or cancelled before it could say why"
    error = job.exception()
    if error is None:
        return None
    # submitit keeps the traceback as text, between two rules.
    trace = str(error).split("----------------------")[1].strip()
    return trace.splitlines()[-1]
