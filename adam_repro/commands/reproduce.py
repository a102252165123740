"""``adam-repro reproduce``: train the missing trials of figures, merge them, draw the figures."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from adam_repro import config_folders
from adam_repro.commands.options import parse as parse_options
from adam_repro.commands.options import run_of
from adam_repro.config.trial import Run, Trial
from adam_repro.config.validate import Choice, Whole, check
from adam_repro.errors import TrialFailedError, UserError
from adam_repro.figures import load
from adam_repro.figures.plan import PlannedSeries, PlannedTrial, plan_figure
from adam_repro.figures.spec import READING_TITLES, READINGS, SCALES, reading_of
from adam_repro.file_locks import results_lock
from adam_repro.report.draw import draw
from adam_repro.results.committed import CommittedRows
from adam_repro.results.merge import merge
from adam_repro.results.overwrite import check_no_trial_is_lost, check_scale, identities
from adam_repro.results.remaining import missing_trials, remaining_seconds, selected_trials
from adam_repro.results.trial_results import TrialResults
from adam_repro.runs import metrics
from adam_repro.sweep.workers import NAMES, Workers
from adam_repro.wording import are, counted

Plan = Mapping[str, Sequence[PlannedSeries]]  # by figure


@dataclass
class Options(Workers):
    """``NAME=VALUE`` on the command line."""

    scale: str = "paper"
    reading: str = "both"
    seeds: int | None = None
    results_dir: Path = Path("results")
    train: bool = True
    keep: bool = False
    device: str = "auto"
    engine: str = "auto"
    tf32: bool = False
    progress: bool = True
    logger: str = "none"
    config_dir: Path | None = None


@dataclass
class Request:
    """What the command line asks for."""

    figures: list[str]
    scale: str = "paper"
    readings: Sequence[str] = READINGS
    seeds: int | None = None  # at most so many of each series; None: as many as its scale has
    train: bool = True
    keep: bool = False
    run: Run = field(default_factory=Run)
    workers: Workers = field(default_factory=Workers)

    def csv(self, figure: str) -> Path:
        """The merged CSV of a figure."""
        return self.run.results_dir / "paper" / f"{figure}.csv"

    def part(self, plan: Sequence[PlannedSeries]) -> list[PlannedSeries]:
        """The part of a plan that is to be trained: its readings, and no more seeds."""
        return [
            replace(series, seeds=min(self.seeds or series.seeds, series.seeds))
            for series in plan
            if series.reading in self.readings
        ]


def main(arguments: Sequence[str]) -> int:
    """Train, merge and draw; 0, or 1 when trials failed: then the others are merged and drawn.

    Raises:
        UserError: for an unknown figure, option or value, or a CSV that would lose results.
    """
    request = parse(arguments)
    for name in request.figures:
        check_scale(request.csv(name), request.scale, request.keep)
    plan = {name: plan_figure(load.load(name), request.scale) for name in request.figures}
    _check_quantities(plan)
    _check_no_trial_is_lost(plan, request, request.train)
    failed = request.train and train(plan, request)
    if failed:
        _check_no_trial_is_lost(plan, request, train=False)
    folder = request.run.results_dir / "paper"
    folder.mkdir(parents=True, exist_ok=True)
    with results_lock(folder):
        for name, series in plan.items():
            _merge(name, series, request)
        draw(request.figures, folder)
    return 1 if failed else 0


def _check_quantities(plan: Plan) -> None:
    """Refuse a panel that draws what no trial of it measures, before anything is trained.

    Raises:
        UserError: naming the figure, the panel, what it draws and the columns that there are.
    """
    for name, series in plan.items():
        for panel in load.load(name).panels:
            if panel.quantity in metrics.COLUMNS:
                continue
            trials = [one.trial_at({}, 0).trial for one in series if one.panel in ("", panel.name)]
            legal = dict.fromkeys(column for one in trials for column in metrics.columns(one))
            option = f"{name}: panel {panel.name}: quantity"
            check(option, panel.quantity, Choice(*legal))


def parse(arguments: Sequence[str]) -> Request:
    """The request in the words of a command line.

    Raises:
        UserError: for an unknown figure, option or value.
    """
    options, words = parse_options(arguments, Options)
    config_folders.use(options.config_dir)
    names = load.resolve(words)
    if not names:
        raise UserError(f"which figures? Name them, or all: {', '.join(load.names())}")
    check("scale", options.scale, Choice(*SCALES))
    reading = reading_of(options.reading)  # also by the name that CSVs have
    if reading not in READINGS:
        check("reading", reading, Choice(*READING_TITLES.values(), "both"))
    has = {own for name in names for own in load.load(name).readings}
    if reading != "both" and reading not in has:
        legal = Choice(*sorted(READING_TITLES[name] for name in has), "both")
        raise UserError(f"reading={options.reading}: must be {legal} for {', '.join(names)}")
    if options.seeds is not None:
        check("seeds", options.seeds, Whole(1))
    run = run_of(options, logger=options.logger, sweep="_".join(names))
    workers = Workers(**{name: getattr(options, name) for name in NAMES})
    workers.check()
    readings = READINGS if reading == "both" else (reading,)
    return Request(
        names, options.scale, readings, options.seeds, options.train, options.keep, run, workers
    )


def train(plan: Plan, request: Request) -> bool:
    """Train both stages of every figure; whether trials failed, whose errors are printed."""
    plan = {name: request.part(series) for name, series in plan.items()}
    every = [one for series in plan.values() for one in series]
    results = request.run.results_dir
    kept = CommittedRows(results / "paper", list(plan)) if request.keep else None
    trials = TrialResults(results, kept)
    grid_stage = [trial for series in every for trial in series.grid_stage()]
    told = announce(every, grid_stage, trials, request.scale, request.run.device)
    print(told, flush=True)
    failed = _train(missing_trials(grid_stage, trials), request, plan)
    trials = TrialResults(results, kept)  # what is trained by now
    selected = [trial for series in plan.values() for trial in selected_trials(series, trials)]
    return _train(missing_trials(selected, trials, every_epoch=True), request, plan) or failed


def announce(
    plan: Sequence[PlannedSeries],
    grid_stage: Sequence[PlannedTrial],
    trials: TrialResults,
    scale: str,
    device: str = "cpu",
) -> str:
    """How many trials and stacks there are to train, and about how long that takes."""
    from adam_repro.sweep.grouping import group
    from adam_repro.sweep.progress import duration

    missing = missing_trials(grid_stage, trials)
    stacks = len(group(missing, device))
    wanted = len({planned.trial.identity for planned in grid_stage})
    there = wanted - len(missing)
    repeats = sum(len(series.expected_seed_stage()) for series in plan)
    text = (
        f"{counted(wanted + repeats, 'trial')} at scale {scale}; {there} {are(there)} there, "
        f"{len(missing)} to train in {counted(stacks, 'stack')}"
    )
    if repeats:
        text += f", then up to {counted(repeats, 'repeat')} of the best settings with other seeds"
    return f"{text}; about {duration(remaining_seconds(plan, trials))} of training on two CPU cores"


def _train(missing: Sequence[Trial], request: Request, plan: Plan) -> bool:
    """Train these trials; whether some failed.

    Raises:
        UserError: a mistake in the settings of a trial, or in its data, with the figure that has it.
    """
    if not missing:
        return False
    from adam_repro.sweep import train_all

    try:
        train_all(missing, request.run, request.workers)
    except TrialFailedError as error:
        print(error, file=sys.stderr)
        return True
    except UserError as error:
        figure = _figure_with_a_mistake(plan)
        raise UserError(f"{figure}: {error}" if figure else str(error)) from None
    return False


def _figure_with_a_mistake(plan: Plan) -> str:
    """The first figure of whose trials one is refused; empty if none is."""
    from adam_repro.runs.check import check, check_data

    for name, every in plan.items():
        try:
            for series in every:
                for planned in series.grid_stage():
                    check(planned.trial)
                check_data([series.trial_at({}, 0).trial])
        except UserError:
            return name
    return ""


def _check_no_trial_is_lost(plan: Plan, request: Request, train: bool) -> None:
    """Check every figure's CSV; ``train``: whether the request will be trained first."""
    for name, series in plan.items() if not request.keep else ():
        to_train = request.part(series) if train else []
        check_no_trial_is_lost(request.csv(name), series, request.run.results_dir, to_train)


def _merge(name: str, plan: Sequence[PlannedSeries], request: Request) -> None:
    path = request.csv(name)
    check_scale(path, request.scale, request.keep)  # again: another process may have written it
    before = identities(path) if request.keep else set()
    merge(load.load(name), request.scale, plan, request.run.results_dir, path.parent, request.keep)
    lost = before - identities(path)
    if lost:
        print(
            f"{path}: {counted(len(lost), 'trial')} {are(len(lost))} left out, cut off or of settings "
            "other than planned",
            file=sys.stderr,
        )
