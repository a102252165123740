"""Sweeps: many trials as few stacks, resumable; ``train_all`` is the way in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from adam_repro.config.trial import Run, Trial
    from adam_repro.sweep.workers import Workers


def train_all(trials: Sequence[Trial], run: Run, workers: Workers | None = None) -> dict[str, str]:
    """See :func:`adam_repro.sweep.train.train_all`."""
    # Hydra imports this package to find the launcher, for its help too: torch has to wait.
    from adam_repro.sweep.train import train_all

    return train_all(trials, run, workers)


__all__ = ["train_all"]
