"""The device of a run: which one, how exactly it multiplies, how many CPU threads it uses."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import torch

from adam_repro.errors import UserError
from adam_repro.wording import suggestion


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
        raise UserError(
            f"device={name}: must be one of {', '.join(legal)}{found}{suggestion(name, legal)}"
        )
    return torch.device("cuda", 0) if name == "cuda" else torch.device(name)


@cache
def stream(device: torch.device, number: int) -> torch.cuda.Stream:
    """CUDA stream ``number`` of this process, shared by all stacks.

    PyTorch keeps a workspace of some 32 MB for every stream until the process ends.
    """
    return torch.cuda.Stream(device)


@contextmanager
def precision(tf32: bool) -> Iterator[None]:
    """Within the block, matrix products and convolutions in float32, or in TF32 if asked for.

    TF32 rounds their inputs to 10 bits. PyTorch allows it to convolutions unless told otherwise.
    """
    cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
    before = (matmul.allow_tf32, cudnn.allow_tf32, cudnn.deterministic, cudnn.benchmark)
    # cuDNN's search for the fastest kernel can end differently in every process, and some of its
    # kernels add in any order; a trial that goes on in another process should not notice.
    wanted = (tf32, tf32, True, False)
    _set(*wanted)
    try:
        yield
    finally:
        _set(*before)


def _set(matmul: bool, convolution: bool, deterministic: bool, benchmark: bool) -> None:
    torch.backends.cuda.matmul.allow_tf32 = matmul
    torch.backends.cudnn.allow_tf32 = convolution
    torch.backends.cudnn.deterministic = deterministic
    torch.backends.cudnn.benchmark = benchmark


# Multiply-adds of a forward pass below which a second thread costs more than it brings: it has to be
# woken for operations of a few microseconds, and on a busy machine every one waits for it. On 128
# examples a trial of logistic regression takes 2**20 and one of IMDB counts as 1.2 * 2**20; one or four
# of either gain nothing from a second thread, eight do.
WORTH_SHARING = 3 * 2**21


@contextmanager
def threads(multiply_adds: int, kept: int | None = None) -> Iterator[None]:
    """Within the block, one thread for tiny steps, else as many as PyTorch has.

    ``multiply_adds``: of what is computed at once, one trial or all those of a batch. ``kept``: the
    threads that a trial was begun with, which it keeps. Most often threads share trials, rows or
    elements, and a trial's numbers do not depend on how many they are. But oneDNN's convolutions and
    some matrix products cut a sum between them, so that its last digits do.
    """
    available = torch.get_num_threads()
    torch.set_num_threads(kept or (available if multiply_adds >= WORTH_SHARING else 1))
    try:
        yield
    finally:
        torch.set_num_threads(available)
