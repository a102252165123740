"""Trains the trials of a sweep that are not complete, here or on workers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from adam_repro.config.trial import Run, Trial
from adam_repro.errors import TrialFailedError
from adam_repro.files import check_results_folder
from adam_repro.runs import loggers
from adam_repro.runs.check import check, check_data
from adam_repro.runs.execute import warn_if_code_changed
from adam_repro.runs.folder import COMPLETE, TrialFolder
from adam_repro.sweep.here import all_failures, train_here
from adam_repro.sweep.progress import SweepBar
from adam_repro.sweep.workers import Workers


def train_all(trials: Sequence[Trial], run: Run, workers: Workers | None = None) -> dict[str, str]:
    """Train every trial that is not complete; return the status of each by identity.

    All trials are validated before the first is trained. It waits for trials that another process is
    training, and takes them over if that process ends. Without ``workers``, or with
    ``executor=here``, this process trains.

    Raises:
        TrialFailedError: trials failed, such as those of a foreign optimizer, or the files of complete
            ones are damaged; all others are trained.
        UserError: a mistake in the settings of any trial, or an error of execution.
    """
    loggers.check(run.logger)
    for trial in trials:
        check(trial)
    found = list({trial.identity: trial for trial in trials}.values())
    folders = {trial.identity: TrialFolder(trial, run.results_dir) for trial in found}
    outcome, damaged = _statuses(folders)
    unique = [trial for trial in found if trial.identity in outcome]
    missing = [trial for trial in unique if outcome[trial.identity] not in COMPLETE]
    if missing:
        check_results_folder(run.results_dir)  # reading the data may take minutes
    check_data(missing)
    warn_if_code_changed([TrialFolder(t, run.results_dir) for t in unique if t not in missing])
    bar = SweepBar(sum(trial.epochs for trial in unique), len(unique), run.progress)
    for trial in unique:
        if trial not in missing:
            folders[trial.identity].mend()
            bar.add_complete([str(outcome[trial.identity])], trial.epochs)
    try:
        if missing and workers is not None and workers.executor != "here":
            from adam_repro.sweep.dispatch import dispatch  # submitit may not be installed

            outcome |= dispatch(missing, run, workers, bar)
        else:
            outcome |= train_here(missing, run, bar)
    except TrialFailedError as error:
        raise all_failures([*damaged, str(error)]) from None
    finally:
        bar.close()
    if damaged:
        raise all_failures(damaged)
    return {identity: str(status) for identity, status in outcome.items()}


def _statuses(folders: Mapping[str, TrialFolder]) -> tuple[dict[str, str | None], list[str]]:
    """The status of each trial by identity; of those whose files are damaged, what is wrong."""
    found: dict[str, str | None] = {}
    damaged: list[str] = []
    for identity, folder in folders.items():
        try:
            found[identity] = folder.status()
        except TrialFailedError as error:
            damaged.append(str(error))
    return found, damaged
