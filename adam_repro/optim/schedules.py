"""Stepsize schedules: alpha_t = lr * factor.

To add one, write its function and its entry in SCHEDULES; in NUMBERED, if its name ends with a number, such
as the passes of a whole training, which no function is told.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import nan, pi, sqrt
from typing import Any, NamedTuple

import torch
from torch import Tensor

from adam_repro.config.validate import Range
from adam_repro.errors import UserError
from adam_repro.wording import suggestion

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
    return _computed(lambda c: torch.pow(torch.full_like(c, gamma), c), cycle)


def _cosine(step: Count, cycle: Count, passes: float) -> float | Tensor:
    """(1 + cos(pi min(cycle / passes, 1))) / 2, changed once a pass (Loshchilov & Hutter 2017)."""
    return _computed(lambda c: 0.5 * (1.0 + torch.cos(pi * (c / passes).clamp(max=1.0))), cycle)


def _computed(function: Callable[[Tensor], Tensor], count: Count) -> float | Tensor:
    """A function of PyTorch's for both kinds of counts: Python's can differ in the last digit."""
    if isinstance(count, Tensor):
        return function(count)
    return float(function(torch.tensor(float(count), dtype=torch.float64)))


class Numbered(NamedTuple):
    """A schedule whose name ends with a number: ``function`` takes it last."""

    function: Callable[[Count, Count, float], float | Tensor]
    legal: Range
    number: str  # its name in a message
    example: str


SCHEDULES: dict[str, Schedule] = {
    "constant": lambda step, cycle: 1.0,
    "inv_sqrt_iteration": _inv_sqrt_iteration,
    "inv_sqrt_pass": _inv_sqrt_pass,
    "inv_pass": _inv_pass,
}
#: By what their names begin with.
NUMBERED = {
    "exponential_": Numbered(_exponential, Range(gt=0, lt=1), "GAMMA", "exponential_0.95"),
    "cosine_": Numbered(_cosine, Range(gt=0), "PASSES", "cosine_40"),
}


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
    prefix, _, text = name.rpartition("_")
    kind = NUMBERED.get(f"{prefix}_")
    try:
        number = float(text)
    except ValueError:
        number = nan
    if kind is None or not kind.legal.admits(number):
        raise UserError(
            f"schedule={schedule}: must be one of {', '.join(SCHEDULES)}{_numbered()}"
            f"{suggestion(name, [*SCHEDULES, *(kind.example for kind in NUMBERED.values())])}"
        )
    return partial(_with_number, kind.function, number)


def _numbered() -> str:
    return "".join(
        f", or {name}{kind.number} with {kind.number} {kind.legal}, as {kind.example}"
        for name, kind in NUMBERED.items()
    )


def _with_number(
    function: Callable[[Count, Count, float], float | Tensor],
    number: float,
    step: Count,
    cycle: Count,
) -> float | Tensor:
    return function(step, cycle, number)


def _completed(cycle: Count) -> Any:
    return cycle.clamp(min=1.0) if isinstance(cycle, Tensor) else max(1, cycle)


def _inverse_root(x: Count) -> float | Tensor:
    # Root and quotient, not rsqrt: both are correctly rounded, so that either kind gives one number.
    return torch.reciprocal(x.sqrt()) if isinstance(x, Tensor) else 1.0 / sqrt(x)
