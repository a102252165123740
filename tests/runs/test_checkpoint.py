"""When checkpoints are written: after every epoch, or on a GPU within a twentieth of the time."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from adam_repro.config.trial import Run
from adam_repro.runs import execute as module
from adam_repro.runs.execute import CheckpointSchedule, execute
from adam_repro.runs.folder import TrialFolder
from tests.helpers import Compose, KillAfter, Killed, elsewhere, metrics_bytes


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def train(epoch: float, writing: float, epochs: int) -> list[int]:
    """The epochs after which checkpoints are written."""
    clock = Clock()
    saving = CheckpointSchedule(clock)
    written = []
    for number in range(epochs):
        clock.now += epoch
        due = saving.due()
        if due:
            written.append(number)
            clock.now += writing
        saving.done(due)
    return written


@pytest.mark.parametrize(("epoch", "writing"), [(4.0, 0.1), (1.0, 0.05), (60.0, 2.0)])
def test_what_takes_little_is_written_after_every_epoch(epoch: float, writing: float) -> None:
    assert train(epoch, writing, 20) == list(range(20))


@pytest.mark.parametrize(("epoch", "writing"), [(1.0, 1.0), (0.01, 0.01)])
def test_what_takes_much_is_written_within_its_share_of_the_time(
    epoch: float, writing: float
) -> None:
    written = train(epoch, writing, epochs=200)
    assert written == list(range(0, 200, 20))
    assert len(written) * writing <= 0.05 * 200 * epoch


@pytest.mark.slow
def test_after_a_kill_the_rows_since_the_last_checkpoint_are_trained_again(
    trial: Compose, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = trial("task=mlp", "epochs=5")
    execute([one], elsewhere(run, "whole"))

    class Once(CheckpointSchedule):
        """Writes after the first epoch, and never again."""

        written = False

        def due(self) -> bool:
            super().due()
            first, self.written = not self.written, True
            return first

    monkeypatch.setattr(module, "CheckpointSchedule", Once)
    with pytest.raises(Killed):
        execute([one], run, [KillAfter(8 * 3 + 2)])  # in the fourth epoch
    execute([one], run)
    assert metrics_bytes(one, run) == metrics_bytes(one, elsewhere(run, "whole"))


@pytest.mark.parametrize("words", [["optimizer=adam"], ["optimizer=sgd", "optimizer.lr=1e38"]])
def test_an_end_between_the_last_checkpoint_and_the_status_costs_nothing(
    words: list[str], trial: Compose, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = trial("task=logreg", *words)
    kept, ended = (elsewhere(run, name, keep_checkpoint=True) for name in ("kept", "ended"))
    wanted = execute([one], kept)

    def killed(*_: Any) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(TrialFolder, "finish", killed)
        with pytest.raises(Killed):
            execute([one], ended)
    assert TrialFolder(one, ended.results_dir).status() == "running"
    assert execute([one], ended) == wanted
    assert metrics_bytes(one, ended) == metrics_bytes(one, kept)
    assert TrialFolder(one, ended.results_dir).status() == wanted[one.identity]


def test_a_checkpoint_is_read_only_when_its_stack_is_there(
    trial: Compose, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of all groups of a stack would otherwise lie in memory while the first one trains."""
    trials = [trial("task=logreg", f"optimizer.lr={lr}") for lr in (0.1, 0.2)]
    with pytest.raises(Killed):
        execute(trials[:1], run, [KillAfter(9)])
    with pytest.raises(Killed):
        execute(trials[1:], run, [KillAfter(17)])
    read: list[tuple[str, bool]] = []
    load = TrialFolder.load

    def noted(self: TrialFolder, device: torch.device, mmap: bool = False) -> Any:
        read.append((self.trial.identity, mmap))
        return load(self, device, mmap)

    monkeypatch.setattr(TrialFolder, "load", noted)
    first, second = (one.identity for one in trials)
    execute(trials, run)
    assert read == [(first, True), (second, True), (first, False), (second, False)]
