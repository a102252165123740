"""Averages of a lane's iterates (section 7.2), kept beside the iterates themselves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from adam_repro.engine.lanes import Lane
from adam_repro.optim import averaging


class Average:
    """The running average of a lane's theta [S, P]; idle when the trials ask for none."""

    def __init__(self, lane: Lane) -> None:
        settings = lane.trials[0].averaging
        self.kind = settings["name"]
        self.decay = settings.get("decay", 0.0)
        self.lane = lane
        self.mean = None if self.kind == "none" else torch.zeros_like(lane.theta)

    @torch.no_grad()
    def update(self, t: int | Tensor) -> None:
        """Take in the iterate after step ``t`` (from 1), a whole number or a 0-dim tensor."""
        if self.mean is None:
            return
        if self.kind == "polyak":
            averaging.polyak_(self.mean, self.lane.theta, t)
        else:
            averaging.exponential_(self.mean, self.lane.theta, self.decay)

    def theta(self, t: int) -> Tensor | None:
        """The averaged parameters [S, P] after step ``t``; ``None`` if idle.

        An exponential average is corrected for its start at zero.
        """
        if self.mean is None or self.kind == "polyak":
            return self.mean
        return averaging.corrected(self.mean, self.decay, t)

    def state(self, row: int) -> dict[str, Any]:
        """What one trial's checkpoint keeps of its average."""
        return {} if self.mean is None else {"mean": self.mean[row].clone()}

    def restore(self, row: int, state: Mapping[str, Any]) -> None:
        """Take up one trial's average."""
        if self.mean is not None:
            self.mean[row].copy_(state["mean"])
