"""Images to pool, and PyTorch's own pooling of them."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import max_pool2d


def pytorch_max_pool(x: Tensor) -> Tensor:
    return max_pool2d(x, 3, stride=2, ceil_mode=True)


def pictures(shape: tuple[int, ...], laid: torch.memory_format) -> Tensor:
    """Whole numbers, few of them, so that maxima are shared by several pixels."""
    return torch.randint(-3, 3, shape).float().contiguous(memory_format=laid).requires_grad_()
