"""Which trials of a plan are not trained yet, and about how long they take."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import mean
from typing import TYPE_CHECKING

from adam_repro.config.trial import Trial
from adam_repro.figures.spec import Scale
from adam_repro.results.merge import COMPLETE, TrialResults, select_best

if TYPE_CHECKING:
    from adam_repro.figures.plan import PlannedSeries, PlannedTrial


def missing_trials(
    planned: Sequence[PlannedTrial], trials: TrialResults, every_epoch: bool = False
) -> list[Trial]:
    """The trials to train, without duplicates. A CSV may hold only the last epoch of a trial.

    That is too little for fitted trials, which are drawn; with ``every_epoch``, for all.
    """
    missing = [
        one.trial for one in planned if not trials.is_complete(one, every_epoch or one.fitted)
    ]
    return list({trial.identity: trial for trial in missing}.values())


def selected_trials(plan: Sequence[PlannedSeries], trials: TrialResults) -> list[PlannedTrial]:
    """Every seed of the best settings of one figure, as far as its grids are trained."""
    best = select_best([trial for series in plan for trial in series.grid_stage()], trials)
    return [
        trial
        for series in plan
        for point in best.get(series.key, [])
        for trial in [series.trial_at(point, 0), *series.seed_stage(point)]
    ]


def remaining_seconds(plan: Sequence[PlannedSeries], trials: TrialResults) -> float:
    """Seconds of training left: epochs times the mean time of an epoch in this task's finished trials.

    A task without a finished trial takes the time that the figure's file gives for two CPU cores.
    """
    # A trial of several series counts once. The fitted one counts: it needs every epoch.
    by_need = sorted(plan, key=lambda series: series.fitted)
    grid_stage = [(series.scale, one) for series in by_need for one in series.grid_stage()]
    planned = list({one.trial.identity: (scale, one) for scale, one in grid_stage}.values())
    planned += [(series.scale, one) for series in plan for one in series.expected_seed_stage()]
    measured: dict[str, list[float]] = {}
    missing: list[tuple[Scale, Trial]] = []
    for scale, one in planned:
        rows = trials.metrics(one) if trials.status(one) in COMPLETE else None
        if rows is not None:
            seconds = float(rows["seconds"].iloc[-1]) / len(rows)
            measured.setdefault(one.trial.task["name"], []).append(seconds)
        elif not trials.is_complete(one, one.fitted):
            missing.append((scale, one.trial))
    return sum(
        trial.epochs
        * mean(measured.get(trial.task["name"], [scale.seconds_of(trial.task["name"])]))
        for scale, trial in missing
    )
