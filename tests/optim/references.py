"""Every method in plain float64 numpy, written from its paper's formulas; and the cases to try.

A reference takes the start [n], the gradients of steps 1 ... T [T, n] and the hyperparameters, and
returns theta after the last step. Gradients are given and not computed, so they may be anything.
"""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

from adam_repro.optim import OPTIMIZERS, apply, init_state
from adam_repro.optim.rule import prepare

Array = np.ndarray


def adam(theta: Array, gradients: Array, h: Any) -> Array:
    m = v = np.zeros_like(theta)
    for t, g in enumerate(gradients, start=1):
        m = h.beta1 * m + (1 - h.beta1) * g
        v = h.beta2 * v + (1 - h.beta2) * g**2
        m_share = 1 - h.beta1**t if h.bias_correction in ("both", "m") else 1
        v_share = 1 - h.beta2**t if h.bias_correction in ("both", "v") else 1
        if h.form == "algorithm1":
            theta = theta - h.lr * (m / m_share) / (np.sqrt(v / v_share) + h.eps)
        else:
            alpha_t = h.lr * np.sqrt(v_share) / m_share
            theta = theta - alpha_t * m / (np.sqrt(v) + h.eps)
    return theta


def adam_lazy(theta: Array, gradients: Array, h: Any) -> Array:
    m = v = np.zeros_like(theta)
    for t, g in enumerate(gradients, start=1):
        touched = g != 0
        m = np.where(touched, h.beta1 * m + (1 - h.beta1) * g, m)
        v = np.where(touched, h.beta2 * v + (1 - h.beta2) * g**2, v)
        m_share = 1 - h.beta1**t if h.bias_correction in ("both", "m") else 1
        v_share = 1 - h.beta2**t if h.bias_correction in ("both", "v") else 1
        step = h.lr * (m / m_share) / (np.sqrt(v / v_share) + h.eps)
        theta = np.where(touched, theta - step, theta)
    return theta


def adamw(theta: Array, gradients: Array, h: Any) -> Array:
    m = v = np.zeros_like(theta)
    for t, g in enumerate(gradients, start=1):
        m = h.beta1 * m + (1 - h.beta1) * g
        v = h.beta2 * v + (1 - h.beta2) * g**2
        m_hat, v_hat = m / (1 - h.beta1**t), v / (1 - h.beta2**t)
        theta = theta - h.lr * (m_hat / (np.sqrt(v_hat) + h.eps) + h.weight_decay * theta)
    return theta


def amsgrad(theta: Array, gradients: Array, h: Any) -> Array:
    m = v = v_max = np.zeros_like(theta)
    for g in gradients:
        m = h.beta1 * m + (1 - h.beta1) * g
        v = h.beta2 * v + (1 - h.beta2) * g**2
        v_max = np.maximum(v_max, v)
        theta = theta - h.lr * m / (np.sqrt(v_max) + h.eps)
    return theta


def adamax(theta: Array, gradients: Array, h: Any) -> Array:
    m = u = np.zeros_like(theta)
    for t, g in enumerate(gradients, start=1):
        m = h.beta1 * m + (1 - h.beta1) * g
        u = np.maximum(h.beta2 * u, abs(g))
        theta = theta - h.lr / (1 - h.beta1**t) * m / u
    return theta


def adagrad(theta: Array, gradients: Array, h: Any) -> Array:
    for t, g in enumerate(gradients, start=1):
        theta = theta - h.lr * g / (np.sqrt((gradients[:t] ** 2).sum(0)) + h.eps)
    return theta


def rmsprop(theta: Array, gradients: Array, h: Any) -> Array:
    v = b = np.zeros_like(theta)
    for g in gradients:
        v = h.rho * v + (1 - h.rho) * g**2
        b = h.momentum * b + g / (np.sqrt(v) + h.eps)
        theta = theta - h.lr * b
    return theta


def sgd(theta: Array, gradients: Array, h: Any) -> Array:
    return theta - h.lr * gradients.sum(0)


def sgd_momentum(theta: Array, gradients: Array, h: Any) -> Array:
    velocity = np.zeros_like(theta)
    for g in gradients:
        velocity = h.momentum * velocity - h.lr * g
        theta = theta + velocity
    return theta


def sgd_nesterov(theta: Array, gradients: Array, h: Any) -> Array:
    """Sutskever's form, moved to the point looked ahead to: theta + momentum velocity."""
    behind, velocity = theta, np.zeros_like(theta)
    for g in gradients:
        velocity = h.momentum * velocity - h.lr * g
        behind = behind + velocity
    return behind + h.momentum * velocity


