"""Where a gradient is differentiated again, our own kernels give way to PyTorch's operations.

Their backward passes write in place, or call what autograd does not know.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch

_ASKED = ContextVar("differentiable_twice", default=False)


@contextmanager
def differentiable_twice() -> Iterator[None]:
    """Within the block the graph of a model can be differentiated twice, also that of an LSTM on a GPU."""
    before = _ASKED.set(True)
    try:
        with torch.backends.cudnn.flags(
            enabled=False, deterministic=torch.backends.cudnn.deterministic
        ):
            yield
    finally:
        _ASKED.reset(before)


def asked() -> bool:
    """Whether a gradient is to be differentiated again."""
    return _ASKED.get()
