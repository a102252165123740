"""How many CPU threads a stack gets."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

# Multiply-adds of a forward pass below which a second thread costs more than it brings: it has to be
# woken for operations of a few microseconds, and on a busy machine every one waits for it. One trial
# of logistic regression on 128 images takes 2**20, and is slower with two threads; four are faster.
WORTH_SHARING = 2**21


@contextmanager
def sharing(multiply_adds: int) -> Iterator[None]:
    """Within the block, one thread for tiny steps, else as many as PyTorch has.

    ``multiply_adds``: of what is computed at once, one trial or all those of a batch. No trial's
    numbers depend on it: what threads share is cut between trials, rows or elements, not within sums.
    """
    available = torch.get_num_threads()
    torch.set_num_threads(available if multiply_adds >= WORTH_SHARING else 1)
    try:
        yield
    finally:
        torch.set_num_threads(available)
