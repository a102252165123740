"""Trains stack after stack in this process."""

from __future__ import annotations

import time
from collections.abc import Sequence

from tqdm import tqdm

from adam_repro.config.trial import Run, Trial
from adam_repro.errors import TrialFailedError
from adam_repro.runs.execute import execute
from adam_repro.sweep.grouping import group
from adam_repro.sweep.progress import SweepBar, counted

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
    while missing:
        for stack in group(missing):
            try:
                outcome |= execute(stack, run, [bar])
            except TrialFailedError as error:
                outcome |= {trial.identity: "failed" for trial in stack}
                failures.append(str(error))
                bar.add_failed(len(stack))
        busy = [trial for trial in missing if outcome[trial.identity] == "running"]
        if len(busy) == len(missing):
            if reported != len(busy):
                tqdm.write(f"waiting for another process to train {len(busy)} of these trials")
                reported = len(busy)
            time.sleep(POLL_SECONDS)
        missing = busy
    if failures:
        more = len(failures) - 1
        rest = f"; {counted(more, 'more trial')} failed too" if more else ""
        raise TrialFailedError(failures[0] + rest)
    return outcome
