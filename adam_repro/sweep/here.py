"""Trains stack after stack in this process."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from tqdm import tqdm

from adam_repro import open_files
from adam_repro.config.trial import Run, Trial
from adam_repro.errors import TrialFailedError
from adam_repro.runs import loggers
from adam_repro.runs.execute import execute
from adam_repro.runs.folder import TrialFolder
from adam_repro.sweep.grouping import group
from adam_repro.sweep.progress import SweepBar
from adam_repro.wording import counted

POLL_SECONDS = 1.0  # between attempts at a trial that another process is training


def train_here(missing: Sequence[Trial], run: Run, bar: SweepBar) -> dict[str, str]:
    """Train these trials; return the status of each by identity.

    It waits for trials that another process is training, and takes them over if that process ends.

    Raises:
        TrialFailedError: trials failed; all others are trained.
    """
    outcome: dict[str, str] = {}
    failures: list[str] = []
    reported = 0
    callbacks = [bar, *loggers.make(run)]
    while missing:
        for stack in _openable(group(missing, run.device)):
            try:
                outcome |= execute(stack, run, callbacks)
            except TrialFailedError as error:
                outcome |= {trial.identity: "failed" for trial in stack} | dict(error.outcome)
                failures += error.messages
                bar.add_failed(len(error.messages) if error.outcome else len(stack))
        busy = [trial for trial in missing if outcome[trial.identity] == "running"]
        if len(busy) == len(missing):
            if reported != len(busy):
                holder = TrialFolder(busy[0], run.results_dir).holder()
                tqdm.write(
                    f"waiting for another process to train {len(busy)} of these trials"
                    + (f" ({holder})" if holder else "")
                )
                reported = len(busy)
            time.sleep(POLL_SECONDS)
        missing = busy
    if failures:
        raise all_failures(failures)
    return outcome


def all_failures(messages: Sequence[str]) -> TrialFailedError:
    """The first failure, and how many there were more."""
    more = len(messages) - 1
    return TrialFailedError(
        messages[0] + (f"; {counted(more, 'more trial')} failed too" if more else "")
    )


def _openable(stacks: Sequence[Sequence[Trial]]) -> Iterator[Sequence[Trial]]:
    """The stacks, each cut into parts of no more trials than files that may be open: one has a lock."""
    for stack in stacks:
        most = open_files.room()
        yield from (stack[i : i + most] for i in range(0, len(stack), most))
