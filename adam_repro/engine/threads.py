"""How many CPU threads a stack gets."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

# Multiply-adds of a forward pass below which a second thread costs more than it brings: it has to be
# woken for operations of a few microseconds, and on a busy machine every one waits for it. On 128
# examples a trial of logistic regression takes 2**20 and one of IMDB counts as 1.2 * 2**20; one or four
# of either gain nothing from a second thread, eight do.
WORTH_SHARING = 3 * 2**21


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
