"""t intervals and tests over seeds, Holm's correction, log-log slopes, and the slope of a regret.

Two series share the initialisation and the data order of each seed, so their seeds are pairs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

MIN_SEEDS = 5  # with fewer, the one that tuned the settings included, no verdict is given


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


def t_band(values: np.ndarray, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
    """The ends of the t interval of each mean: values [seeds, n] with two seeds or more, ends [n]."""
    from scipy.special import stdtrit

    n, mean = len(values), values.mean(axis=0)
    half = float(stdtrit(n - 1, 0.5 + level / 2)) * values.std(axis=0, ddof=1) / np.sqrt(n)
    return mean - half, mean + half


def one_sided_p(values: ArrayLike, bound: float) -> float:
    """p of the t test against a mean of at most ``bound``; ``values`` [n]. Below two values: 1."""
    from scipy.special import stdtr

    values = np.asarray(values, float)
    if len(values) < 2:
        return 1.0
    error = float(np.std(values, ddof=1)) / np.sqrt(len(values))
    distance = float(np.mean(values)) - bound
    if not np.isfinite(distance) or error == 0.0:
        return 0.0 if distance > 0 else 1.0
    return float(stdtr(len(values) - 1, -distance / error))


def holm(p: Sequence[float], alpha: float = 0.05, most_true: int | None = None) -> list[bool]:
    """Which of these tests reject, so that a false one is among them with probability <= ``alpha``.

    Holm 1979: the smallest p against alpha/m, the next against alpha/(m - 1), until one fails. NaN is
    no test. ``most_true``: how many of the hypotheses can be true together, where some exclude each
    other; no divisor is larger (Shaffer 1986).
    """
    tested = sorted((value, i) for i, value in enumerate(p) if not np.isnan(value))
    rejected = [False] * len(p)
    most = len(tested) if most_true is None else most_true
    for done, (value, i) in enumerate(tested):
        if value > alpha / min(most, len(tested) - done):
            break
        rejected[i] = True
    return rejected


def log_log_slope(x: ArrayLike, y: ArrayLike, level: float = 0.95) -> Interval:
    """The least squares slope of log y against log x [n], with its t interval at n - 2 degrees of freedom.

    ``p`` is of a slope of 0. Fewer than three points give infinite ends.
    """
    from scipy.special import stdtrit

    slope, error, n = _log_log_fit(x, y)
    half = float(stdtrit(n - 2, 0.5 + level / 2)) * error if n > 2 else np.inf
    p = 2 * min(slope_p(x, y, 0.0), slope_p(x, 1 / np.asarray(y, float), 0.0))
    return Interval(slope, slope - half, slope + half, p, n, level)


def slope_p(x: ArrayLike, y: ArrayLike, bound: float) -> float:
    """p of the t test that the slope of :func:`log_log_slope` is above ``bound``. Below three points: 1."""
    from scipy.special import stdtr

    slope, error, n = _log_log_fit(x, y)
    distance = slope - bound
    if n < 3:
        return 1.0
    if not np.isfinite(distance) or error == 0.0:
        return 0.0 if distance > 0 else 1.0
    return float(stdtr(n - 2, -distance / error))


def _log_log_fit(x: ArrayLike, y: ArrayLike) -> tuple[float, float, int]:
    """Slope, its standard error, and the number of points; NaN where they are too few."""
    u, v = np.log(np.asarray(x, float)), np.log(np.asarray(y, float))
    n = len(u)
    if n < 2:
        return float("nan"), float("nan"), n
    u, v = u - u.mean(), v - v.mean()
    slope = float((u * v).sum() / (u**2).sum())
    if n < 3:
        return slope, float("nan"), n
    return slope, float(np.sqrt(((v - slope * u) ** 2).sum() / (n - 2) / (u**2).sum())), n


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
