"""Training many trials: what is complete is left alone, the rest goes stack after stack."""

from __future__ import annotations

from collections.abc import Sequence

from adam_repro.config.trial import Run, Trial
from adam_repro.runs.check import check, check_data
from adam_repro.runs.execute import warn_if_code_changed
from adam_repro.runs.folder import COMPLETE, TrialFolder
from adam_repro.sweep.here import train_here
from adam_repro.sweep.progress import SweepBar
from adam_repro.sweep.workers import Workers


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
    warn_if_code_changed([TrialFolder(t, run.results_dir) for t in wanted if t not in missing])
    bar = SweepBar(sum(trial.epochs for trial in wanted), len(wanted), run.progress)
    for trial in wanted:
        if trial not in missing:
            bar.skip([str(outcome[trial.identity])], trial.epochs)
    try:
        if missing and workers is not None and workers.executor != "here":
            from adam_repro.sweep.dispatch import dispatch  # submitit may not be installed

            outcome |= dispatch(missing, run, workers, bar)
        else:
            outcome |= train_here(missing, run, bar)
    finally:
        bar.close()
    return {identity: str(status) for identity, status in outcome.items()}
