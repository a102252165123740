"""Training a stack into the folders of its trials: locks, resumption, rows, checkpoints, status."""

from __future__ import annotations

import errno
import gc
import json
import warnings
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

import torch

from adam_repro import memory
from adam_repro.config.trial import Run, Trial
from adam_repro.engine import batching_policy
from adam_repro.engine import device as devices
from adam_repro.engine.minibatches import DeviceData
from adam_repro.engine.protocol import Stopwatch, TrainApartError, TrialStack, diverged
from adam_repro.engine.stack import Stack
from adam_repro.errors import TrialFailedError, UserError
from adam_repro.kernels import log1p
from adam_repro.runs import online_tasks, sources
from adam_repro.runs.callbacks import Callback, Callbacks
from adam_repro.runs.check import check, check_fit, dataset_of
from adam_repro.runs.checkpoint import CheckpointSchedule
from adam_repro.runs.folder import COMPLETE, TrialFolder
from adam_repro.tasks import Task


def execute(
    trials: Sequence[Trial], run: Run, callbacks: Sequence[Callback] = ()
) -> dict[str, str]:
    """Train one stack (same task and batch size); the status of every trial by identity.

    Finished and diverged trials are left alone; the others go on from their checkpoints. Trials of
    a stack that stopped at different epochs are trained in groups of equal epoch. A trial that
    another process is training is reported as ``running``.

    Raises:
        TrialFailedError: trials failed; all others are trained.
    """
    task = [check(trial) for trial in trials][0]  # noqa: RUF015 - every one is checked
    device = devices.resolve(run.device if task is not None else "cpu")  # online/ runs on a CPU
    outcome: dict[str, str] = {}
    warn_if_code_changed([TrialFolder(trial, run.results_dir) for trial in trials])
    with ExitStack() as locks:
        open_trials: dict[str, TrialFolder] = {}
        for trial in trials:
            folder = TrialFolder(trial, run.results_dir)
            status = folder.status()
            if status in COMPLETE:
                folder.mend()
                outcome[trial.identity] = status
            elif trial.identity not in open_trials:
                if not folder.acquire():
                    outcome[trial.identity] = "running"
                    continue
                locks.callback(folder.release)
                status = folder.status()  # another process may have finished it in between
                if status in COMPLETE:
                    outcome[trial.identity] = status
                else:
                    open_trials[trial.identity] = folder
        with devices.precision(run.tf32):
            training = _Training(run, task, device, Callbacks(callbacks))
            for group in _by_epoch(open_trials):
                outcome |= training.train(group)
    if training.failures:
        raise TrialFailedError(*training.failures, outcome=outcome)
    return outcome


def _by_epoch(folders: dict[str, TrialFolder]) -> list[list[TrialFolder]]:
    """The trials, grouped by the epoch of their checkpoint and by the CPU threads they were begun with.

    Those that cannot be stacked are alone.
    """
    groups: dict[tuple[int, int, str], list[TrialFolder]] = {}
    for identity, folder in folders.items():
        alone = identity if folder.trial.optimizer["name"] in batching_policy.NOT_STACKABLE else ""
        epoch = folder.epoch()
        threads = folder.threads() if epoch else None
        groups.setdefault((epoch, threads or 0, alone), []).append(folder)
    return [groups[key] for key in sorted(groups)]


def _stack(trials: list[Trial], run: Run, task: Task | None, device: torch.device) -> TrialStack:
    if task is None:
        return online_tasks.build_stack(trials)
    data = load(task, device)
    if trials[0].optimizer["name"] == "sfo":
        from adam_repro.engine.sfo import SFOStack  # no other trial waits for this import

        return SFOStack(trials[0], task, data)
    return Stack(trials, task, data, run.engine)


