"""Random streams: every draw of a trial comes from a generator named by (seed, purpose, pass).

Nothing is carried from one epoch to the next, so a resumed trial needs no generator state, and one
purpose (dropout, say) can be switched off without moving the draws of another (data order).
"""

from __future__ import annotations

import hashlib

import torch


def stream_seed(seed: int, purpose: str, index: int = 0) -> int:
    """The 63-bit seed of a stream."""
    digest = hashlib.sha256(f"{seed}/{purpose}/{index}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def generator(
    seed: int, purpose: str, index: int = 0, device: torch.device | str = "cpu"
) -> torch.Generator:
    """A fresh generator for ``purpose``: init, order, noise or evaluation, at pass ``index``."""
    return torch.Generator(device=device).manual_seed(stream_seed(seed, purpose, index))
