"""A workaround: touch the special-value constants of log1p once, so that later calls are fast.

``log1p`` (and with it softplus and the cross entropy of logits) loads its results for -0, -1 and infinity
with masked AVX-512 loads. If no lane needs them and the page of the library with the constant was never
read, the CPU suppresses a page fault at every call, and the page stays unread. The function then takes ten
to twenty times as long (seen on a Zen 5 processor with PyTorch 2.14, where it was a third of a step of the
variational auto-encoder).
"""

from __future__ import annotations

import math

import torch

REPEATS = 32  # enough for whole vectors: the remainder of a tensor takes another path


def warm_up() -> None:
    """Compute ``log1p`` of its special values once."""
    torch.tensor([-0.0, -1.0, math.inf]).repeat(REPEATS).log1p()
