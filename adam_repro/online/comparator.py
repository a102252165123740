"""The best fixed point in hindsight: min over the box [-r, r]^d of the mean of the costs so far."""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import minimize
from threadpoolctl import ThreadpoolController

from adam_repro.online.cost_streams import Objective, Vector

TOLERANCE = 1e-8  # on the projected gradient of the mean cost, largest coordinate
MAX_DENSE = 2000  # coordinates; beyond them no Hessian is formed
LBFGS_BEFORE_NEWTON, LBFGS_ALONE = 200, 100_000  # iterations
NEWTON_ITERATIONS = 3000  # on nearly separable rows, few coordinates reach a bound in each


class Comparator(NamedTuple):
    """A minimiser theta [d], the mean cost there, and two certificates of it.

    slope: the largest coordinate of theta - clip(theta - gradient, -r, r), 0 at a minimum.
    gap: max over the box of gradient . (theta - x), at least the distance from the minimum cost.
    """

    theta: Vector
    cost: float
    slope: float
    gap: float


def one_blas_thread() -> AbstractContextManager[Any]:
    """While it lasts, NumPy and SciPy multiply with one thread, so that no digit depends on their number."""
    return _controller().limit(limits=1, user_api="blas")


@cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController()


def solve(objective: Objective, radius: float, start: Vector) -> Comparator:
    """Minimise over the box, from ``start`` [d] within it, to :data:`TOLERANCE`.

    L-BFGS-B, which converges slowly at the end. Up to MAX_DENSE dimensions, projected Newton steps
    follow, on the coordinates that are not fixed at a bound of the box (Bertsekas 1982).

    Raises:
        ArithmeticError: the tolerance was not reached.
    """
    newton = len(start) <= MAX_DENSE
    options = {
        "maxcor": 30,
        "ftol": 0.0,
        "gtol": TOLERANCE / 2,
        "maxiter": LBFGS_BEFORE_NEWTON if newton else LBFGS_ALONE,
        "maxfun": 2 * LBFGS_ALONE,
    }
    found = minimize(
        objective.value_and_gradient,
        start,
        jac=True,
        method="L-BFGS-B",
        bounds=[(-radius, radius)] * len(start),
        options=options,
    )
    theta = np.clip(found.x, -radius, radius)
    if newton:
        theta = _newton(objective, radius, theta)
    return certify(objective, radius, theta)


def certify(objective: Objective, radius: float, theta: Vector) -> Comparator:
    """``theta`` with its certificates.

    Raises:
        ArithmeticError: the projected gradient exceeds :data:`TOLERANCE`.
    """
    cost, gradient = objective.value_and_gradient(theta)
    slope = projected_gradient(theta, gradient, radius)
    if slope > TOLERANCE:
        raise ArithmeticError(f"the comparator's projected gradient is {slope:.2g} > {TOLERANCE:g}")
    gap = max(0.0, float(gradient @ theta + radius * np.abs(gradient).sum()))
    return Comparator(theta, cost, slope, gap)


def projected_gradient(theta: Vector, gradient: Vector, radius: float) -> float:
    """The largest coordinate of theta - clip(theta - gradient, -r, r)."""
    return float(np.abs(np.clip(theta - gradient, -radius, radius) - theta).max())


def _newton(objective: Objective, radius: float, theta: Vector) -> Vector:
    cost, gradient = objective.value_and_gradient(theta)
    for _ in range(NEWTON_ITERATIONS):
        slope = projected_gradient(theta, gradient, radius)
        if slope <= TOLERANCE / 100:
            break
        near = min(slope, 1e-6)
        fixed = (theta <= -radius + near) & (gradient > 0)
        fixed |= (theta >= radius - near) & (gradient < 0)
        direction = np.where(fixed, -gradient, 0.0)
        hessian = objective.hessian(theta, ~fixed)
        # Pixels that are always 0 make the Hessian singular.
        hessian[np.diag_indices_from(hessian)] += 1e-12 + 1e-10 * np.trace(hessian) / len(theta)
        direction[~fixed] = -cho_solve(cho_factor(hessian), gradient[~fixed])
        step = 1.0
        while step > 1e-12:
            candidate = np.clip(theta + step * direction, -radius, radius)
            candidate[fixed] = np.sign(theta[fixed]) * radius
            lower, slopes = objective.value_and_gradient(candidate)
            if lower <= cost + 1e-4 * gradient @ (candidate - theta) + 1e-16:
                break
            step /= 2
        theta, cost, gradient = candidate, lower, slopes
    return theta