@dataclass
class _Training:
    """Trains trials of one task; ``failures`` has a message of each that failed."""

    run: Run
    task: Task | None
    device: torch.device
    callbacks: Callbacks
    failures: list[str] = field(default_factory=list)

    def train(self, group: list[TrialFolder]) -> dict[str, str]:
        """Train trials as one stack.

        If they do not fit into memory, they are trained as two halves; if one fails, or where nothing is
        gained from a stack, one by one.
        """
        first = group[0].trial
        try:
            return _train_stack(group, self.run, self.task, self.device, self.callbacks)
        except TrainApartError:
            parts = [[folder] for folder in group]
        except TrialFailedError as error:
            if len(group) == 1:
                self.failures.append(str(error))
                return {first.identity: "failed"}
            parts = [[folder] for folder in group]
        except Exception as error:
            if not memory.out_of_memory(error):
                raise
            if len(group) == 1:
                self.failures.append(
                    f"device={self.run.device}: not enough memory for one trial of "
                    f"task={first.task['name']}; {_remedy(first)}"
                )
                return {first.identity: "failed"}
            middle = (len(group) + 1) // 2
            parts = [group[:middle], group[middle:]]
        # The memory of the failed stack is free only after its exception is gone. The parts go on from the
        # last checkpoints. Those may be of two epochs, if memory ran out while they were written. Trials
        # that are complete have none.
        release(self.device)
        outcome: dict[str, str] = {}
        for part in parts:
            left = {}
            for folder in part:
                status = folder.status()
                if status in COMPLETE:
                    outcome[folder.trial.identity] = status
                else:
                    left[folder.trial.identity] = folder
            for fresh in _by_epoch(left):
                outcome |= self.train(fresh)
        return outcome


def _remedy(trial: Trial) -> str:
    if trial.optimizer["name"] == "sfo":
        return "choose a smaller optimizer.n_subfunctions"
    return "choose a smaller batch_size"


def release(device: torch.device) -> None:
    """Free the GPU memory of a stack that is no longer used, and of its CUDA graph."""
    if device.type == "cuda":
        gc.collect()
        torch.cuda.empty_cache()


def _train_stack(
    group: list[TrialFolder],
    run: Run,
    task: Task | None,
    device: torch.device,
    callbacks: Callbacks,
) -> dict[str, str]:
    trials = [folder.trial for folder in group]
    log1p.warm_up()
    release(device)  # memory in PyTorch's cache does not count as free when the stack is sized
    stack = _stack(trials, run, task, device)
    for note in task.config.unread() if task else ():  # its class and its model have what they need
        warnings.warn(note, RuntimeWarning, stacklevel=2)
    for folder in group:
        _restore(stack, folder, device)
    # Nothing is written before the stack is built: a mistake leaves no half-made folder.
    kept = group[0].threads() if stack.epoch else None  # those of the group have the same
    with devices.threads(stack.weights_at_once * trials[0].batch_size, kept):
        for folder in group:
            folder.start(device, torch.get_num_threads(), stack.epoch)
            folder.rewind(stack.epoch)
        folders = {folder.trial.identity: folder for folder in group}
        return _epochs(stack, folders, run, callbacks)


def _restore(stack: TrialStack, folder: TrialFolder, device: torch.device) -> None:
    """Restore one trial from its checkpoint. Only one checkpoint is in memory at a time."""
    state = folder.load(device)
    if state is not None:
        try:
            stack.restore(folder.trial.identity, state)
        except (KeyError, TypeError, ValueError) as error:
            raise folder.checkpoints.unreadable(_reason(error)) from None


def _reason(error: Exception) -> str:
    return str(error) if isinstance(error, ValueError) else type(error).__name__


def _epochs(
    stack: TrialStack, folders: dict[str, TrialFolder], run: Run, callbacks: Callbacks
) -> dict[str, str]:
    """Train to the end; the status of every trial."""
    epochs = stack.trials[0].epochs
    outcome: dict[str, str] = {}
    saving = CheckpointSchedule()
    callbacks.on_stack_start(stack, epochs)
    try:
        while folders and stack.epoch < epochs:
            _epoch(stack, folders, outcome, run, callbacks, saving)
        for (
            identity,
            folder,
        ) in folders.items():  # killed after the last checkpoint, before the status
            folder.finish("finished", run.keep_checkpoint, cuda_graph=False)
            outcome[identity] = "finished"
            callbacks.on_trial_end(folder.trial, "finished")
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise UserError(
            f"results_dir={run.results_dir}: no space left on the device; free some and give the "
            "same command again: it goes on after the last epoch that was saved"
        ) from None
    except Exception as error:
        if len(stack.trials) > 1 and isinstance(error, (TrialFailedError, TrainApartError)):
            raise  # they are trained again one by one
        mistake = isinstance(error, UserError) and stack.epoch == 0
        for folder in folders.values():
            folder.discard() if mistake else folder.set_status("failed")
            callbacks.on_trial_end(folder.trial, "failed")
        raise
    return outcome