def adadelta(theta: Array, gradients: Array, h: Any) -> Array:
    v = d = np.zeros_like(theta)
    for g in gradients:
        v = h.rho * v + (1 - h.rho) * g**2
        delta = np.sqrt(d + h.eps) / np.sqrt(v + h.eps) * g
        d = h.rho * d + (1 - h.rho) * delta**2
        theta = theta - h.lr * delta
    return theta


def lion(theta: Array, gradients: Array, h: Any) -> Array:
    m = np.zeros_like(theta)
    for g in gradients:
        step = np.sign(h.beta1 * m + (1 - h.beta1) * g)
        theta = theta - h.lr * (step + h.weight_decay * theta)
        m = h.beta2 * m + (1 - h.beta2) * g
    return theta


def signsgd(theta: Array, gradients: Array, h: Any) -> Array:
    return theta - h.lr * np.sign(gradients).sum(axis=0)


REFERENCES: dict[str, Callable[[Array, Array, Any], Array]] = {
    "adam": adam,
    "adamw": adamw,
    "amsgrad": amsgrad,
    "adamax": adamax,
    "adagrad": adagrad,
    "rmsprop": rmsprop,
    "sgd": sgd,
    "sgd_momentum": sgd_momentum,
    "sgd_nesterov": sgd_nesterov,
    "adadelta": adadelta,
    "lion": lion,
    "adam_lazy": adam_lazy,
    "signsgd": signsgd,
}

CASES: list[tuple[str, dict[str, Any]]] = [(name, {}) for name in REFERENCES] + [
    ("adam", {"lr": 0.3, "beta1": 0.0, "beta2": 0.5, "eps": 1e-2}),
    ("adam", {"bias_correction": "m"}),
    ("adam", {"bias_correction": "v"}),
    ("adam", {"bias_correction": "none", "eps": 0.0}),
    ("adam", {"form": "efficient", "eps": 1e-3}),
    ("adamw", {"lr": 0.1, "weight_decay": 0.5}),
    ("amsgrad", {"beta2": 0.9, "eps": 1e-8}),
    ("adamax", {"beta1": 0.0, "beta2": 0.9}),
    ("adagrad", {"eps": 1e-10}),
    ("rmsprop", {"rho": 0.99, "momentum": 0.9}),
    ("sgd_nesterov", {"momentum": 0.0}),
    ("adadelta", {"rho": 0.9, "lr": 0.5}),
    ("lion", {"beta1": 0.5, "weight_decay": 0.1}),
    ("adam_lazy", {"beta1": 0.5, "bias_correction": "m"}),
]
"""Every rule that has a reference at its defaults, then at settings that use its every branch."""


def defaults(name: str, **changes: Any) -> SimpleNamespace:
    """The method's default hyperparameters and options, with `changes`."""
    method = OPTIMIZERS[name]([torch.nn.Parameter(torch.zeros(1))])
    return SimpleNamespace(**{**method.defaults, **changes})


def random_gradients(steps: int, n: int, seed: int = 0) -> Array:
    """[steps, n] gradients of very different sizes; every seventh coordinate's are rare."""
    rng = np.random.default_rng(seed)
    scale = 10.0 ** rng.uniform(-3, 2, n)
    gradients: Array = rng.normal(0.3, 1.0, (steps, n)) * scale
    rare = rng.uniform(size=(steps, n)) < 0.9
    rare[:, np.arange(n) % 7 != 3] = False
    return np.where(rare & (np.arange(steps)[:, None] > 0), 0.0, gradients)


def run(name: str, theta: Any, gradients: Any, h: Any, *, rule: bool = False) -> torch.Tensor:
    """Theta after `apply` took every gradient; with `rule`, after its `update` took it."""
    method = OPTIMIZERS[name]
    theta = torch.as_tensor(theta).clone()
    state = init_state(method, theta)
    for t, g in enumerate(torch.as_tensor(gradients), start=1):
        if rule:
            method.update(theta, g, SimpleNamespace(**state), prepare(method, h, t, theta.dtype))
        else:
            apply(method, theta, g, state, h, t)
    return theta


def stack(name: str, trials: list[SimpleNamespace]) -> SimpleNamespace:
    """Many trials' hyperparameters as float64 tensors [S, 1]; the options of the first."""
    h = SimpleNamespace(**vars(trials[0]))
    for key in OPTIMIZERS[name].hyperparameters:
        setattr(
            h, key, torch.tensor([[getattr(trial, key)] for trial in trials], dtype=torch.float64)
        )
    return h
