"""Sweeps: many trials as few stacks, resumable; the entry point is ``train_all``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from adam_repro.config.trial import Run, Trial
    from adam_repro.sweep.workers import Workers


def train_all(trials: Sequence[Trial], run: Run, workers: Workers | None = None) -> dict[str, str]:
    """See :func:`adam_repro.sweep.train.train_all`."""
    # Imported late: Hydra imports this package even for --help, and torch is slow to import.
    from adam_repro.sweep.train import train_all

    return train_all(trials, run, workers)


__all__ = ["train_all"]
