"""What a sweep's workers are: how many, where, and what each of them may use."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

from adam_repro.config.validate import Choice, Range, Whole, check
from adam_repro.errors import UserError

EXECUTORS = ("here", "local", "slurm")
LEAST = {
    "workers": 1,
    "cpus_per_task": 1,
    "gpus_per_node": 0,
    "timeout_min": 1,
    "max_num_timeout": 0,
}
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
    """``hydra.launcher.*``, under the names that submitit gives these settings.

    ``here`` trains in the process of the command, ``local`` in processes of this machine, ``slurm``
    in the jobs of one array. A worker is one task on one node.
    """

    executor: str = "here"
    workers: int = 2  # at once
    cpus_per_task: int = 1  # threads of PyTorch too
    gpus_per_node: int = 0
    # The others are for Slurm only.
    mem_gb: float | None = None  # None: what the cluster gives
    timeout_min: int = 60  # of one job; one that needs longer is requeued and goes on
    max_num_timeout: int = 20  # how often
    partition: str | None = None
    setup: list[str] = field(default_factory=list)  # shell commands before a worker's Python
    # Any option of sbatch, by its long name: {account: mine, qos: low, constraint: a100}
    additional_parameters: dict[str, Any] = field(default_factory=dict)

    def check(self, prefix: str = "") -> None:
        """Refuse what no executor could follow, and options that this one would ignore.

        Raises:
            UserError: naming the option with ``prefix``, its value and what is legal.
        """
        _check_executor(self.executor, prefix)
        for name, least in LEAST.items():
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
        """The settings, but for the executor, that are not the default ones."""
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
            f"{prefix}executor={executor}: workers are started by submitit, which is not installed; "
            "pip install 'adam-repro[slurm]'"
        ) from None
