"""The stacked launcher: what Hydra hands every batch of jobs to under ``-m``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.utils import JobReturn, JobStatus, filter_overrides
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

from adam_repro.sweep.compose import Composer

if TYPE_CHECKING:
    from adam_repro.config import Run, Trial


class StackedLauncher(Launcher):
    """Trains a batch of jobs as stacks; every job gets its ordinary trial folder."""

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        self.config = config
        self.hydra_context = hydra_context

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> Sequence[JobReturn]:
        """Train all jobs; each returns its final training cost, what a sweeper minimises.

        Raises:
            UserError: a mistake in any job, before the first is trained.
        """
        from adam_repro.sweep import summary, train_all

        compose = Composer(self.hydra_context, self.config)
        composed = [compose(job, initial_job_idx + i) for i, job in enumerate(job_overrides)]
        trials, run = self._read(composed)
        train_all(trials, run)
        frame = summary.table(trials, run.results_dir)
        path = Path(self.config.hydra.sweep.dir) / "sweep.csv"
        summary.write(frame, path)
        print(summary.best(frame))
        print(f"every trial: {path}")
        costs = frame.set_index("identity")["train_cost"]
        return [
            self._return(job, config, float(costs[trial.identity]))
            for job, config, trial in zip(job_overrides, composed, trials, strict=True)
        ]

    def _read(self, composed: list[DictConfig]) -> tuple[list[Trial], Run]:
        from adam_repro.errors import UserError
        from adam_repro.run import read

        pairs = [read(_without_hydra(config)) for config in composed]
        if any(run != pairs[0][1] for _, run in pairs):
            raise UserError(
                "device, engine, results_dir, keep_checkpoint and progress are settings of the "
                "whole sweep: give each one value"
            )
        return [trial for trial, _ in pairs], pairs[0][1]

    def _return(self, overrides: Sequence[str], config: DictConfig, cost: float) -> JobReturn:
        result: Any = JobReturn(
            overrides=filter_overrides(overrides),
            cfg=config,
            hydra_cfg=config,
            working_dir=str(config.results_dir),
            task_name="adam-repro",
        )
        result.status = JobStatus.COMPLETED
        result.return_value = cost
        return result


def _without_hydra(config: DictConfig) -> DictConfig:
    return OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
