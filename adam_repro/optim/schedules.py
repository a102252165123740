"""Stepsize schedules: alpha_t = lr * factor. To add one, write its function and its entry in SCHEDULES."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import nan, sqrt
from typing import Any

import torch
from torch import Tensor

from adam_repro.config.validate import Range
from adam_repro.errors import UserError

#: A count on the host, or one on the device as a 0-dim float64 tensor. A factor is of the same kind.
Count = int | Tensor
Schedule = Callable[[Count, Count], float | Tensor]


def _inv_sqrt_iteration(step: Count, cycle: Count) -> float | Tensor:
    """1 / sqrt(step), as in Theorem 4.1."""
    return _inverse_root(step)


def _inv_sqrt_pass(step: Count, cycle: Count) -> float | Tensor:
    """1 / sqrt(t), where t is the number of completed passes, at least 1.

    Of the readings of the paper's "alpha/sqrt(t)", this one comes closest to its figure 1 (left), the
    first two points included.
    """
    return _inverse_root(_completed(cycle))


def _inv_pass(step: Count, cycle: Count) -> float | Tensor:
    """1 / t of the same t: the classical decay of Robbins & Monro (1951), counted in passes."""
    return 1.0 / _completed(cycle)


def _exponential(step: Count, cycle: Count, gamma: float) -> float | Tensor:
    """gamma^cycle, as `torch.optim.lr_scheduler.ExponentialLR` once a pass."""
    # PyTorch's power for both kinds: Python's can differ from it in the last digit.
    if isinstance(cycle, Tensor):
        return torch.pow(torch.full_like(cycle, gamma), cycle)
    return float(torch.pow(torch.tensor(gamma, dtype=torch.float64), float(cycle)))


SCHEDULES: dict[str, Schedule] = {
    "constant": lambda step, cycle: 1.0,
    "inv_sqrt_iteration": _inv_sqrt_iteration,
    "inv_sqrt_pass": _inv_sqrt_pass,
    "inv_pass": _inv_pass,
}
EXPONENTIAL = "exponential_"  # followed by gamma, as exponential_0.95


def factor(schedule: str, step: Count, cycle: Count) -> Any:
    """The factor on lr at ``step`` (from 1), in pass ``cycle`` (from 0) over the training set.

    Raises:
        UserError: for an unknown schedule.
    """
    return find(schedule)(step, cycle)


def find(schedule: str) -> Schedule:
    """The schedule of that name.

    Raises:
        UserError: for an unknown schedule.
    """
    name = str(schedule)
    if name in SCHEDULES:
        return SCHEDULES[name]
    try:
        gamma = float(name.removeprefix(EXPONENTIAL) if name.startswith(EXPONENTIAL) else "nan")
    except ValueError:
        gamma = nan
    if not Range(gt=0, lt=1).admits(gamma):
        raise UserError(
            f"schedule={schedule}: must be one of {', '.join(SCHEDULES)}, or {EXPONENTIAL}GAMMA with "
            f"GAMMA above 0 and below 1, as {EXPONENTIAL}0.95"
        )
    return partial(_exponential, gamma=gamma)


def _completed(cycle: Count) -> Any:
    return cycle.clamp(min=1.0) if isinstance(cycle, Tensor) else max(1, cycle)


def _inverse_root(x: Count) -> float | Tensor:
    # Root and quotient, not rsqrt: both are correctly rounded, so that either kind gives one number.
    return torch.reciprocal(x.sqrt()) if isinstance(x, Tensor) else 1.0 / sqrt(x)
