"""How fast the average regret falls."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike


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
