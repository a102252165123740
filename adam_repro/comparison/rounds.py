"""The rounds of a comparison: tuning trials until the budget is used, then the best with other seeds.

What is to be trained next follows from the outcomes alone: a comparison that is stopped, at any moment,
goes on from the trials that are there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from adam_repro.comparison.model import TUNING_SEED, Entrant, Setting, TuningTrial
from adam_repro.comparison.outcomes import Outcome, Outcomes
from adam_repro.comparison.request import Request
from adam_repro.comparison.spec import TaskSpec
from adam_repro.comparison.trials import Composer
from adam_repro.comparison.tuning import Space, best, tune
from adam_repro.config.trial import Trial
from adam_repro.sweep.grouping import group
from adam_repro.sweep.progress import counted, duration

Train = Callable[[Sequence[Trial]], None]  # has an outcome for each of them afterwards
SMOKE_SECONDS = 0.05  # of an epoch on generated data, about


@dataclass(frozen=True)
class Job:
    """One optimizer on one task: what is tuned, and the trials of settings."""

    composer: Composer
    space: Space
    budget: int
    seeds: int

    @classmethod
    def of(cls, request: Request, entrant: Entrant, task: TaskSpec) -> Job:
        """The job of an entrant of a request on one of its tasks.

        Raises:
            UserError: for options that the optimizer or the task does not have.
        """
        composer = Composer.of(entrant, task, request.scale)
        return cls(composer, request.space(entrant, task), request.budget, request.seeds)

    @property
    def entrant(self) -> Entrant:
        return self.composer.entrant

    @property
    def task(self) -> TaskSpec:
        return self.composer.task

    def tuning_trial(self, setting: Setting) -> Trial:
        return self.composer.trial(setting, TUNING_SEED)

    def next_settings(self, outcomes: Outcomes) -> tuple[list[Setting], list[Setting]]:
        """The settings that were tried, and those to try next."""
        return tune(self.space, self.budget, lambda setting: self._cost(setting, outcomes))

    def tuned(self, outcomes: Outcomes) -> list[TuningTrial]:
        """The tuning trials, in the order in which they were chosen."""
        found = []
        for setting in self.next_settings(outcomes)[0]:
            outcome = self.outcome(setting, outcomes)
            found.append(TuningTrial(setting, outcome.cost(self.task.metric), outcome.status))
        return found

    def best(self, outcomes: Outcomes) -> Setting | None:
        """The best setting, once the tuning is over; ``None`` if every trial diverged or failed."""
        costs = {trial.setting: trial.cost for trial in self.tuned(outcomes)}
        return best(costs, costs.__getitem__)

    def repeats(self, outcomes: Outcomes) -> list[Trial]:
        """The best setting with every seed, the tuning seed first."""
        found = self.best(outcomes)
        seeds = range(self.seeds)
        return [] if found is None else [self.composer.trial(found, seed) for seed in seeds]

    def outcome(self, setting: Setting, outcomes: Outcomes) -> Outcome:
        """The outcome of a setting that was tried."""
        found = outcomes.find(self.tuning_trial(setting))
        assert found is not None
        return found

    def _cost(self, setting: Setting, outcomes: Outcomes) -> float | None:
        found = outcomes.find(self.tuning_trial(setting))
        return None if found is None else found.cost(self.task.metric)


def run(jobs: Sequence[Job], outcomes: Outcomes, train: Train) -> None:
    """Train until every job is tuned and repeated."""
    while missing := _tuning_batch(jobs, outcomes):
        train(missing)
    repeats = [trial for job in jobs for trial in job.repeats(outcomes)]
    if missing := _missing(repeats, outcomes, every_epoch=True):
        train(missing)


def _tuning_batch(jobs: Iterable[Job], outcomes: Outcomes) -> list[Trial]:
    """The next tuning trials of all jobs, those that are missing."""
    trials = [
        job.tuning_trial(setting) for job in jobs for setting in job.next_settings(outcomes)[1]
    ]
    return _missing(trials, outcomes)


def _missing(trials: Iterable[Trial], outcomes: Outcomes, every_epoch: bool = False) -> list[Trial]:
    found = [trial for trial in trials if outcomes.find(trial, every_epoch) is None]
    return list({trial.identity: trial for trial in found}.values())


def announce(jobs: Sequence[Job], outcomes: Outcomes, request: Request) -> str:
    """How many trials there are, how many at most are to be trained, and about how long that takes."""
    here, there, seconds = set(), 0, 0.0
    for job in jobs:
        found, left = _counts(job, outcomes)
        here |= found
        there += left
        epoch = SMOKE_SECONDS if request.scale == "smoke" else job.task.seconds
        seconds += left * job.task.epochs_at(request.scale) * epoch
    first = _tuning_batch(jobs, outcomes)
    stacks = len(list(group(first)))
    text = (
        f"{counted(len(request.tasks), 'task')} at scale {request.scale}, "
        f"{counted(len(request.entrants), 'optimizer')}: {request.budget} tuning trials of each, then "
        f"{counted(request.seeds - 1, 'repeat')} of its best setting with other seeds\n"
        f"{counted(len(here), 'trial')} {'is' if len(here) == 1 else 'are'} there, at most {there} to train"
    )
    if first:
        text += f", the first {len(first)} in {counted(stacks, 'stack')}"
    return f"{text}; about {duration(seconds)} of training on two CPU cores" if there else text


def _counts(job: Job, outcomes: Outcomes) -> tuple[set[str], int]:
    """The trials of a job that are there, by identity, and how many at most are to be trained."""
    tried, following = job.next_settings(outcomes)
    planned = [job.tuning_trial(setting) for setting in (*tried, *following)]
    missing = _missing(planned, outcomes)
    if following:
        most = job.budget if job.space.fixed is None else len(job.space.fixed)
        left = most - len(planned) + len(missing) + job.seeds - 1
    else:
        repeats = job.repeats(outcomes)
        planned += repeats
        missing = _missing(repeats, outcomes, every_epoch=True)
        left = len(missing)
    return {trial.identity for trial in planned} - {trial.identity for trial in missing}, left
