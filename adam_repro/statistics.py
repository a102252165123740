"""Intervals over seeds: the seeds of two series are pairs, since they share initialisation and order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

NEEDED = 5  # seeds, below which no verdict is given


@dataclass(frozen=True)
class Interval:
    """Mean over ``n`` seeds with its t interval at ``level``, and the p of a mean of 0."""

    mean: float
    low: float
    high: float
    p: float
    n: int
    level: float = 0.95

    def shown(self, percent: bool) -> str:
        """As a factor ``x 0.87 [0.85, 0.89]`` for logarithms, else as it is."""
        if percent:
            mean, low, high = (np.exp(v) for v in (self.mean, self.low, self.high))
            return f"× {mean:.4g} [{low:.4g}, {high:.4g}]"
        return f"{self.mean:+.3g} [{self.low:+.3g}, {self.high:+.3g}]"


def interval(values: np.ndarray, level: float = 0.95) -> Interval:
    """The mean of paired differences [n]; with one seed it has no interval (infinite ends).

    Differences that are all the same have an interval of no width.
    """
    from scipy.special import stdtr, stdtrit  # scipy.stats takes a second to import

    values = np.asarray(values, float)
    n, mean = len(values), float(np.mean(values))
    if n < 2:
        return Interval(mean, -np.inf, np.inf, float("nan"), n, level)
    error = float(np.std(values, ddof=1)) / np.sqrt(n)
    half = float(stdtrit(n - 1, 0.5 + level / 2)) * error
    if error == 0.0:
        return Interval(mean, mean, mean, 1.0 if mean == 0.0 else 0.0, n, level)
    p = 2 * float(stdtr(n - 1, -abs(mean) / error))
    return Interval(mean, mean - half, mean + half, p, n, level)


def corrected(comparisons: int) -> float:
    """The level of each of several intervals that together hold with 95 % (Bonferroni)."""
    return 1.0 - 0.05 / max(1, comparisons)


def slope(rounds: ArrayLike, values: ArrayLike) -> float:
    """The slope of log value against log T over the last decade of T; NaN where it has none."""
    T, y = np.asarray(rounds, float), np.asarray(values, float)
    decade = T.max() / 10.001
    last = (y > 0) & (decade <= T)
    if last.sum() < 2:
        return float("nan")
    return float(np.polyfit(np.log(T[last]), np.log(y[last]), 1)[0])


def crossing(rounds: ArrayLike, regret: ArrayLike, bound: ArrayLike) -> int | None:
    """The first milestone from which on the regret is above the bound for good; ``None``: never."""
    T, above = np.asarray(rounds), np.asarray(regret) > np.asarray(bound)
    if not above[-1]:
        return None
    below = np.flatnonzero(~above)
    return int(T[below[-1] + 1]) if len(below) else int(T[0])
