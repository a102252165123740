"""Where workers run: processes of this machine, or a Slurm job array; both through submitit."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import submitit

from adam_repro.errors import UserError
from adam_repro.sweep.workers import Workers

Job = Any  # submitit.Job[...], which mypy sees without types where submitit is not installed
YEAR = 365 * 24 * 60  # minutes: submitit wants a limit, this machine has none
LOOK = 20.0  # seconds between questions to Slurm's controller


class Cluster(Protocol):
    """Work that has been handed out."""

    jobs: list[Job]

    def over(self) -> bool:
        """Whether nothing is left to run; starts what waits for a free worker."""

    def cancel(self) -> None:
        """Stop what runs, and start nothing more."""


def start(work: Sequence[Callable[[], Any]], workers: Workers, logs: Path) -> Cluster:
    """Hand out the work.

    Raises:
        UserError: where there is no Slurm, or sbatch refuses.
    """
    kind = Slurm if workers.executor == "slurm" else Local
    return kind(work, workers, logs)


class Local:
    """Processes of this machine, ``workers`` at once, each with GPUs of its own."""

    def __init__(self, work: Sequence[Callable[[], Any]], workers: Workers, logs: Path) -> None:
        self.waiting = list(work)
        self.workers = workers
        self.executor = submitit.LocalExecutor(logs)
        self.slots: list[Job | None] = [None] * workers.workers
        self.jobs: list[Job] = []

    def over(self) -> bool:
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
            # Not job.cancel: that is a SIGINT, which whatever a shell starts with & ignores. The
            # job's process hands SIGTERM on to the worker.
            os.kill(int(job.job_id), signal.SIGTERM)
        for job in running:
            job.wait()


class Slurm:
    """One job array, ``workers`` of its elements at once, each requeued when it is preempted.

    Whether an element has ended is seen by its result, or by its absence from squeue: sacct, which
    submitit would ask, is not there on a cluster without an accounting database.
    """

    def __init__(self, work: Sequence[Callable[[], Any]], workers: Workers, logs: Path) -> None:
        if shutil.which("sbatch") is None or shutil.which("srun") is None:
            raise UserError(
                "executor=slurm: there is no Slurm here (no sbatch and srun on the PATH); give the "
                "command on a node that submits jobs, or use executor=local"
            )
        executor = submitit.SlurmExecutor(logs, max_num_timeout=workers.max_num_timeout)
        executor.update_parameters(**_sbatch(workers))
        try:
            with _environment():
                self.jobs = executor.submit_array(list(work))
        except (submitit.core.utils.FailedJobError, subprocess.CalledProcessError) as error:
            raise UserError(f"executor=slurm: sbatch refused the job: {error}") from None
        self.open = {job.job_id: job for job in self.jobs}
        self.missed: set[str] = set()
        self.next_look = time.monotonic() + LOOK

    def over(self) -> bool:
        for name, job in list(self.open.items()):
            if job.paths.result_pickle.exists():
                del self.open[name]
        if self.open and time.monotonic() >= self.next_look:
            self.next_look = time.monotonic() + LOOK
            self._look()
        return not self.open

    def _look(self) -> None:
        """Give up elements that squeue did not list twice: between runs one may be missed once."""
        listed = _listed()
        if listed is None:
            return
        absent = self.open.keys() - listed
        for name in absent & self.missed:
            del self.open[name]
        self.missed = absent

    def cancel(self) -> None:
        arrays = sorted({name.split("_")[0] for name in self.open})
        if arrays:
            subprocess.run(["scancel", *arrays], check=False)


@contextmanager
def _environment() -> Iterator[None]:
    """Without the options of a job that this command may itself run in; they are not the workers'."""
    own = {name: os.environ[name] for name in ("SLURM_CONF",) if name in os.environ}
    with submitit.helpers.clean_env(), submitit.helpers.environment_variables(**own):
        yield


def _sbatch(workers: Workers) -> dict[str, Any]:
    cpus = workers.cpus_per_task
    settings: dict[str, Any] = {
        "job_name": "adam-repro",
        "time": workers.timeout_min,
        # The warning before the limit; a quarter of a job that is very short.
        "signal_delay_s": min(90, 15 * workers.timeout_min),
        "cpus_per_task": cpus,
        # Since Slurm 22.05 srun does not take this over from sbatch.
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


def _listed() -> set[str] | None:
    """The ids of all one's jobs, elements of arrays each; None where the controller is silent."""
    command = ["squeue", "--me", "--noheader", "--array", "--format=%i"]
    asked = subprocess.run(command, capture_output=True, text=True, check=False)
    return set(asked.stdout.split()) if asked.returncode == 0 else None
