"""The stacked launcher: Hydra gives it every batch of jobs under ``-m``."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.utils import JobReturn, JobStatus, filter_overrides
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

from adam_repro.config.hydra_errors import ignored_options
from adam_repro.config.sweep_compose import Composer
from adam_repro.sweep.workers import Workers

if TYPE_CHECKING:
    from adam_repro.config.trial import Run, Trial


class StackedLauncher(Launcher):
    """Trains a batch of jobs as stacks; every job has the trial folder of a single run.

    ``settings`` are those of :class:`adam_repro.sweep.workers.Workers`.
    """

    def __init__(self, **settings: Any) -> None:
        plain: Any = OmegaConf.to_container(OmegaConf.create(settings), resolve=True)
        self.workers = Workers(**plain)
        self.trials: dict[str, Trial] = {}  # of all batches so far, by identity
        self.complete_rows: dict[str, dict[str, Any]] = {}  # rows of the closing table
        self.reported_notes: set[str] = set()

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        self.workers.check("hydra.launcher.")
        self.config = config
        self.hydra_context = hydra_context

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> Sequence[JobReturn]:
        """Train all jobs; each returns its final training cost, which a sweeper minimises.

        A trial that diverged returns infinity: the worst value, and one that a sweeper can continue
        with. The closing table holds every batch of the sweep so far.

        Raises:
            TrialFailedError: trials failed; raised after the table is written.
            UserError: a mistake in any job, before the first is trained; workers failed.
        """
        from adam_repro.errors import TrialFailedError
        from adam_repro.sweep import table, train_all

        compose = Composer(self.hydra_context, self.config)
        composed = [compose(job, initial_job_idx + i) for i, job in enumerate(job_overrides)]
        trials, run = self._read(composed)
        self._report_unread(job_overrides, trials)
        failure = None
        try:
            train_all(trials, run, self.workers)
        except TrialFailedError as error:
            failure = error
        self.trials |= {trial.identity: trial for trial in trials}
        frame = table.sweep_table(list(self.trials.values()), run.results_dir, self.complete_rows)
        path = Path(self.config.hydra.sweep.dir) / "sweep.csv"
        table.write_csv(frame, path)
        print(table.best_settings(frame))
        print(f"every trial: {path}")
        if failure is not None:
            raise failure
        finished = frame[frame["status"] == "finished"].set_index("identity")["train_cost"]
        return [
            self._return(job, config, float(finished.get(trial.identity, math.inf)))
            for job, config, trial in zip(job_overrides, composed, trials, strict=True)
        ]

    def _read(self, composed: list[DictConfig]) -> tuple[list[Trial], Run]:
        from adam_repro.config.compose import from_hydra
        from adam_repro.errors import UserError

        pairs = [from_hydra(_without_hydra(config)) for config in composed]
        if any(run != pairs[0][1] for _, run in pairs):
            raise UserError(
                "device, engine, tf32, results_dir, keep_checkpoint and progress are settings of the "
                "whole sweep: give each one value"
            )
        return [trial for trial, _ in pairs], pairs[0][1]

    def _report_unread(self, jobs: Sequence[Sequence[str]], trials: list[Trial]) -> None:
        for job, trial in zip(jobs, trials, strict=True):
            for note in ignored_options(job, trial.optimizer["name"]):
                if note not in self.reported_notes:  # once per sweep
                    print(note, file=sys.stderr)
                    self.reported_notes.add(note)

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
