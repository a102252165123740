"""Training many trials: what is complete is left alone, the rest goes stack after stack."""

from __future__ import annotations

import time
from collections.abc import Sequence

from tqdm import tqdm

from adam_repro.config.trial import Run, Trial
from adam_repro.engine import source
from adam_repro.engine.execute import check, check_data, execute
from adam_repro.engine.folder import COMPLETE, TrialFolder
from adam_repro.errors import TrialFailedError
from adam_repro.sweep.progress import SweepBar
from adam_repro.sweep.stacks import group
from adam_repro.sweep.workers import Workers

PATIENCE = 1.0  # seconds between looks at a trial that another process is training


def train_all(trials: Sequence[Trial], run: Run, workers: Workers | None = None) -> dict[str, str]:
    """Train every trial that is not complete; the status of each by identity.

    All trials are checked before the first is trained. Trials that another process is training are
    waited for, and taken over if that process ends before they are complete. Without ``workers``,
    or with those of ``executor=here``, this process trains.

    Raises:
        TrialFailedError: trials could not go on, as those of a foreign optimizer; all others are trained.
        UserError: a mistake in any trial's settings, or what execution raises.
    """
    for trial in trials:
        check(trial)
    wanted = list({trial.identity: trial for trial in trials}.values())
    outcome = {trial.identity: TrialFolder(trial, run.results_dir).status() for trial in wanted}
    missing = [trial for trial in wanted if outcome[trial.identity] not in COMPLETE]
    check_data(missing)
    source.warn_of_others([TrialFolder(t, run.results_dir) for t in wanted if t not in missing])
    bar = SweepBar(sum(trial.epochs for trial in wanted), len(wanted), run.progress)
    for trial in wanted:
        if trial not in missing:
            bar.skip([str(outcome[trial.identity])], trial.epochs)
    try:
        if missing and workers is not None and workers.executor != "here":
            from adam_repro.sweep.dispatch import dispatch  # submitit may not be installed

            outcome |= dispatch(missing, run, workers, bar)
        else:
            outcome |= _train_here(missing, run, bar)
    finally:
        bar.close()
    return {identity: str(status) for identity, status in outcome.items()}


def _train_here(missing: Sequence[Trial], run: Run, bar: SweepBar) -> dict[str, str]:
    outcome: dict[str, str] = {}
    failures: list[str] = []
    told = 0
    while missing:
        for stack in group(missing):
            try:
                outcome |= execute(stack, run, bar)
            except TrialFailedError as error:
                outcome |= {trial.identity: "failed" for trial in stack}
                failures.append(str(error))
                bar.fail(len(stack))
        busy = [trial for trial in missing if outcome[trial.identity] == "running"]
        if len(busy) == len(missing):
            if told != len(busy):
                tqdm.write(f"waiting for another process to train {len(busy)} of these trials")
                told = len(busy)
            time.sleep(PATIENCE)
        missing = busy
    if failures:
        more = len(failures) - 1
        rest = f"; {more} more trial{'s' * (more > 1)} failed too" if more else ""
        raise TrialFailedError(failures[0] + rest)
    return outcome
