"""Whether Triton is installed and compiles for a device. Every module with Triton kernels asks here."""

from __future__ import annotations

from collections.abc import Callable

import torch

try:
    import triton
    import triton.language as tl
except ImportError:  # PyTorch's builds without CUDA come without Triton
    triton = tl = None


def compiles(device: torch.device, small: Callable[[], object]) -> bool:
    """Whether kernels can be compiled for ``device``: ``small``, a call of them, is tried."""
    if triton is None or device.type != "cuda":
        return False
    try:
        small()
    except Exception:  # whatever a compiler that is missing or does not know the GPU ends with
        return False
    return True


__all__ = ["compiles", "tl", "triton"]
