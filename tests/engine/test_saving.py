"""When checkpoints are written: after every epoch, or on a GPU within a twentieth of the time."""

from __future__ import annotations

import pytest

from adam_repro.config import Run
from adam_repro.engine import execute as module
from adam_repro.engine.execute import Saving, execute
from tests.conftest import Compose, Silent
from tests.engine.test_execute import KillAfter, Killed, elsewhere, rows


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def train(epoch: float, writing: float, epochs: int, on_gpu: bool = True) -> list[int]:
    """The epochs after which checkpoints are written."""
    clock = Clock()
    saving = Saving(on_gpu, clock)
    written = []
    for number in range(epochs):
        clock.now += epoch
        due = saving.due()
        if due:
            written.append(number)
            clock.now += writing
        saving.done(due)
    return written


@pytest.mark.parametrize(("epoch", "writing"), [(4.0, 0.1), (0.01, 0.04), (60.0, 2.0)])
def test_what_takes_little_is_written_after_every_epoch(epoch: float, writing: float) -> None:
    assert train(epoch, writing, 20) == list(range(20))


def test_on_a_cpu_they_are_written_after_every_epoch_whatever_it_takes() -> None:
    assert train(1.0, 10.0, 20, on_gpu=False) == list(range(20))


def test_what_takes_much_is_written_within_its_share_of_the_time() -> None:
    written = train(epoch=1.0, writing=1.0, epochs=200)
    assert written == list(range(0, 200, 20))
    assert len(written) * 1.0 <= 0.05 * 200 * 1.0


def test_after_a_kill_the_rows_since_the_last_checkpoint_are_trained_again(
    trial: Compose, run: Run, watch: Silent, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = trial("task=mlp", "epochs=5")
    execute([one], elsewhere(run, "whole"), watch)

    class Once(Saving):
        """Writes after the first epoch, and never again."""

        written = False

        def due(self) -> bool:
            super().due()
            first, self.written = not self.written, True
            return first

    monkeypatch.setattr(module, "Saving", Once)
    with pytest.raises(Killed):
        execute([one], run, KillAfter(8 * 3 + 2))  # in the fourth epoch
    execute([one], run, watch)
    assert rows(one, run) == rows(one, elsewhere(run, "whole"))
