"""Which settings are tried: as many for every optimizer, in an order that follows from their costs.

The stepsizes lie on a grid of two a decade, on which those of the figures lie too. While the best one is
on the edge of what was tried, the grid grows there. What is left of the budget halves the distances, in
the logarithm, around the best. Nothing is random and nothing is remembered: asked again with the same
costs, the same settings follow, so that a comparison goes on from the trials that are there.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from adam_repro.comparison.model import Entrant, Setting

WIDENINGS = 4  # rounds in which the grid may grow
STEP = 0.5  # decades between the stepsizes of the grid
FINEST = 1 / 16  # decades: stepsizes nearer to each other are not told apart
START_SHARE = 2 / 3  # of the budget that the first round may take
STARTS = (5, 3, 2, 1)  # stepsizes of each combination in the first round

Others = tuple[str, tuple[tuple[str, Any], ...]]  # the schedule, and the other options


@dataclass(frozen=True)
class Space:
    """What is tuned of one optimizer on one task.

    ``combinations``: every schedule with every combination of the other options. ``lr``: as in
    :class:`Entrant`. ``centre``: of the first grid, in decades. ``ends``: stepsizes in decades that are not
    to be exceeded.
    """

    combinations: tuple[Others, ...]
    has_lr: bool = True
    lr: tuple[float, ...] | None = None
    centre: float = -3.0
    ends: tuple[float, float] = (-math.inf, math.inf)

    @classmethod
    def of(
        cls, entrant: Entrant, schedules: Sequence[str], search: Mapping[str, Sequence[Any]]
    ) -> Space:
        """The space of an optimizer; ``search``: its other options on this task.

        Where there is one setting alone (tuning-free), the schedule is the first one.
        """
        if entrant.tuning_free:
            schedules = schedules[:1]
        values = [[(key, one) for one in several] for key, several in search.items()]
        combinations = tuple(itertools.product(schedules, itertools.product(*values)))
        ends = (-math.inf, math.inf)
        if entrant.lr_range is not None:
            ends = (math.log10(entrant.lr_range[0]), math.log10(entrant.lr_range[1]))
        centre = round(math.log10(entrant.lr_default) / STEP) * STEP
        return cls(combinations, bool(entrant.lr_option), entrant.lr, centre, ends)

    @property
    def fixed(self) -> list[Setting] | None:
        """Every setting, where they are given; ``None`` where the tuning chooses stepsizes."""
        if self.has_lr and self.lr is None:
            return None
        values: Sequence[float | None] = self.lr or (None,) if self.has_lr else (None,)
        return [Setting(lr, *others) for others in self.combinations for lr in values]

    def start(self, budget: int) -> list[float]:
        """The first stepsizes of each combination, in decades, lowest first."""
        most = max(1, math.floor(START_SHARE * budget / len(self.combinations)))
        low, high = self.ends
        if math.isinf(low):
            n = next(n for n in STARTS if n <= most)
            width = {5: STEP, 3: 2 * STEP, 2: 2 * STEP, 1: 0.0}[n]
            return [self.centre + width * (i - (n - 1) / 2) for i in range(n)]
        n = min(most, round((high - low) / STEP) + 1)
        steps = 1 if n == 1 else math.ceil((high - low) / STEP / (n - 1)) * STEP
        points = [low + steps * i for i in range(n)] if n > 1 else [(low + high) / 2]
        return [point for point in points if point <= high + 1e-9]


def stepsize(decades: float) -> float:
    """10 to that power, to three digits, as the figures write theirs."""
    return float(f"{10.0**decades:.3g}")


def tune(
    space: Space, budget: int, cost: Callable[[Setting], float | None]
) -> tuple[list[Setting], list[Setting]]:
    """The settings tried so far, in order, and those to try next; none of these when the tuning is over.

    ``cost``: of a setting, infinite if it diverged or failed; ``None`` if it was not tried yet.
    """
    fixed = space.fixed
    if fixed is not None:
        settled = all(cost(one) is not None for one in fixed)
        return (fixed, []) if settled else ([], fixed)
    search = _Search(space, budget)
    while batch := search.next_batch():
        costs = [cost(setting) for _, setting in batch]
        if None in costs:
            return [setting for _, setting in search.tried], [setting for _, setting in batch]
        search.add(batch, [float(one) for one in costs if one is not None])
    return [setting for _, setting in search.tried], []


def best(settings: Iterable[Setting], cost: Callable[[Setting], float]) -> Setting | None:
    """The setting of the lowest cost, of equals the first; ``None`` if none has a finite cost."""
    finite = [one for one in settings if math.isfinite(cost(one))]
    return min(finite, key=cost, default=None)


Point = tuple[int, float]  # a combination, and a stepsize in decades


class _Search:
    """The points that were tried, and the rule that chooses the next."""

    def __init__(self, space: Space, budget: int) -> None:
        self.space = space
        self.left = budget
        self.tried: list[tuple[Point, Setting]] = []
        self.costs: dict[int, dict[float, float]] = {i: {} for i in range(len(space.combinations))}
        self.widened = 0

    def add(self, batch: Sequence[tuple[Point, Setting]], costs: Sequence[float]) -> None:
        for (point, setting), cost in zip(batch, costs, strict=True):
            self.tried.append((point, setting))
            self.costs[point[0]][point[1]] = math.inf if math.isnan(cost) else cost
        self.left -= len(batch)

    def next_batch(self) -> list[tuple[Point, Setting]]:
        """The next points; none when the budget is used, or nothing is left to try."""
        points = list(dict.fromkeys(self._next_points()))[: self.left]
        return [(point, self._setting(point)) for point in points]

    def _next_points(self) -> list[Point]:
        if not self.tried:
            start = self.space.start(self.left)
            # Stepsize after stepsize: a budget that is too small leaves out the highest of each.
            return [(i, p) for p in start for i in self.costs]
        order = sorted(self.costs, key=lambda i: (self._best(i)[1], i))
        outward = self._outward(order[0])
        if outward and self.widened < WIDENINGS:
            self.widened += 1
            return outward
        points = [point for i in order[:2] for point in self._near(i)]
        return points or [point for i in order for point in self._gaps(i)][:2]

    def _best(self, combination: int) -> tuple[float, float]:
        """Stepsize and cost of the best; the lowest stepsize where all are infinite."""
        costs = self.costs[combination]
        if not costs:
            return self.space.centre, math.inf
        finite = [p for p in costs if math.isfinite(costs[p])]
        p = min(finite, key=lambda p: costs[p]) if finite else min(costs)
        return p, costs[p]

    def _neighbours(self, combination: int) -> tuple[float | None, float, float | None]:
        p = self._best(combination)[0]
        costs = self.costs[combination]
        below, above = ([q for q in costs if q < p], [q for q in costs if q > p])
        return max(below, default=None), p, min(above, default=None)

    def _outward(self, combination: int) -> list[Point]:
        """A decade further where the best is on the edge; half of one each way where it is alone."""
        below, p, above = self._neighbours(combination)
        if below is None and above is None:
            steps = [-STEP, STEP]
        elif below is None:
            steps = [-STEP, -2 * STEP]
        elif above is None:
            steps = [STEP, 2 * STEP]
        else:
            return []
        low, high = self.space.ends
        return [(combination, p + s) for s in steps if low - 1e-9 <= p + s <= high + 1e-9]

    def _near(self, combination: int) -> list[Point]:
        """Halfway from the best to its neighbours, as far as that is a difference; beyond an edge."""
        below, p, above = self._neighbours(combination)
        halfway = [
            (combination, (p + q) / 2)
            for q in (below, above)
            if q is not None and abs(p - q) > FINEST + 1e-9
        ]
        return halfway + (self._outward(combination) if self.widened < WIDENINGS else [])

    def _gaps(self, combination: int) -> list[Point]:
        """Halfway between any two neighbours, the nearest to the best first."""
        p = self._best(combination)[0]
        pairs = itertools.pairwise(sorted(self.costs[combination]))
        middles = [(q + r) / 2 for q, r in pairs if r - q > FINEST + 1e-9]
        return [(combination, q) for q in sorted(middles, key=lambda q: abs(q - p))]

    def _setting(self, point: Point) -> Setting:
        return Setting(stepsize(point[1]), *self.space.combinations[point[0]])
