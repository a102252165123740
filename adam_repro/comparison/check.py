"""``compare --check``: a minute's look at whether an optimizer does what a comparison relies on."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from csv import DictReader
from dataclasses import replace
from pathlib import Path

from adam_repro.comparison import probe
from adam_repro.comparison.entrants import NO_LR
from adam_repro.comparison.model import Entrant
from adam_repro.comparison.request import Request
from adam_repro.comparison.spec import TaskSpec
from adam_repro.config.trial import Run, Trial
from adam_repro.engine.stack import Stack
from adam_repro.errors import UserError
from adam_repro.runs.callbacks import Callback
from adam_repro.runs.check import check as check_trial
from adam_repro.runs.execute import execute, load
from adam_repro.runs.folder import TrialFolder

EPOCHS = 3
OK, BAD = "ok", "FAILED"
Finding = tuple[str, str]  # OK or BAD, and a sentence


def check(request: Request, run: Run, say: Callable[[str], object]) -> bool:
    """Check every candidate on the first task; whether all is well. One line each is said."""
    task = request.tasks[0]
    well = True
    for one in request.entrants:
        if one.candidate:
            say(f"{one.label}, on {task.name} with generated data where it has such:")
            with tempfile.TemporaryDirectory() as folder:
                here = replace(run, results_dir=Path(folder), engine="looped", progress=False)
                for verdict, sentence in _findings(one, task, here):
                    well &= verdict == OK
                    say(f"  {verdict:<8}{sentence}")
    return well


def _findings(entrant: Entrant, task: TaskSpec, run: Run) -> Iterator[Finding]:
    """The checks in their order; nothing after a first one that fails to train."""
    try:
        trial = probe.short_trial(entrant, task, epochs=EPOCHS)
        check_trial(trial)
        yield OK, f"constructs with {_given(trial)}"
        yield _moves(trial, run)
        yield _honours_lr(entrant, task, trial, run)
        yield _repeats(trial, run)
        yield _resumes(trial, run)
    except UserError as error:
        yield BAD, str(error)


def _given(trial: Trial) -> str:
    left_out = ("name", "target", "kwargs", "lr_name", "create_graph")
    own = {key: value for key, value in trial.optimizer.items() if key not in left_out}
    own |= trial.optimizer.get("kwargs", {})
    return ", ".join(f"{key}={value}" for key, value in own.items()) or "no options"


def _moves(trial: Trial, run: Run) -> Finding:
    task = check_trial(trial)
    if task is None or trial.optimizer["name"] == "sfo":
        return OK, "parameters move: not checked for this optimizer"
    stack = Stack([trial], task, load(task, probe.device(run)), "looped")
    before = stack.groups[0].theta.clone()
    stack.train_epoch(lambda: None)
    moved = (stack.groups[0].theta != before).sum().item()
    if not moved:
        return BAD, "no parameter moves in an epoch: its step does nothing"
    return OK, f"{moved} of {before.numel()} parameters move in an epoch"


def _honours_lr(entrant: Entrant, task: TaskSpec, trial: Trial, run: Run) -> Finding:
    if not entrant.lr_option:
        return OK, next((note for note in entrant.notes if note.startswith(NO_LR)), NO_LR)
    other = probe.short_trial(entrant, task, lr=probe.default_lr(entrant) / 10, epochs=EPOCHS)
    if _costs(_bytes(trial, run, "lr")) == _costs(_bytes(other, run, "lr")):
        return BAD, (
            "lr has no effect: two stepsizes, one a tenth of the other, give the same curve; "
            "give lr=1 if it is tuning-free, or lr_name= if its stepsize has another name"
        )
    return OK, "honours its stepsize: two of them give two curves"


def _repeats(trial: Trial, run: Run) -> Finding:
    if _bytes(trial, run, "first") != _bytes(trial, run, "second"):
        return BAD, (
            "two runs of the same trial differ: it draws from a generator of its own, or keeps "
            "something from one optimizer to the next"
        )
    return OK, "two runs give the same bytes"


def _resumes(trial: Trial, run: Run) -> Finding:
    whole = _bytes(trial, run, "whole")
    stopped = replace(run, results_dir=run.results_dir / "stopped")
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        with suppress(_StoppedError):
            execute([trial], stopped, [_StopAfter(1)])
        epoch = TrialFolder(trial, stopped.results_dir).epoch()
        execute([trial], stopped)
    if _read(trial, stopped) != whole:
        return BAD, "a resumed trial differs from one that was not interrupted"
    if not epoch:
        reason = f": {told[0].message}" if told else ""
        return OK, f"an interrupted trial begins again, and ends with the same bytes{reason}"
    return OK, "an interrupted trial goes on from its checkpoint, and ends with the same bytes"


class _StoppedError(BaseException):
    """Stands for a process that ends in the middle of an epoch."""


class _StopAfter(Callback):
    """Ends the training in the first step after so many epochs."""

    def __init__(self, epochs: int) -> None:
        self.left = epochs

    def on_epoch_end(self, rows: object) -> None:
        self.left -= 1

    def on_step(self) -> None:
        if self.left <= 0:
            raise _StoppedError


def _bytes(trial: Trial, run: Run, name: str) -> bytes:
    """The metrics.csv of a trial that is trained in a folder of its own."""
    here = replace(run, results_dir=run.results_dir / name)
    execute([trial], here)
    return _read(trial, here)


def _costs(csv: bytes) -> list[tuple[str, str]]:
    """The costs of every epoch. (The column ``stepsize`` is what was asked for.)"""
    rows = DictReader(csv.decode().splitlines())
    return [(row["train_cost"], row["test_cost"]) for row in rows]


def _read(trial: Trial, run: Run) -> bytes:
    return TrialFolder(trial, run.results_dir).metrics.read_bytes()
