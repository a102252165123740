"""A comparison from its request to its result: everybody's first step, the rounds, the rows, the scores."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import pandas as pd

from adam_repro.comparison import outcomes as results
from adam_repro.comparison import probe, rounds
from adam_repro.comparison.model import (
    REPEAT,
    TUNING,
    TUNING_SEED,
    Comparison,
    Entrant,
    Setting,
    TaskResult,
)
from adam_repro.comparison.outcomes import FAILED, Outcomes
from adam_repro.comparison.request import Request
from adam_repro.comparison.rounds import Job
from adam_repro.comparison.spec import TaskSpec
from adam_repro.comparison.trials import Composer
from adam_repro.comparison.verdicts import scores
from adam_repro.config.trial import Run, Trial
from adam_repro.errors import TrialFailedError, UserError
from adam_repro.results import provenance
from adam_repro.results.reuse import ReusableRows
from adam_repro.results.trial_results import TrialResults
from adam_repro.runs.check import dataset_of
from adam_repro.runs.provenance import commit, hardware
from adam_repro.sweep import train_all
from adam_repro.sweep.progress import counted
from adam_repro.sweep.workers import Workers

Say = Callable[[str], object]


class Bench:
    """Trains a comparison. ``cannot``: why an optimizer does not take part in a task."""

    def __init__(self, request: Request, run: Run, workers: Workers, say: Say) -> None:
        self.request, self.run, self.workers, self.say = request, run, workers, say
        reusable = ReusableRows(task.group for task in request.tasks)
        self.outcomes = Outcomes(run.results_dir, reusable)
        self.cannot: dict[tuple[str, str], str] = {}
        self.jobs: list[Job] = []

    def prepare(self) -> None:
        """Try one step of everybody on every task, and plan the others.

        Raises:
            UserError: no candidate can train any task.
        """
        request = self.request
        self.cannot = dict(probe.first_steps(request.entrants, request.tasks, self.run))
        for task in request.tasks:
            self._fetch(task)
        for one in request.entrants:
            for note in one.notes:
                self.say(f"{one.label}: {note}")
        self.say(self._who_cannot())
        able = [
            (task, one)
            for task in request.tasks
            for one in request.entrants
            if (task.name, one.label) not in self.cannot
        ]
        if not any(one.candidate for _, one in able):
            raise UserError(
                "no candidate can train any of these tasks; the table above says why. "
                "`adam-repro compare --check TARGET` looks at one closely"
            )
        self.jobs = [Job.of(request, one, task) for task, one in able]
        self.say(rounds.announce(self.jobs, self.outcomes, request))

    def _fetch(self, task: TaskSpec) -> None:
        """Have the data of a task here before anything is trained; without them nobody can train it."""
        able = [one for one in self.request.entrants if (task.name, one.label) not in self.cannot]
        try:
            if able:
                data = Composer.of(able[0], task, self.request.scale).settings["task"]
                dataset_of(data)
        except UserError as error:
            self.cannot |= {(task.name, one.label): str(error) for one in able}

    def _who_cannot(self) -> str:
        """A table: which optimizer cannot train which tasks, and why."""
        entrants, tasks = self.request.entrants, self.request.tasks
        reasons: dict[tuple[str, str], list[str]] = {}
        for (task, label), reason in self.cannot.items():
            reasons.setdefault((label, reason), []).append(task)
        if not reasons:
            who, where = counted(len(entrants), "optimizer"), counted(len(tasks), "task")
            return f"One step each, {who} on {where}: all can train."
        lines = ["One step each: these cannot train"]
        for (label, reason), several in reasons.items():
            where = "any task" if len(several) == len(tasks) else ", ".join(several)
            lines.append(f"  {label:<20}{where}: {reason}")
        return "\n".join(lines)

    def train(self) -> None:
        """All rounds; trials that fail count as infinitely bad, and are told."""
        rounds.run(self.jobs, self.outcomes, self._train)

    def _train(self, trials: Sequence[Trial]) -> None:
        reason = "its rows cannot be read"
        try:
            train_all(trials, self.run, self.workers)
        except TrialFailedError as error:
            reason = str(error)
            print(error, file=sys.stderr)
        for trial in trials:
            if self.outcomes.find(trial, every_epoch=True) is None:
                self.outcomes.failures[trial.identity] = reason

    def comparison(self) -> Comparison:
        """The result of what is trained."""
        request = self.request
        tasks = [self._task_result(task) for task in request.tasks]
        return Comparison(
            request.label,
            request.command,
            request.scale,
            request.seeds,
            request.budget,
            request.entrants,
            tuple(tasks),
            scores(tasks, request.entrants),
            self._provenance(),
        )

    def _task_result(self, task: TaskSpec) -> TaskResult:
        mine = [job for job in self.jobs if job.task == task]
        best = {job.entrant.label: job.best(self.outcomes) for job in mine}
        firsts = {
            job.entrant.label: job.tuning_trial(setting)
            for job in mine
            if (setting := best[job.entrant.label]) is not None
        }
        seconds, memory = probe.step_costs(firsts, self.run)
        cannot = {label: why for (name, label), why in self.cannot.items() if name == task.name}
        return TaskResult(
            task.name,
            task.epochs_at(self.request.scale),
            task.metric,
            results.join([part for job in mine for part in self._rows(job)]),
            {label: setting for label, setting in best.items() if setting is not None},
            {job.entrant.label: tuple(job.tuned(self.outcomes)) for job in mine},
            {label: trial.settings for label, trial in firsts.items()},
            cannot,
            {job.entrant.label: self._notes(job, best[job.entrant.label]) for job in mine},
            self.request.schedules_of(task),
            seconds,
            memory,
        )

    def _rows(self, job: Job) -> Iterable[pd.DataFrame]:
        """The rows of a job's trials: the tuning in its order, then the other seeds."""
        best = job.best(self.outcomes)
        for setting in job.next_settings(self.outcomes)[0]:
            trial = job.tuning_trial(setting)
            rows = self._labelled(job, setting, trial, TUNING, setting == best)
            yield rows if setting == best else rows.tail(1)
        for trial in job.repeats(self.outcomes):
            if trial.seed != TUNING_SEED and best is not None:
                yield self._labelled(job, best, trial, REPEAT, True)

    def _labelled(
        self, job: Job, setting: Setting, trial: Trial, stage: str, whole: bool
    ) -> pd.DataFrame:
        outcome = self.outcomes.find(trial, every_epoch=whole) or self.outcomes.find(trial)
        assert outcome is not None
        lr = float("nan") if setting.lr is None else setting.lr
        keys = {"optimizer": job.entrant.label, "lr": lr, "grid": setting.grid, "stage": stage}
        return results.labelled(outcome, trial, **keys)

    def _notes(self, job: Job, best: Setting | None) -> tuple[str, ...]:
        """What is to be said of an optimizer on a task."""
        tuned = job.tuned(self.outcomes)
        said = list(job.entrant.notes)
        for status in ("diverged", FAILED):
            count = sum(trial.status == status for trial in tuned)
            if count:
                said.append(f"{count} of {len(tuned)} tuning trials {status}")
        if best is None:
            return tuple(said)
        said += _on_an_edge(job, best, [trial.setting for trial in tuned])
        costs = {trial.setting: trial.cost for trial in tuned}
        equal = [one for one, cost in costs.items() if cost == costs[best] and one != best]
        if equal:
            said.append(
                f"{len(equal)} other setting{'s' * (len(equal) != 1)} ended with the same cost as the "
                "best; the first was taken"
            )
        if len(tuned) < job.budget:
            said.append(f"{counted(len(tuned), 'tuning trial')}: there is nothing more to try")
        ends = [self.outcomes.find(trial) for trial in job.repeats(self.outcomes)]
        finals = {one.cost(job.task.metric) for one in ends if one is not None}
        if len(ends) > 1 and len(finals) == 1:
            said.append("every seed ends with the same cost: nothing here is random")
        return tuple(said)

    def _provenance(self) -> dict[str, Any]:
        """Where the rows are from: hardware, versions, commit and days; of committed ones the hardware."""
        trained, reused = [], []
        for job in self.jobs:
            tuned = [job.tuning_trial(one.setting) for one in job.tuned(self.outcomes)]
            for trial in (*tuned, *job.repeats(self.outcomes)):
                outcome = self.outcomes.find(trial)
                if outcome is not None and outcome.committed:
                    reused.append(outcome.committed)
                else:
                    trained.append(results.entry(trial))
        here = provenance.summarise(TrialResults(self.run.results_dir).origins(trained))
        versions = {
            name: ", ".join(map(str, several)) for name, several in here["versions"].items()
        }
        assert self.outcomes.reusable is not None
        origins = self.outcomes.reusable.origins(reused)
        return {
            "hardware": " and ".join(here["hardware"]) or hardware(probe.device(self.run)),
            "versions": {**versions, **packages(self.request.entrants)},
            "commit": ", ".join(here["commits"]) or commit(),
            "dates": here["dates"],
            "committed": provenance.summarise(origins)["hardware"],
        }


def _on_an_edge(job: Job, best: Setting, tried: Sequence[Setting]) -> list[str]:
    """A sentence where the best stepsize is an end of those tried with the same other options."""
    same = [one for one in tried if (one.schedule, one.others) == (best.schedule, best.others)]
    grid = sorted(one.lr for one in same if one.lr is not None)
    if job.space.fixed is not None or len(grid) < 2 or best.lr not in (grid[0], grid[-1]):
        return []
    end = "smallest" if best.lr == grid[0] else "largest"
    return [f"its best stepsize, {best.lr:g}, is the {end} of those tried"]


def packages(entrants: Iterable[Entrant]) -> Mapping[str, str]:
    """Names and versions of the installed packages that the optimizers by import path are from."""
    by_module = metadata.packages_distributions()
    found = {}
    for one in entrants:
        for word in one.words:
            key, _, target = word.partition("=")
            if key == "optimizer.target":
                for name in by_module.get(target.partition(".")[0], []):
                    found[name] = metadata.version(name)
    return found


def folder(run: Run, label: str) -> Path:
    """Where a comparison is written."""
    return run.results_dir / "compare" / label
