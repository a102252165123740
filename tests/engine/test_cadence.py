"""When checkpoints are written."""

from __future__ import annotations

import torch

from adam_repro.engine.cadence import PATIENCE, Cadence


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_on_a_cpu_every_epoch_is_kept() -> None:
    clock = Clock()
    cadence = Cadence(torch.device("cpu"), clock)
    with cadence.saving():
        clock.now += 100.0
    assert cadence.due()


def test_on_a_gpu_checkpoints_take_a_small_part_of_the_time() -> None:
    clock = Clock()
    cadence = Cadence(torch.device("cuda"), clock)
    saved = 0.0
    for _ in range(1000):  # epochs of one second; two to write a checkpoint
        clock.now += 1.0
        if cadence.due():
            with cadence.saving():
                clock.now += 2.0
                saved += 2.0
    assert 0 < saved <= clock.now / PATIENCE


def test_on_a_gpu_the_first_epoch_is_kept() -> None:
    assert Cadence(torch.device("cuda"), Clock()).due()
