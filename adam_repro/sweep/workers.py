"""Settings of a sweep's workers: how many, where, and the resources of each."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

from adam_repro.config.validate import Choice, Range, Whole, check
from adam_repro.errors import UserError

EXECUTORS = ("here", "local", "slurm")
MINIMUMS = dict(workers=1, cpus_per_task=1, gpus_per_node=0, timeout_min=1, max_num_timeout=0)
SLURM_ONLY = (
    "mem_gb",
    "timeout_min",
    "max_num_timeout",
    "partition",
    "setup",
    "additional_parameters",
)


@dataclass
class Workers:
    """The options ``hydra.launcher.*``, named as in submitit.

    ``here`` trains in this process, ``local`` in local processes, ``slurm`` in the jobs of one
    array. A worker is one task on one node.
    """

    executor: str = "here"
    workers: int = 2  # at once
    cpus_per_task: int = 1  # also PyTorch threads, but of a trial that goes on with other ones
    gpus_per_node: int = 0
    # The others are for Slurm only.
    mem_gb: float | None = None  # None: the default of the cluster
    timeout_min: int = 60  # of one job; a longer one is requeued and resumes
    max_num_timeout: int = 20  # requeues of one job
    partition: str | None = None
    setup: list[str] = field(default_factory=list)  # shell commands before a worker's Python
    # Any option of sbatch, by its long name: {account: mine, qos: low, constraint: a100}
    additional_parameters: dict[str, Any] = field(default_factory=dict)

    def check(self, prefix: str = "") -> None:
        """Validate the settings; options that the executor would ignore are errors.

        Raises:
            UserError: naming the option with ``prefix``, its value and what is legal.
        """
        _check_executor(self.executor, prefix)
        for name, least in MINIMUMS.items():
            check(f"{prefix}{name}", getattr(self, name), Whole(least))
        if self.mem_gb is not None:
            check(f"{prefix}mem_gb", self.mem_gb, Range(gt=0))
        for name in self._given():
            if self.executor == "here":
                raise UserError(
                    f"{prefix}{name}: a setting of workers; give {prefix}executor=local or slurm too"
                )
            if self.executor == "local" and name in SLURM_ONLY:
                raise UserError(f"{prefix}{name}: for {prefix}executor=slurm only")

    def _given(self) -> list[str]:
        """The settings other than the executor that differ from the defaults."""
        default = Workers(executor=self.executor)
        return [name for name in NAMES if getattr(self, name) != getattr(default, name)]


NAMES = tuple(one.name for one in fields(Workers))


def _check_executor(executor: str, prefix: str) -> None:
    check(f"{prefix}executor", executor, Choice(*EXECUTORS))
    if executor == "here":
        return
    try:
        import submitit  # noqa: F401
    except ImportError:
        raise UserError(
            f"{prefix}executor={executor}: submitit starts the workers and is not installed; "
            "pip install submitit"
        ) from None
