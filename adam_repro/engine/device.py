"""The device a run asks for, and what a process keeps of it."""

from __future__ import annotations

from functools import cache

import torch

from adam_repro.errors import UserError


def resolve(name: str) -> torch.device:
    """``auto`` (the first GPU, or the CPU), ``cpu``, ``cuda`` or ``cuda:N`` as a device.

    Raises:
        UserError: for another name, or a GPU that is not there.
    """
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name == "auto":
        return torch.device("cuda", 0) if count else torch.device("cpu")
    legal = ["auto", "cpu", *(["cuda"] if count else []), *(f"cuda:{i}" for i in range(count))]
    if name not in legal:
        found = "" if count else " (PyTorch sees no CUDA GPU here)"
        raise UserError(f"device={name}: must be one of {', '.join(legal)}{found}")
    return torch.device("cuda", 0) if name == "cuda" else torch.device(name)


@cache
def stream(device: torch.device, number: int) -> torch.cuda.Stream:
    """One of the streams that all stacks of this process use beside the usual one.

    For every stream it has seen PyTorch keeps some 32 MB of room for products, until the process ends.
    """
    return torch.cuda.Stream(device)
