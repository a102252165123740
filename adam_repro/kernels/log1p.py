"""Constants of PyTorch's that a processor has to be made to read.

``log1p``, and with it softplus and the cross entropy of logits, ends with the values for -0, -1 and infinity,
which AVX-512 loads under a mask of the lanes that need them. Where none does, and the page of the library
that holds the constant was never read, the fault of that load is suppressed, at every call anew: the page is
not fetched, and the function takes ten to twenty times as long as it should (seen on a Zen 5 processor with
PyTorch 2.14, where it was a third of a step of the variational auto-encoder).
"""

from __future__ import annotations

import math

import torch

REPEATS = 32  # so that whole vectors have them: what is left over of a tensor goes another way


def read() -> None:
    """Compute ``log1p`` where it is special, once, so that it is fast everywhere from then on."""
    torch.tensor([-0.0, -1.0, math.inf]).repeat(REPEATS).log1p()
