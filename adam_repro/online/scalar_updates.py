"""The optimizers on one coordinate with a linear cost, in Python floats: a million steps in a second.

The scalars of a step come from the optimizer itself (`step_scalars.StepScalars`). Only the elementwise
update is written again, because a tensor of one element costs fifty times as much as a float. A test
compares every update with `adam_repro.optim.rule`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf, sqrt

ScalarLists = dict[str, list[float]]


@dataclass
class ScalarState:
    """The iterate x in [-1, 1], the optimizer's state, and sums over the steps so far.

    total_cost: sum of c_t x_t. low, high: smallest and largest x_t. weighted: sum of
    beta1_t sqrt(v_max_t) / alpha_t, for AMSGrad's bound.
    """

    x: float
    m: float = 0.0
    v: float = 0.0
    v_max: float = 0.0
    total_cost: float = 0.0
    low: float = inf
    high: float = -inf
    weighted: float = 0.0


def _adam(s: ScalarState, gradients: list[float], scalars: ScalarLists) -> None:
    x, m, v, total, low, high = s.x, s.m, s.v, s.total_cost, s.low, s.high
    names = ("one_minus_beta1", "one_minus_beta2", "alpha_t", "eps_hat")
    lists = (scalars[name] for name in names)
    for g, w1, w2, alpha, eps in zip(gradients, *lists, strict=True):
        total += g * x
        low = x if x < low else low
        high = x if x > high else high
        m += w1 * (g - m)
        v += w2 * (g * g - v)
        x -= alpha * m / (sqrt(v) + eps)
        x = -1.0 if x < -1.0 else 1.0 if x > 1.0 else x
    s.x, s.m, s.v, s.total_cost, s.low, s.high = x, m, v, total, low, high


def _amsgrad(s: ScalarState, gradients: list[float], scalars: ScalarLists) -> None:
    x, m, v, v_max, total, low, high = s.x, s.m, s.v, s.v_max, s.total_cost, s.low, s.high
    weighted = s.weighted
    names = ("one_minus_beta1", "one_minus_beta2", "lr", "eps", "beta1")
    lists = (scalars[name] for name in names)
    for g, w1, w2, alpha, eps, beta1 in zip(gradients, *lists, strict=True):
        total += g * x
        low = x if x < low else low
        high = x if x > high else high
        m += w1 * (g - m)
        v += w2 * (g * g - v)
        v_max = v if v > v_max else v_max
        root = sqrt(v_max)
        weighted += beta1 * root / alpha
        x -= alpha * m / (root + eps)
        x = -1.0 if x < -1.0 else 1.0 if x > 1.0 else x
    s.x, s.m, s.v, s.v_max, s.total_cost, s.low, s.high = x, m, v, v_max, total, low, high
    s.weighted = weighted


def _adagrad(s: ScalarState, gradients: list[float], scalars: ScalarLists) -> None:
    x, v, total, low, high = s.x, s.v, s.total_cost, s.low, s.high
    for g, alpha, eps in zip(gradients, scalars["lr"], scalars["eps"], strict=True):
        total += g * x
        low = x if x < low else low
        high = x if x > high else high
        v += g * g
        x -= alpha * g / (sqrt(v) + eps)
        x = -1.0 if x < -1.0 else 1.0 if x > 1.0 else x
    s.x, s.v, s.total_cost, s.low, s.high = x, v, total, low, high


def _sgd(s: ScalarState, gradients: list[float], scalars: ScalarLists) -> None:
    x, total, low, high = s.x, s.total_cost, s.low, s.high
    for g, alpha in zip(gradients, scalars["lr"], strict=True):
        total += g * x
        low = x if x < low else low
        high = x if x > high else high
        x -= alpha * g
        x = -1.0 if x < -1.0 else 1.0 if x > 1.0 else x
    s.x, s.total_cost, s.low, s.high = x, total, low, high


#: By optimizer name: update(state, gradients c_t, scalars of the same steps) changes state in place.
SCALAR_UPDATES: dict[str, Callable[[ScalarState, list[float], ScalarLists], None]] = {
    "adam": _adam,
    "amsgrad": _amsgrad,
    "adagrad": _adagrad,
    "sgd": _sgd,
}
