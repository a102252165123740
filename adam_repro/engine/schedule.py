"""The factor of the stepsize: alpha_t = lr * factor."""

from __future__ import annotations

from math import sqrt


def factor(schedule: str, step: int, cycle: int) -> float:
    """Factor on lr at ``step`` (from 1), in walk number ``cycle`` (from 0) over the training set.

    ``constant``: 1. ``inv_sqrt_iteration``: 1/sqrt(step), as in Theorem 4.1. ``inv_sqrt_pass``:
    1/sqrt(t) with t the number of completed passes, at least 1: the reading of "alpha/sqrt(t)" that
    comes closest to the paper's figure 1 (left), the first two points included.
    """
    if schedule == "inv_sqrt_iteration":
        return 1.0 / sqrt(step)
    if schedule == "inv_sqrt_pass":
        return 1.0 / sqrt(max(1, cycle))
    return 1.0
