"""The progress bar of a sweep: trials done, running, diverged, and the time left."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from tqdm import tqdm

from adam_repro.engine.protocol import Row, TrialStack, diverged
from adam_repro.runs.callbacks import Callback
from adam_repro.runs.folder import COMPLETE, TrialFolder
from adam_repro.wording import counted


class SweepBar(Callback):
    """Counts trial-epochs: a minibatch of S trials with n minibatches an epoch counts S/n."""

    def __init__(self, trial_epochs: int, trials: int, shown: bool) -> None:
        self.total = trial_epochs
        self.trials = trials
        self.done = self.diverged = self.failed = self.running = 0
        self.step_share = 0.0
        self.counted: dict[str, int] = {}  # epochs, by identity
        self.complete: set[str] = set()
        self.bar = tqdm(
            total=trial_epochs,
            unit="epoch",
            disable=not shown,
            file=sys.stderr,
            mininterval=0.2 if sys.stderr.isatty() else 30.0,
            # Not {postfix}, before which tqdm writes a comma.
            bar_format="{percentage:3.0f}%|{bar}| {desc} [{elapsed}<{remaining}]",
        )

    def on_stack_start(self, stack: TrialStack, epochs: int) -> None:
        """A stack starts, or resumes after ``stack.epoch`` epochs."""
        self.epochs = epochs
        self.steps = stack.epoch_steps
        self.running = len(stack.trials)
        self.step_share = self.running / self.steps
        for trial in stack.trials:  # after running out of memory, a stack resumes as two halves
            self.bar.update(max(0, stack.epoch - self.counted.get(trial.identity, 0)))
        self._show()

    def on_step(self) -> None:
        """One minibatch of the stack is done."""
        # Sums of shares such as 1/469 are inexact, and tqdm warns of a bar beyond its total.
        self.bar.update(min(self.step_share, self.total - self.bar.n))

    def on_epoch_end(self, rows: dict[str, Row]) -> None:
        """One epoch of the stack is done, its rows written."""
        for identity, row in rows.items():
            self.counted[identity] = int(row["epoch"] or 0) + 1
            if diverged(row):
                self.diverged += 1
                self.running -= 1
                self.step_share = self.running / self.steps
                self.bar.update(self.epochs - row["epoch"] - 1)  # type: ignore[operator]
            elif row["epoch"] == self.epochs - 1:
                self.done += 1
                self.running -= 1
        self._show()

    def add_failed(self, trials: int) -> None:
        """Count the trials of the last stack as failed."""
        self.failed += trials
        self.running = 0
        self._show()

    def add_complete(self, statuses: list[str], epochs: int) -> None:
        """Count trials that are complete already."""
        self.done += statuses.count("finished")
        self.diverged += statuses.count("diverged")
        self.bar.update(len(statuses) * epochs)
        self._show()

    def read_folders(self, folders: Sequence[TrialFolder]) -> None:
        """Update the counts from the folders of trials that workers train."""
        self.running = 0
        for folder in folders:
            identity = folder.trial.identity
            if identity in self.complete:
                continue
            status = folder.status()
            epochs = folder.trial.epochs if status in COMPLETE else _rows(folder)
            self.bar.update(epochs - self.counted.get(identity, 0))
            self.counted[identity] = epochs
            self.running += status == "running"
            if status in COMPLETE:
                self.complete.add(identity)
                self.done += status == "finished"
                self.diverged += status == "diverged"
        self._show()

    def close(self) -> None:
        self.bar.close()

    def _show(self) -> None:
        words = f"{self.done} of {counted(self.trials, 'trial')} done, {self.running} running"
        if self.diverged:
            words += f", {self.diverged} diverged"
        if self.failed:
            words += f", {self.failed} failed"
        self.bar.set_description_str(words, refresh=False)


def duration(seconds: float) -> str:
    """About how long, as text: "40 s", "12 min", "3 h", "5 days"."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    if seconds < 5400:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3600:.0f} h" if seconds < 360_000 else f"{seconds / 86400:.0f} days"


def _rows(folder: TrialFolder) -> int:
    """Epochs in metrics.csv; its header is written with the first row."""
    try:
        return max(0, folder.metrics.read_bytes().count(b"\n") - 1)
    except OSError:
        return 0
