"""Sums of functions with a known minimum."""

from collections.abc import Callable

import numpy as np
import torch
from scipy.optimize import minimize
from torch import Tensor

Evaluate = Callable[[Tensor, int], tuple[float, Tensor]]


def quadratics(M: int, N: int, seed: int = 0) -> tuple[Evaluate, Tensor]:
    """N convex quadratics in M dimensions, and the minimiser of their sum."""
    g = torch.Generator().manual_seed(seed)
    roots = torch.randn(N, M, M, generator=g, dtype=torch.float64) / M**0.5
    A = roots @ roots.mT + 0.1 * torch.eye(M, dtype=torch.float64)
    b = torch.randn(N, M, generator=g, dtype=torch.float64)

    def evaluate(theta: Tensor, i: int) -> tuple[float, Tensor]:
        return float(0.5 * theta @ A[i] @ theta - b[i] @ theta), A[i] @ theta - b[i]

    return evaluate, torch.linalg.solve(A.sum(0), b.sum(0))


def logistic_regression(N: int, features: int = 30, seed: int = 0) -> tuple[Evaluate, int]:
    """L2-regularised logistic regression over 600 examples in N parts; its number of weights."""
    rng = np.random.default_rng(seed)
    X = torch.from_numpy(rng.normal(size=(600, features)))
    truth = torch.from_numpy(rng.normal(size=features))
    y = torch.sign(X @ truth + torch.from_numpy(rng.normal(size=600)))

    def evaluate(theta: Tensor, i: int) -> tuple[float, Tensor]:
        margins = y[i::N] * (X[i::N] @ theta)
        cost = torch.nn.functional.softplus(-margins).mean() + 0.005 * theta @ theta
        slopes = -y[i::N] * torch.sigmoid(-margins) / len(margins)
        return float(cost), X[i::N].T @ slopes + 0.01 * theta

    return evaluate, features


def total(evaluate: Evaluate, theta: Tensor, N: int) -> float:
    """The sum of all N subfunctions."""
    return sum(evaluate(theta, i)[0] for i in range(N))


def optimum(evaluate: Evaluate, M: int, N: int) -> tuple[float, Tensor]:
    """Minimum and minimiser of the sum by scipy's L-BFGS, run to its end."""

    def whole(x: np.ndarray) -> tuple[float, np.ndarray]:
        parts = [evaluate(torch.from_numpy(x.copy()), i) for i in range(N)]
        return sum(v for v, _ in parts), sum(g.numpy() for _, g in parts)

    options = {"maxiter": 10_000, "maxfun": 100_000, "ftol": 1e-16, "gtol": 1e-11}
    found = minimize(whole, np.zeros(M), jac=True, method="L-BFGS-B", options=options)
    return float(found.fun), torch.from_numpy(found.x)