def _epoch(
    stack: TrialStack,
    folders: dict[str, TrialFolder],
    outcome: dict[str, str],
    run: Run,
    callbacks: Callbacks,
    saving: CheckpointSchedule,
) -> None:
    """Train one epoch; write its rows, and then the checkpoints if they are due."""
    stopwatch = Stopwatch()
    rows = stack.train_epoch(callbacks.on_step)
    seconds = (stopwatch.lap() - stack.evaluating) / len(rows)
    due = saving.due()
    trained = {identity: rows[identity] for identity in folders}  # not those that ended before
    complete: dict[str, TrialFolder] = {}
    for identity, folder in list(folders.items()):
        folder.append(rows[identity], seconds)
        if diverged(rows[identity]):
            outcome[identity] = "diverged"
        elif stack.epoch == stack.trials[0].epochs:
            outcome[identity] = "finished"
        else:
            if due:
                _save(stack, identity, folder)
            continue
        if run.keep_checkpoint and outcome[identity] == "finished":  # there is no going on from NaN
            folder.save(stack.state(identity))
        folder.finish(outcome[identity], run.keep_checkpoint, stack.cuda_graph)
        complete[identity] = folders.pop(identity)
    saving.done(due)
    stack.drop(set(outcome))
    callbacks.on_epoch_end(trained)
    for identity, folder in complete.items():
        callbacks.on_trial_end(folder.trial, outcome[identity])


def _save(stack: TrialStack, identity: str, folder: TrialFolder) -> None:
    """Write a checkpoint; let the first of an optimizer by import path be tried."""
    folder.save(stack.state(identity))
    state = folder.to_be_checked()
    if state is not None:
        stack.check_resume(identity, state, folder.note_check)


_loaded: dict[str, DeviceData] = {}


def load(task: Task, device: torch.device) -> DeviceData:
    """The task's data on the device, cached for the next stack with the same task options.

    The task takes from them what its model depends on.
    """
    key = json.dumps([task.config.plain(), str(device)], default=str)
    if key not in _loaded:
        _loaded.clear()  # another data set: let the last one go
        dataset = dataset_of(task.config)
        check_fit(task, dataset)
        task.prepare(dataset)  # a mistake is told before anything is laid out
        _loaded[key] = DeviceData.of(dataset, task, device)
    task.prepare(_loaded[key].dataset)
    return _loaded[key]


#: What was done to a trial before its code changed, by whether it goes on, and what happens now.
WAS = {
    True: "was begun; its rows stay, and it goes on with the code as it is now",
    False: "was trained; the old rows stay",
}


def warn_if_code_changed(folders: Sequence[TrialFolder]) -> None:
    """Warn of trials that were trained, or begun, before the code of their optimizer or task changed.

    They keep their rows: the change may be a comment, or the fix of what stopped them.
    """
    older: dict[tuple[str, str], list[TrialFolder]] = {}
    for folder in folders:
        own = "torch" in (folder.trial.optimizer["name"], folder.trial.task.get("model"))
        begun = folder.checkpoint.exists() and not folder.is_complete()
        if not begun and not (own and folder.is_complete()):
            continue
        found = sources.changes(folder.trial, folder.provenance(), begun)
        for change in found if not begun or (found and folder.epoch()) else ():  # 0: it begins anew
            older.setdefault((change, WAS[begun]), []).append(folder)
    for (change, was), those in older.items():
        rest = f" and {len(those) - 1} more" if len(those) > 1 else ""
        warnings.warn(
            f"{change} since {those[0].path}{rest} {was}. To train all with the code as it is now, "
            "delete the folder, or give another results_dir",
            RuntimeWarning,
            stacklevel=2,
        )
