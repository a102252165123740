"""Executors run worker jobs through submitit: local processes, or a Slurm job array."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

import submitit

from adam_repro.errors import UserError
from adam_repro.sweep.workers import Workers

Job = Any  # submitit.Job[...], which mypy sees without types where submitit is not installed
YEAR = 365 * 24 * 60  # minutes: submitit requires a limit
POLL_SECONDS = 20.0  # between queries of Slurm's controller


class Executor(Protocol):
    """Runs the worker jobs that it was given."""

    jobs: list[Job]

    def poll(self) -> bool:
        """Start waiting jobs where a worker is free; return whether all jobs have ended."""

    def cancel(self) -> None:
        """Stop the running jobs and start no more."""


def start(work: Sequence[Callable[[], Any]], workers: Workers, logs: Path) -> Executor:
    """Submit the worker jobs.

    Raises:
        UserError: Slurm is not installed, or sbatch refuses the job.
    """
    kind = SlurmExecutor if workers.executor == "slurm" else LocalExecutor
    return kind(work, workers, logs)


class LocalExecutor:
    """Local processes, ``workers`` at once; no two share a GPU."""

    def __init__(self, work: Sequence[Callable[[], Any]], workers: Workers, logs: Path) -> None:
        self.waiting = list(work)
        self.workers = workers
        self.executor = submitit.LocalExecutor(logs)
        self.slots: list[Job | None] = [None] * workers.workers
        self.jobs: list[Job] = []

    def poll(self) -> bool:
        for slot, job in enumerate(self.slots):
            if job is not None and not job.done():
                continue
            self.slots[slot] = self._submit(slot) if self.waiting else None
        return not any(self.slots)

    def _submit(self, slot: int) -> Job:
        settings = self.workers
        first = slot * settings.gpus_per_node
        self.executor.update_parameters(
            timeout_min=YEAR,
            gpus_per_node=settings.gpus_per_node,
            visible_gpus=list(range(first, first + settings.gpus_per_node)),
            stderr_to_stdout=True,
        )
        job = self.executor.submit(self.waiting.pop(0))
        self.jobs.append(job)
        return job

    def cancel(self) -> None:
        self.waiting.clear()
        running = [job for job in self.slots if job is not None and not job.done()]
        for job in running:
            # Not job.cancel(): it sends SIGINT, which processes that a shell starts with & ignore.
            # The job's process forwards SIGTERM to the worker.
            with suppress(ProcessLookupError):  # Ctrl-C reached it too
                os.kill(int(job.job_id), signal.SIGTERM)
        for job in running:
            job.wait()


class SlurmExecutor:
    """One job array; ``workers`` of its jobs run at once, and each is requeued when it is preempted.

    A job has ended when its result exists or squeue no longer lists it. submitit would use sacct,
    which needs an accounting database that some clusters lack.
    """

    def __init__(self, work: Sequence[Callable[[], Any]], workers: Workers, logs: Path) -> None:
        if shutil.which("sbatch") is None or shutil.which("srun") is None:
            raise UserError(
                "executor=slurm: there is no Slurm here (no sbatch and srun on the PATH); run "
                "this on a node that can submit jobs, or use executor=local"
            )
        executor = submitit.SlurmExecutor(logs, max_num_timeout=workers.max_num_timeout)
        executor.update_parameters(**_sbatch(workers))
        try:
            with _environment():
                self.jobs = executor.submit_array(list(work))
        except (submitit.core.utils.FailedJobError, subprocess.CalledProcessError) as error:
            raise UserError(f"executor=slurm: sbatch refused the job: {error}") from None
        self.unfinished = {job.job_id: job for job in self.jobs}
        self.absent_before: set[str] = set()
        self.next_query = time.monotonic() + POLL_SECONDS

    def poll(self) -> bool:
        for name, job in list(self.unfinished.items()):
            if job.paths.result_pickle.exists():
                del self.unfinished[name]
        if self.unfinished and time.monotonic() >= self.next_query:
            self.next_query = time.monotonic() + POLL_SECONDS
            self._drop_vanished()
        return not self.unfinished

    def _drop_vanished(self) -> None:
        """Drop jobs absent from squeue twice in a row: one that is being requeued may be absent once."""
        queued = _queued_jobs()
        if queued is None:
            return
        absent = self.unfinished.keys() - queued
        for name in absent & self.absent_before:
            del self.unfinished[name]
        self.absent_before = absent

    def cancel(self) -> None:
        arrays = sorted({name.split("_")[0] for name in self.unfinished})
        if arrays:
            subprocess.run(["scancel", *arrays], check=False)


@contextmanager
def _environment() -> Iterator[None]:
    """Unset the Slurm variables of a job that this command may run in: they are not the workers'."""
    variables = {name: os.environ[name] for name in ("SLURM_CONF",) if name in os.environ}
    with submitit.helpers.clean_env(), submitit.helpers.environment_variables(**variables):
        yield


def _sbatch(workers: Workers) -> dict[str, Any]:
    cpus = workers.cpus_per_task
    settings: dict[str, Any] = {
        "job_name": "adam-repro",
        "time": workers.timeout_min,
        # The warning before the limit: at most a quarter of the time.
        "signal_delay_s": min(90, 15 * workers.timeout_min),
        "cpus_per_task": cpus,
        # Since Slurm 22.05 srun does not inherit this from sbatch.
        "srun_args": [f"--cpus-per-task={cpus}"],
        "array_parallelism": workers.workers,
        "setup": list(workers.setup),
        "stderr_to_stdout": True,
        "additional_parameters": {"requeue": True, **workers.additional_parameters},
    }
    if workers.gpus_per_node:
        settings["gpus_per_node"] = workers.gpus_per_node
    if workers.mem_gb is not None:
        settings["mem"] = f"{round(1024 * workers.mem_gb)}M"
    if workers.partition is not None:
        settings["partition"] = workers.partition
    return settings


def _queued_jobs() -> set[str] | None:
    """The ids of the user's jobs, one for each job of an array; None if the query fails."""
    command = ["squeue", "--me", "--noheader", "--array", "--format=%i"]
    result = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)
    return set(result.stdout.split()) if result.returncode == 0 else None
