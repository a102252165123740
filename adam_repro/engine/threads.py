"""How many CPU threads a stack gets."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

# Multiply-adds of a step's forward pass below which a second thread costs more than it brings: it
# has to be woken for operations of a few microseconds, and on a busy machine every one waits for it.
WORTH_SHARING = 2**25


@contextmanager
def sharing(multiply_adds: int) -> Iterator[None]:
    """Within the block, one thread for tiny steps, else as many as PyTorch has."""
    available = torch.get_num_threads()
    torch.set_num_threads(available if multiply_adds >= WORTH_SHARING else 1)
    try:
        yield
    finally:
        torch.set_num_threads(available)
