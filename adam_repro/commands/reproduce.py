"""``adam-repro reproduce``: train what the figures need and is not there, merge it, draw it."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

from adam_repro.commands.options import parse as parse_options
from adam_repro.config.trial import Run, Trial
from adam_repro.config.validate import Choice, Whole, check
from adam_repro.errors import TrialFailedError, UserError
from adam_repro.figures import load
from adam_repro.figures.plan import Entry, Line, lines
from adam_repro.figures.spec import READINGS, SCALES
from adam_repro.files import results_lock
from adam_repro.report.draw import draw
from adam_repro.results import merge, table
from adam_repro.results.committed import CommittedRows
from adam_repro.results.trial_results import COMPLETE, TrialResults
from adam_repro.sweep.workers import NAMES, Workers


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


@dataclass
class Request:
    """What the command line asks for."""

    figures: list[str]
    scale: str = "paper"
    readings: Sequence[str] = READINGS
    seeds: int | None = None  # trained of each series at most; those that its scale wants if None
    train: bool = True
    keep: bool = False
    run: Run = field(default_factory=Run)
    workers: Workers = field(default_factory=Workers)


def main(arguments: Sequence[str]) -> int:
    """Train, merge and draw; 0, or 1 when trials failed, without which it is drawn.

    Raises:
        UserError: for an unknown figure, option or value.
    """
    request = parse(arguments)
    wanted = [load.load(name) for name in request.figures]
    folder = request.run.results_dir / "paper"
    for figure in wanted:
        _keep_fuller(folder / f"{figure.name}.csv", request.scale, request.keep)
    planned = {figure.name: lines(figure, request.scale) for figure in wanted}
    _refuse_loss(planned, request, folder, request.train)
    failed = train(planned, request) if request.train else 0
    if failed:
        _refuse_loss(planned, request, folder, trained=False)
    folder.mkdir(parents=True, exist_ok=True)
    with results_lock(folder):
        for figure in wanted:
            path = folder / f"{figure.name}.csv"
            _keep_fuller(path, request.scale, request.keep)  # as it is by now
            found = planned[figure.name]
            results = request.run.results_dir
            before = _identities(folder, figure.name) if request.keep else set()
            merge.merge(figure, request.scale, found, results, folder, request.keep)
            lost = before - _identities(folder, figure.name)
            if lost:
                told = f"{path}: left out are {len(lost)} trials, cut off or of settings other than planned"
                print(told, file=sys.stderr)
        draw(request.figures, folder)
    return 1 if failed else 0


def parse(arguments: Sequence[str]) -> Request:
    """The request in the words of a command line.

    Raises:
        UserError: for an unknown figure, option or value.
    """
    options, words = parse_options(arguments, Options)
    names = load.chosen(words)
    if not names:
        raise UserError(f"which figures? Name them, or all: {', '.join(load.names())}")
    check("scale", options.scale, Choice(*SCALES))
    reading = check("reading", options.reading, Choice(*READINGS, "both"))
    has = {own for name in names for own in load.load(name).readings}
    if reading != "both" and reading not in has:
        legal = Choice(*sorted(has), "both")
        raise UserError(f"reading={reading}: must be {legal} for {', '.join(names)}")
    if options.seeds is not None:
        check("seeds", options.seeds, Whole(1))
    run = Run(
        device=options.device,
        engine=options.engine,
        tf32=options.tf32,
        results_dir=options.results_dir,
        progress=options.progress,
    )
    workers = Workers(**{name: getattr(options, name) for name in NAMES})
    workers.check()
    readings = READINGS if reading == "both" else (reading,)
    return Request(
        names, options.scale, readings, options.seeds, options.train, options.keep, run, workers
    )


def train(planned: dict[str, list[Line]], request: Request) -> bool:
    """Train both stages of every figure; whether trials failed, which is told."""
    planned = {name: _asked(found, request) for name, found in planned.items()}
    every = [line for found in planned.values() for line in found]
    results = request.run.results_dir
    kept = CommittedRows(results / "paper", list(planned)) if request.keep else None
    trials = TrialResults(results, kept)
    first = [entry for line in every for entry in line.first()]
    print(announce(every, first, trials, request.scale), flush=True)
    failed = _fails(_open(first, trials), request)
    trials = TrialResults(results, kept)
    second = [entry for found in planned.values() for entry in _second(found, trials)]
    return _fails(_open(second, trials, drawn=True), request) or failed


def _fails(missing: Sequence[Trial], request: Request) -> bool:
    """Train what is missing; whether trials failed."""
    from adam_repro.sweep import train_all

    try:
        train_all(missing, request.run, request.workers)
    except TrialFailedError as error:
        print(error, file=sys.stderr)
        return True
    return False


def _asked(found: Sequence[Line], request: Request) -> list[Line]:
    """The lines of the readings that are asked for, with no more seeds than that."""
    asked = [line for line in found if line.reading in request.readings]
    most = request.seeds
    return [replace(line, seeds=min(most or line.seeds, line.seeds)) for line in asked]


def announce(
    every: Sequence[Line], first: Sequence[Entry], trials: TrialResults, scale: str
) -> str:
    """How many trials and stacks there are to train, and about how long that takes."""
    from adam_repro.sweep.grouping import group

    missing = _open(first, trials)
    wanted = len({entry.trial.identity for entry in first})
    repeats = sum(len(line.repeats()) for line in every)
    seconds = _seconds(every, trials)
    stacks = len(list(group(missing)))
    text = (
        f"{wanted + repeats} trials at scale {scale}; {wanted - len(missing)} are there, "
        f"{len(missing)} to train in {stacks} stacks"
    )
    if repeats:
        text += f", then up to {repeats} repeats of the best settings with other seeds"
    return f"{text}; about {_duration(seconds)} of training on two CPU cores"


def _second(found: Sequence[Line], trials: TrialResults) -> list[Entry]:
    """Every seed of the best settings: the first too, of which a CSV may hold the last row alone."""
    best = merge.select_best([entry for line in found for entry in line.first()], trials)
    chosen = [(line, grid) for line in found for grid in best.get(line.key, [])]
    return [entry for line, grid in chosen for entry in [line.entry(grid, 0), *line.second(grid)]]


def _seconds(every: Sequence[Line], trials: TrialResults) -> float:
    """Seconds of training that are left, by what the trials that are there took.

    Where a task has none yet, by the figure's own reckoning for two CPU cores.
    """
    entries = [(line, entry) for line in every for entry in line.first() + line.repeats()]
    taken: dict[str, list[float]] = {}
    left: dict[str, tuple[Line, Entry]] = {}
    repeats = 0.0
    for line, entry in entries:
        rows = trials.metrics(entry) if trials.status(entry) in COMPLETE else None
        task = entry.trial.task["name"]
        if rows is not None:
            taken.setdefault(task, []).append(float(rows["seconds"].iloc[-1]) / len(rows))
        elif not trials.is_complete(entry, entry.printed):
            left[f"{entry.trial.identity} {line.key}" if entry.grid else entry.trial.identity] = (
                line,
                entry,
            )
    for line, entry in left.values():
        task = entry.trial.task["name"]
        each = line.scale.seconds_of(task)
        if task in taken:
            each = sum(taken[task]) / len(taken[task])
        repeats += each * entry.trial.epochs
    return repeats


def _open(entries: Sequence[Entry], trials: TrialResults, drawn: bool = False) -> list[Trial]:
    """The trials that are to be trained, each once; those that are drawn need all their epochs."""
    missing = [e.trial for e in entries if not trials.is_complete(e, drawn or e.printed)]
    return list({trial.identity: trial for trial in missing}.values())


def _identities(folder: Path, figure: str) -> set[str]:
    return set(table.read_figure_csv(folder, figure)["identity"])


def _refuse_loss(
    planned: dict[str, list[Line]], request: Request, folder: Path, trained: bool
) -> None:
    """Refuse to merge a CSV anew without trials that it holds and no folder has.

    ``trained``: what is asked for will be trained first.
    """
    for name, found in planned.items():
        held = set() if request.keep else _identities(folder, name)
        if not held:
            continue
        trials = TrialResults(request.run.results_dir)
        lost = {
            entry.trial.identity
            for entry in _every(found)
            if entry.trial.identity in held and not trials.is_complete(entry, all_epochs=True)
        }
        if trained:
            lost -= {entry.trial.identity for entry in _every(_asked(found, request))}
        if lost:
            raise UserError(
                f"keep=false: {folder / name}.csv holds {len(lost)} trials that have no folder in "
                f"{request.run.results_dir}/runs, and would be lost; give keep=true, or delete that file"
            )


def _every(found: Sequence[Line]) -> Iterator[Entry]:
    """Every seed of every setting, the other seeds of a grid's point included."""
    for line in found:
        for grid in line.grid():
            yield from (line.entry(grid, seed) for seed in range(line.seeds))


def _keep_fuller(path: Path, scale: str, keep: bool = False) -> None:
    """Refuse to put a lesser scale in the place of a fuller one, or with ``keep`` any other."""
    there = scale_of(path)
    if there is None:
        return
    if there in SCALES and SCALES.index(there) < SCALES.index(scale):
        raise UserError(
            f"scale={scale}: {path} holds results of scale {there}, which would be replaced; "
            "give another results_dir, or delete that file"
        )
    if keep and there != scale:
        raise UserError(
            f"keep=true: {path} holds results of scale {there}, none of which belong to scale={scale}; "
            f"give scale={there}, or keep=false"
        )


def scale_of(path: Path) -> str | None:
    """At which scale a figure's merged CSV is; ``None`` where there is no file, or one without a row."""
    try:
        with path.open(newline="") as file:
            header, row = islice(csv.reader(file), 2)
        return row[header.index("scale")]
    except (OSError, ValueError, IndexError, csv.Error):
        return None


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    if seconds < 5400:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3600:.0f} h" if seconds < 360_000 else f"{seconds / 86400:.0f} days"
