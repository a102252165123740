"""How exactly a GPU multiplies, and that it does so the same way twice."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def setting(tf32: bool) -> Iterator[None]:
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
