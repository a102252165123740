"""The stacked launcher: Hydra gives it every batch of jobs under ``-m``."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.utils import JobReturn, JobStatus, filter_overrides
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

from adam_repro.config.hydra_errors import ignored_options
from adam_repro.config.sweep_compose import Composer, for_each_optimizer
from adam_repro.results.sweep_folder import SWEEP
from adam_repro.sweep.workers import Workers
from adam_repro.wording import counted

if TYPE_CHECKING:
    from adam_repro.config.trial import Run, Trial


#: The launchers of this process, whose command asks them what became of their trials.
started: list[StackedLauncher] = []


class StackedLauncher(Launcher):
    """Trains a batch of jobs as stacks; every job has the trial folder of a single run.

    ``settings`` are those of :class:`adam_repro.sweep.workers.Workers`. Under a sweeper that searches, a
    trial that fails or is refused is a bad point, and the search goes on. In a grid a person has named
    every trial: one that is refused is a mistake, and one that fails is told when the others are done.
    """

    def __init__(self, **settings: Any) -> None:
        plain: Any = OmegaConf.to_container(OmegaConf.create(settings), resolve=True)
        self.workers = Workers(**plain)
        self.trials: dict[str, Trial] = {}  # of all batches so far, by identity
        self.complete_rows: dict[str, dict[str, Any]] = {}  # rows of the closing table
        self.reported_notes: set[str] = set()
        self.failures: list[str] = []
        self.jobs = self.usable = 0  # so far; those with a cost that is not infinite
        self.there: set[str] = set()  # the trials that were complete before the sweep
        self.closing = ""  # the table of all batches so far

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        self.workers.check("hydra.launcher.")
        self.config = config
        self.hydra_context = hydra_context
        self.searches = not str(config.hydra.sweeper.get("_target_")).endswith(".BasicSweeper")
        self.folder = Path(config.hydra.sweep.dir)
        self.made = [path for path in (self.folder, *self.folder.parents) if not path.exists()]
        started.append(self)

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> Sequence[JobReturn]:
        """Train all jobs; each returns its final training cost, which a sweeper minimises.

        A trial that diverged or failed returns infinity: the worst value, and one that a sweeper can
        continue with. The closing table holds every batch of the sweep so far.

        Raises:
            UserError: a mistake in any job of a grid, before the first is trained; workers failed.
        """
        self.folder.mkdir(parents=True, exist_ok=True)  # a sweeper writes its results there too
        job_overrides = for_each_optimizer(job_overrides)
        compose = Composer(self.hydra_context, self.config)
        composed = [compose(job, initial_job_idx + i) for i, job in enumerate(job_overrides)]
        self.jobs += len(composed)
        trials, run = self._read(composed)
        run = None if run is None else replace(run, sweep=self.folder.name)
        self._report_unread(job_overrides, trials)
        costs = {} if run is None else self._train([one for one in trials if one is not None], run)
        returned = [
            math.inf if one is None else costs.get(one.identity, math.inf) for one in trials
        ]
        self.usable += sum(map(math.isfinite, returned))
        return [
            self._return(job, config, cost)
            for job, config, cost in zip(job_overrides, composed, returned, strict=True)
        ]

    def _train(self, trials: list[Trial], run: Run) -> dict[str, float]:
        """Train, and write the closing table; the costs of the finished trials by identity."""
        from adam_repro.errors import TrialFailedError, WorkerFailedError
        from adam_repro.sweep import table, train_all

        new = [one for one in trials if one.identity not in self.trials]
        self.there |= {one.identity for one in new if _is_complete(one, run)}
        survivable = (TrialFailedError, WorkerFailedError) if self.searches else (TrialFailedError,)
        try:
            train_all(trials, run, self.workers)
        except survivable as error:
            self._note_failure(str(error))
        self.trials |= {trial.identity: trial for trial in trials}
        frame = table.sweep_table(list(self.trials.values()), run.results_dir, self.complete_rows)
        path = self.folder / SWEEP
        table.write_csv(frame, path)
        best = table.best_settings(frame, len(self.there), grid=not self.searches)
        self.closing = f"{best}\nevery trial: {path}"
        finished = frame[frame["status"] == "finished"].set_index("identity")["train_cost"]
        return {str(identity): float(cost) for identity, cost in finished.items()}

    def _note_failure(self, message: str) -> None:
        """Keep a failure for the end; a search that goes on for hours tells it at once too."""
        if self.searches and message not in self.failures:
            print(message, file=sys.stderr)
        self.failures.append(message)

    def conclude(self) -> None:
        """Print the closing table and draw the sweep, once it is over, and say what failed.

        Raises:
            UserError: there was nothing to train; a trial of a grid failed, or every one of a search.
        """
        from adam_repro.errors import TrialFailedError, UserError

        if not self.jobs:
            raise UserError(
                "-m: there is nothing to train: an option has no value to take; "
                "range(a,b) needs a below b, and glob a name that fits"
            )
        if self.closing:
            print(self.closing)
        if self.trials:
            self._draw()
        if self.failures and not (self.searches and self.usable):
            more = len(set(self.failures)) - 1
            raise TrialFailedError(self.failures[0] + (f"; {more} more failed too" if more else ""))
        if self.failures:
            count = counted(len(self.failures), "failure")
            print(f"{count}; such trials count as infinitely bad", file=sys.stderr)

    def _draw(self) -> None:
        """Draw every trial of the sweep, and say where; only a note if there is nothing to draw."""
        from adam_repro.errors import UserError
        from adam_repro.plots import style
        from adam_repro.plots.trials.draw import draw
        from adam_repro.results.frame import read

        try:
            frame, _ = read([self.folder])
            drawing, _ = draw(frame)
            style.save(drawing, self.folder, "plot", ("png",))
        except (UserError, OSError) as reason:
            print(f"{self.folder}: not drawn: {reason}", file=sys.stderr)
        else:
            print(f"beside each other: {self.folder / 'plot.png'}")

    def discard(self) -> None:
        """Remove the folder of a sweep that was refused before anything was trained."""
        if (self.folder / SWEEP).exists():
            return
        for name in ("multirun.yaml", "optimization_results.yaml"):
            (self.folder / name).unlink(missing_ok=True)
        with suppress(OSError):  # a folder that is not empty stays
            for path in self.made:
                path.rmdir()

    def _read(self, composed: list[DictConfig]) -> tuple[list[Trial | None], Run | None]:
        """The trial of every job, and how all are executed; ``None`` for what a search is refused."""
        from adam_repro.errors import UserError

        trials: list[Trial | None] = []
        runs: list[Run] = []
        for config in composed:
            try:
                trial, run = self._read_one(config)
            except UserError as error:
                if not self.searches:
                    raise
                self._note_failure(str(error))
                trials.append(None)
                continue
            trials.append(trial)
            runs.append(run)
        if any(run != runs[0] for run in runs):
            raise UserError(
                "device, engine, tf32, results_dir, keep_checkpoint, progress and logger are settings "
                "of the whole sweep: give each one value"
            )
        return trials, runs[0] if runs else None

    def _read_one(self, config: DictConfig) -> tuple[Trial, Run]:
        from adam_repro.config.compose import from_hydra
        from adam_repro.runs.check import check

        trial, run = from_hydra(_without_hydra(config))
        if self.searches:  # in a grid, all are checked before the first is trained
            check(trial)
        return trial, run

    def _report_unread(self, jobs: Sequence[Sequence[str]], trials: list[Trial | None]) -> None:
        for job, trial in zip(jobs, trials, strict=True):
            for note in ignored_options(job, trial.optimizer["name"]) if trial else ():
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


def _is_complete(trial: Trial, run: Run) -> bool:
    """Whether trial.yaml says so; that its rows are whole is checked when it is to be trained."""
    from adam_repro.runs import record

    found = record.read(trial.folder(run.results_dir) / "trial.yaml", trial.identity)
    return found is not None and found.content["status"] in record.COMPLETE


def _without_hydra(config: DictConfig) -> DictConfig:
    return OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
