"""t intervals over seeds, log-log slopes, and the slope and the bound crossing of a regret.

Two series share the initialisation and the data order of each seed, so their seeds are pairs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

MIN_SEEDS = 5  # with fewer, no verdict is given


@dataclass(frozen=True)
class Interval:
    """Mean of ``n`` values with its t interval at ``level``, and the p value of a mean of 0."""

    mean: float
    low: float
    high: float
    p: float
    n: int
    level: float = 0.95

    def format(self, as_ratio: bool) -> str:
        """The interval as text; ``as_ratio``: of logarithms, as the factor ``× 0.87 [0.85, 0.89]``."""
        if as_ratio:
            mean, low, high = (np.exp(v) for v in (self.mean, self.low, self.high))
            return f"× {mean:.4g} [{low:.4g}, {high:.4g}]"
        return f"{self.mean:+.3g} [{self.low:+.3g}, {self.high:+.3g}]"


def t_interval(values: np.ndarray, level: float = 0.95) -> Interval:
    """The t interval of the mean of paired differences [n].

    One value gives infinite ends. Values that are all equal give an interval of no width.
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


def bonferroni_level(comparisons: int) -> float:
    """The level of each of several intervals, so that all hold together with 95 % (Bonferroni)."""
    return 1.0 - 0.05 / max(1, comparisons)


def log_log_slope(x: ArrayLike, y: ArrayLike, level: float = 0.95) -> Interval:
    """The least squares slope of log y against log x [n], with its t interval at n - 2 degrees of freedom.

    ``p`` is of a slope of 0. Fewer than three points give infinite ends.
    """
    from scipy.special import stdtr, stdtrit

    u, v = np.log(np.asarray(x, float)), np.log(np.asarray(y, float))
    n = len(u)
    if n < 2:
        return Interval(float("nan"), -np.inf, np.inf, float("nan"), n, level)
    u, v = u - u.mean(), v - v.mean()
    slope = float((u * v).sum() / (u**2).sum())
    if n < 3:
        return Interval(slope, -np.inf, np.inf, float("nan"), n, level)
    error = float(np.sqrt(((v - slope * u) ** 2).sum() / (n - 2) / (u**2).sum()))
    half = float(stdtrit(n - 2, 0.5 + level / 2)) * error
    p = 2 * float(stdtr(n - 2, -abs(slope) / error)) if error else float(slope == 0.0)
    return Interval(slope, slope - half, slope + half, p, n, level)


def regret_slope(rounds: ArrayLike, values: ArrayLike) -> float:
    """The least squares slope of log value against log T over the last decade of T.

    ``rounds`` [n]: T. ``values`` [n]: R(T), or R(T) over a power of T; those <= 0 are left out. NaN if
    fewer than two points remain. Corollary 4.2 of the paper gives R(T)/T a slope of -1/2 or less.
    """
    T, y = np.asarray(rounds, float), np.asarray(values, float)
    decade_start = T.max() / 10.001
    used = (y > 0) & (decade_start <= T)
    if used.sum() < 2:
        return float("nan")
    return float(np.polyfit(np.log(T[used]), np.log(y[used]), 1)[0])


def first_permanent_crossing(rounds: ArrayLike, regret: ArrayLike, bound: ArrayLike) -> int | None:
    """The first T from which the regret stays above its bound (Theorem 4.1); ``None`` if never.

    All arguments [n], in the order of T.
    """
    T, above = np.asarray(rounds), np.asarray(regret) > np.asarray(bound)
    if not above[-1]:
        return None
    below = np.flatnonzero(~above)
    return int(T[below[-1] + 1]) if len(below) else int(T[0])
