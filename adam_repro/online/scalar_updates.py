"""Our methods on one coordinate with a linear cost, in Python floats: a million steps in a second.

Each step's scalars come from the method itself (`steps.Steps`); only the elementwise update is
written out again, for a tensor of one element costs fifty times a float. Tests hold every recurrence
against `adam_repro.optim.rule`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf, sqrt

Lists = dict[str, list[float]]


@dataclass
class Point:
    """x in [-1, 1], the method's slots, and the sums over the steps so far.

    paid: sum of c_t x_t. low, high: the extremes of x_t. weighted: sum of beta1_t sqrt(v_max_t) /
    alpha_t, for AMSGrad's bound.
    """

    x: float
    m: float = 0.0
    v: float = 0.0
    v_max: float = 0.0
    paid: float = 0.0
    low: float = inf
    high: float = -inf
    weighted: float = 0.0


def _adam(p: Point, gradients: list[float], s: Lists) -> None:
    x, m, v, paid, low, high = p.x, p.m, p.v, p.paid, p.low, p.high
    names = ("one_minus_beta1", "one_minus_beta2", "alpha_t", "eps_hat")
    lists = (s[name] for name in names)
    for g, w1, w2, alpha, eps in zip(gradients, *lists, strict=True):
        paid += g * x
        low = x if x < low else low
        high = x if x > high else high
        m += w1 * (g - m)
        v += w2 * (g * g - v)
        x -= alpha * m / (sqrt(v) + eps)
        x = -1.0 if x < -1.0 else 1.0 if x > 1.0 else x
    p.x, p.m, p.v, p.paid, p.low, p.high = x, m, v, paid, low, high


def _amsgrad(p: Point, gradients: list[float], s: Lists) -> None:
    x, m, v, v_max, paid, low, high = p.x, p.m, p.v, p.v_max, p.paid, p.low, p.high
    weighted = p.weighted
    names = ("one_minus_beta1", "one_minus_beta2", "lr", "eps", "beta1")
    lists = (s[name] for name in names)
    for g, w1, w2, alpha, eps, beta1 in zip(gradients, *lists, strict=True):
        paid += g * x
        low = x if x < low else low
        high = x if x > high else high
        m += w1 * (g - m)
        v += w2 * (g * g - v)
        v_max = v if v > v_max else v_max
        root = sqrt(v_max)
        weighted += beta1 * root / alpha
        x -= alpha * m / (root + eps)
        x = -1.0 if x < -1.0 else 1.0 if x > 1.0 else x
    p.x, p.m, p.v, p.v_max, p.paid, p.low, p.high = x, m, v, v_max, paid, low, high
    p.weighted = weighted


def _adagrad(p: Point, gradients: list[float], s: Lists) -> None:
    x, v, paid, low, high = p.x, p.v, p.paid, p.low, p.high
    for g, alpha, eps in zip(gradients, s["lr"], s["eps"], strict=True):
        paid += g * x
        low = x if x < low else low
        high = x if x > high else high
        v += g * g
        x -= alpha * g / (sqrt(v) + eps)
        x = -1.0 if x < -1.0 else 1.0 if x > 1.0 else x
    p.x, p.v, p.paid, p.low, p.high = x, v, paid, low, high


def _sgd(p: Point, gradients: list[float], s: Lists) -> None:
    x, paid, low, high = p.x, p.paid, p.low, p.high
    for g, alpha in zip(gradients, s["lr"], strict=True):
        paid += g * x
        low = x if x < low else low
        high = x if x > high else high
        x -= alpha * g
        x = -1.0 if x < -1.0 else 1.0 if x > 1.0 else x
    p.x, p.paid, p.low, p.high = x, paid, low, high


#: By name of the method: (point, the gradients c_t, the scalars of the same steps) -> point, moved.
RECURRENCES: dict[str, Callable[[Point, list[float], Lists], None]] = {
    "adam": _adam,
    "amsgrad": _amsgrad,
    "adagrad": _adagrad,
    "sgd": _sgd,
}
