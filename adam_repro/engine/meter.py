"""What an epoch cost, collected where it is computed."""

from __future__ import annotations

import torch
from torch import Tensor

from adam_repro.engine.feed import Feed
from adam_repro.engine.lanes import Lane, Measured


class Meter:
    """Costs and errors of every example of an epoch, kept on the device and averaged at its end."""

    def __init__(self, lane: Lane, feed: Feed) -> None:
        self.shape = (len(lane.trials), feed.epoch_steps, feed.size)
        self.counted = feed.cost_steps
        self.costs = torch.empty(self.shape, device=lane.theta.device)
        self.errors: Tensor | None = None

    def add(self, measured: Measured, at: int | Tensor) -> None:
        """Keep the costs [S, n] and errors of step ``at`` of the epoch: a number, or a tensor [1]."""
        _put(self.costs, measured.costs, at)
        if measured.errors is not None:
            if self.errors is None:
                self.errors = torch.empty(self.shape, dtype=torch.bool, device=self.costs.device)
            _put(self.errors, measured.errors, at)

    def means(self) -> dict[str, list[float]]:
        """Mean cost and error of each trial over the epoch's steps that count, as trained."""
        columns = {"train_cost": _mean(self.costs[:, : self.counted])}
        if self.errors is not None:
            columns["train_error"] = _mean(self.errors[:, : self.counted])
        return columns


def _put(whole: Tensor, part: Tensor, at: int | Tensor) -> None:
    if isinstance(at, Tensor):
        whole.index_copy_(1, at, part[:, None])
    else:
        whole[:, at] = part


def _mean(values: Tensor) -> list[float]:
    return values.flatten(1).mean(1, dtype=torch.float64).tolist()
