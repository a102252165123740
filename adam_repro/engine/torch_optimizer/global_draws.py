"""The global random generators of Python, NumPy and PyTorch, from which another's code may draw."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor


class States(NamedTuple):
    """The states of all of them."""

    python: Any
    numpy: Any
    torch: Tensor
    gpu: Tensor | None

    def equal(self, other: States) -> bool:
        """Whether the same numbers will be drawn."""
        return (
            torch.equal(self.torch, other.torch)
            and self.python == other.python
            and self.numpy[2:] == other.numpy[2:]
            and bool((self.numpy[1] == other.numpy[1]).all())
            and (self.gpu is None or other.gpu is None or torch.equal(self.gpu, other.gpu))
        )


def read(device: torch.device) -> States:
    """Their present states."""
    gpu = torch.cuda.get_rng_state(device) if device.type == "cuda" else None
    return States(random.getstate(), np.random.get_state(), torch.get_rng_state(), gpu)


def write(states: States, device: torch.device) -> None:
    """Let them go on from ``states``."""
    random.setstate(states.python)
    np.random.set_state(states.numpy)
    torch.set_rng_state(states.torch)
    if states.gpu is not None:
        torch.cuda.set_rng_state(states.gpu, device)


def _seed(seed: int, device: torch.device) -> None:
    random.seed(seed)
    np.random.seed(seed % 2**32)  # it takes no more bits
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        with torch.cuda.device(device):
            torch.cuda.manual_seed(seed)


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Within the block all of them begin at ``seed``; afterwards they are as they were."""
    before = read(device)
    _seed(seed, device)
    try:
        yield
    finally:
        write(before, device)


class OwnDraws:
    """Generators that begin at ``seed`` and go on from block to block."""

    def __init__(self, seed: int, device: torch.device) -> None:
        self.device = device
        with seeded(seed, device):
            self.states = read(device)

    @contextmanager
    def active(self) -> Iterator[None]:
        """Within the block the global generators are these."""
        before = read(self.device)
        write(self.states, self.device)
        try:
            yield
        finally:
            self.states = read(self.device)
            write(before, self.device)
