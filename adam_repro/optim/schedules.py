"""The factor of the stepsize: alpha_t = lr * factor."""

from __future__ import annotations

from math import sqrt
from typing import overload

import torch
from torch import Tensor

from adam_repro.config.trial import EXPONENTIAL


@overload
def factor(schedule: str, step: int, cycle: int) -> float: ...


@overload
def factor(schedule: str, step: int | Tensor, cycle: int | Tensor) -> float | Tensor: ...


def factor(schedule: str, step: int | Tensor, cycle: int | Tensor) -> float | Tensor:
    """Factor on lr at ``step`` (from 1), in walk number ``cycle`` (from 0) over the training set.

    ``constant``: 1. ``inv_sqrt_iteration``: 1/sqrt(step), as in Theorem 4.1. ``inv_sqrt_pass``:
    1/sqrt(t) with t the number of completed passes, at least 1: the reading of "alpha/sqrt(t)" that
    comes closest to the paper's figure 1 (left), the first two points included. ``inv_pass``: 1/t of
    the same t, the classical decay of stochastic approximation (Robbins & Monro 1951), counted in passes.
    ``exponential_GAMMA``: GAMMA**cycle, as `torch.optim.lr_scheduler.ExponentialLR` once a pass.

    ``step`` and ``cycle`` may be 0-dim float64 tensors; the factor is then one, unless constant.
    """
    if schedule == "inv_sqrt_iteration":
        return _inverse_root(step)
    if schedule in ("inv_sqrt_pass", "inv_pass"):
        passes = cycle.clamp(min=1.0) if isinstance(cycle, Tensor) else max(1, cycle)
        return _inverse_root(passes) if schedule == "inv_sqrt_pass" else 1.0 / passes
    if schedule.startswith(EXPONENTIAL):
        return _power(float(schedule.removeprefix(EXPONENTIAL)), cycle)
    return 1.0


def _power(base: float, exponent: int | Tensor) -> float | Tensor:
    # PyTorch's power in either form: Python's can differ from it in the last digit.
    if isinstance(exponent, Tensor):
        return torch.pow(torch.full_like(exponent, base), exponent)
    return float(_power(base, torch.tensor(float(exponent), dtype=torch.float64)))


def _inverse_root(x: int | Tensor) -> float | Tensor:
    # Root and quotient, not rsqrt: both are correctly rounded, so that either form gives one number.
    return torch.reciprocal(x.sqrt()) if isinstance(x, Tensor) else 1.0 / sqrt(x)
