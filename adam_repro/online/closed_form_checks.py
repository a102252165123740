"""The paper's smaller statements, each measured with our update rules beside its closed form.

A measurement with noise has a 95 % interval.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, NamedTuple

import pandas as pd
import torch
from torch import Tensor

from adam_repro.config import compose
from adam_repro.online.counterexample import ScalarLearner
from adam_repro.optim import OPTIMIZERS, UpdateRule, apply, init_state

BETA1, BETA2 = 0.9, 0.999
ROUNDING = 1e-12  # relative error of a sum of 100,000 float64 numbers


class ClosedFormCheck(NamedTuple):
    """A measured number, its closed form, and what the paper says in the section ``place``.

    half_width: of the 95 % interval; 0 without noise. closed_form: NaN where there is none.
    """

    key: str
    place: str
    what: str
    measured: float
    half_width: float
    closed_form: float
    paper: str

    @property
    def agrees(self) -> bool:
        """Whether the measured number equals its closed form, if there is one, to four digits."""
        return math.isnan(self.closed_form) or abs(self.measured / self.closed_form - 1) < 5e-5


def stepsize_limit() -> float:
    """sup |Delta_t| / alpha with eps = 0, at Adam's defaults: 7.270, where section 2.1 has 3.162.

        (1 - beta1) / sqrt(1 - beta2) / sqrt(1 - beta1^2 / beta2)

    By Cauchy-Schwarz on m_t / sqrt(v_t). Gradients that grow like (beta2 / beta1)^t approach it.
    """
    return (1 - BETA1) / math.sqrt((1 - BETA2) * (1 - BETA1**2 / BETA2))


def adam_stepsize(t: int) -> ClosedFormCheck:
    """|Delta_t| / alpha of Algorithm 1 with eps = 0 on gradients (beta2 / beta1)^t."""
    q = BETA1**2 / BETA2
    closed = stepsize_limit() * math.sqrt((1 - q**t) * (1 - BETA2**t)) / (1 - BETA1**t)
    measured = _last_step("adam", BETA2 / BETA1, t, beta1=BETA1, beta2=BETA2, eps=0.0)
    what = f"largest |step| / alpha of Adam, gradients growing, t = {t}"
    return ClosedFormCheck(f"adam_{t}", "2.1", what, measured, 0.0, closed, "at most 3.162")


def adam_limit(t: int = 15_000) -> ClosedFormCheck:
    """The same for large t, compared with the limit t -> infinity."""
    one = adam_stepsize(t)
    return one._replace(key="adam_limit", closed_form=stepsize_limit())


def adamax_stepsize(t: int = 400) -> ClosedFormCheck:
    """|Delta_t| / alpha of AdaMax on gradients beta2^t: (1 - beta1) / (1 - beta1 / beta2) = 1.00909."""
    measured = _last_step("adamax", BETA2, t, beta1=BETA1, beta2=BETA2)
    closed = (1 - BETA1) / (1 - BETA1 / BETA2)
    what = f"largest |step| / alpha of AdaMax, gradients fading, t = {t}"
    return ClosedFormCheck("adamax", "7.1", what, measured, 0.0, closed, "at most 1")


def lemma_10_3(gradient: float = 0.1) -> tuple[ClosedFormCheck, ClosedFormCheck]:
    """Both sides of sum_t sqrt(g_t^2 / t) <= 2 G_inf ||g_1:T|| for T = 1 and one small gradient.

    The left side has degree 1 in g, the right side degree 2: for |g| < 1/2 the lemma fails.
    """
    g = torch.tensor([gradient], dtype=torch.float64)
    t = torch.arange(1, len(g) + 1)
    left = float((g.square() / t).sqrt().sum())
    right = 2 * float(g.abs().max()) * float(g.norm())
    where, what = "lemma 10.3", f"side of the lemma, T = 1, g = {gradient:g}"
    closed = 2 * gradient**2
    return (
        ClosedFormCheck("lemma_left", where, f"left {what}", left, 0.0, gradient, "<= right"),
        ClosedFormCheck("lemma_right", where, f"right {what}", right, 0.0, closed, ">= left"),
    )


def signal_to_noise(distance: float, t: int = 16) -> ClosedFormCheck:
    """sqrt(E m_hat^2 / E v_hat) on gradients mu +- sigma, ``distance`` = mu / sigma (section 2.1).

        (mu^2 + kappa sigma^2) / (mu^2 + sigma^2),
        kappa = (1 - beta1) (1 + beta1^t) / ((1 + beta1) (1 - beta1^t))

    Near an optimum mu goes to 0 and sigma does not. The ratio then goes to sqrt(kappa), not to 0,
    because m_hat averages only about ten gradients. All 2^t sign patterns are run, one per
    coordinate, so the expectations are exact.
    """
    patterns = torch.arange(2**t)
    theta = torch.zeros(2**t, dtype=torch.float64)
    state = init_state(OPTIMIZERS["adam"], theta)
    h = _settings("adam", beta1=BETA1, beta2=BETA2, eps=0.0)
    with torch.no_grad():
        for i in range(t):
            g = distance + 2.0 * (patterns >> i & 1).double() - 1.0
            apply(OPTIMIZERS["adam"], theta, g, state, h, i + 1)
    m_hat = state["m"] / (1 - BETA1**t)
    v_hat = state["v"] / (1 - BETA2**t)
    measured = math.sqrt(float(m_hat.square().mean() / v_hat.mean()))
    kappa = (1 - BETA1) * (1 + BETA1**t) / ((1 + BETA1) * (1 - BETA1**t))
    closed = math.sqrt((distance**2 + kappa) / (distance**2 + 1))
    key, what = (
        f"snr_{distance:g}",
        f"signal-to-noise ratio, |mean gradient| / its noise = {distance:g}",
    )
    return ClosedFormCheck(key, "2.1", what, measured, 0.0, closed, "falls toward 0")


def bias_factors(
    times: tuple[int, ...] = (1, 10, 100, 1000), n: int = 25_000, seed: int = 0
) -> Iterator[ClosedFormCheck]:
    """E v_t / E g^2 = 1 - beta2^t on a stationary stream g ~ N(1, 1/4) (section 3).

    ``n`` pairs of coordinates are run. The two noises of a pair have opposite signs (antithetic
    variates). E g^2 is estimated on the same draws, so most of the noise cancels. The interval is
    that of a ratio of means over independent pairs.
    """
    source = torch.Generator().manual_seed(seed)
    theta = torch.zeros(2, n, dtype=torch.float64)
    squares = torch.zeros_like(theta)
    state = init_state(OPTIMIZERS["adam"], theta)
    h = _settings("adam", beta1=BETA1, beta2=BETA2, eps=1e-8)
    for t in range(1, max(times) + 1):
        noise = torch.randn(n, generator=source, dtype=torch.float64)
        g = 1 + 0.5 * torch.stack([noise, -noise])
        with torch.no_grad():
            apply(OPTIMIZERS["adam"], theta, g, state, h, t)
        squares += g * g
        if t in times:
            measured, half_width = _ratio(state["v"].mean(0), squares.mean(0) / t)
            key, what = f"bias_{t}", f"v over the mean square, t = {t}"
            closed = -math.expm1(t * math.log(BETA2))
            yield ClosedFormCheck(key, "3", what, measured, half_width, closed, "1 - beta2^t")


def bound_crossings(rounds: int = 10_000) -> tuple[ClosedFormCheck, ClosedFormCheck]:
    """Where R(T) of Adam on Theorem 1's sequence exceeds the bound of Theorem 4.1, at every T.

    The first such T, and the T from which on it does so up to ``rounds``; NaN where there is none.
    """
    words = [
        "task=counterexample", "task.sequence=theorem1", "optimizer=adam", "optimizer.beta1=0",
        f"optimizer.beta2={1 / 17!r}", "optimizer.bias_correction=both", f"task.rounds={rounds}",
    ]  # fmt: skip
    learner = ScalarLearner(compose.trial(words))
    played = (learner.play(0, T, T) for T in range(1, rounds + 1))
    above = [bool(row["regret"] > row["bound"]) for row in played]  # type: ignore[operator]
    nan, where, paper = float("nan"), "4", "never"
    first = above.index(True) + 1 if True in above else nan
    always = rounds - above[::-1].index(False) + 1 if above[-1] else nan
    what = "T at which the regret exceeds the bound of theorem 4.1"
    return (
        ClosedFormCheck("bound_first", where, f"first {what}", first, 0.0, nan, paper),
        ClosedFormCheck(
            "bound_always", where, f"T from which on it does, up to {rounds}", always, 0.0,
            nan, paper,
        ),
    )  # fmt: skip


def _ratio(a: Tensor, b: Tensor) -> tuple[float, float]:
    """mean(a) / mean(b) and the half width of its 95 % interval."""
    ratio = float(a.mean() / b.mean())
    spread = float((a - ratio * b).std() / b.mean()) / math.sqrt(len(a))
    # At t = 1 all ratios are equal; the rest is rounding.
    return ratio, 1.96 * spread if spread > ROUNDING * ratio else 0.0


def _settings(method: str, **hyperparameters: Any) -> SimpleNamespace:
    """Settings for `apply`, with lr 1 and the defaults for the options."""
    options = {name: choice.values[0] for name, choice in OPTIMIZERS[method].options.items()}
    return SimpleNamespace(lr=1.0, **options, **hyperparameters)


def _last_step(name: str, growth: float, t: int, **hyperparameters: float) -> float:
    """|Delta_t| / alpha on gradients 1, growth, growth^2, ...

    Before gradients and state overflow float64, both are scaled down by powers of two. The update is
    invariant to the scale of the gradients, so this is exact.
    """
    method: type[UpdateRule] = OPTIMIZERS[name]
    h = _settings(name, **hyperparameters)
    theta = torch.zeros(1, dtype=torch.float64)
    g = torch.ones_like(theta)
    state = init_state(method, theta)
    degree = {"m": 1, "v": 2, "u": 1}
    with torch.no_grad():
        for step in range(1, t + 1):
            theta.zero_()
            apply(method, theta, g, state, h, step)
            g *= growth
            if float(g) > 2.0**100:
                g *= 2.0**-100
                for slot in state:
                    state[slot] *= 2.0 ** (-100 * degree[slot])
    return abs(float(theta))


DISTANCES = (10.0, 3.0, 1.0, 0.3, 0.1, 0.03, 0.01)


def run_all() -> list[ClosedFormCheck]:
    """All checks, in the paper's order. Takes some seconds."""
    return [
        adam_stepsize(400),
        adam_limit(),
        *(signal_to_noise(distance) for distance in DISTANCES),
        *bias_factors(),
        adamax_stepsize(),
        *lemma_10_3(),
        *bound_crossings(),
    ]


def frame(rows: list[ClosedFormCheck]) -> pd.DataFrame:
    """The checks as a table, to ten digits: later digits depend on the order of summation."""
    found = pd.DataFrame(rows)
    for column in ("measured", "half_width", "closed_form"):
        found[column] = [float(f"{value:.10g}") for value in found[column]]
    return found


def table(rows: list[ClosedFormCheck]) -> str:
    """The checks as a text table."""
    head = f"{'section':<12}{'':<58}{'measured':>10}{'+-':>9}{'closed form':>13}   paper"
    lines = []
    for row in rows:
        closed = "" if math.isnan(row.closed_form) else f"{row.closed_form:.5f}"
        width = f"{row.half_width:.5f}" if row.half_width else ""
        numbers = f"{row.measured:>10.5f}{width:>9}{closed:>13}"
        lines.append(f"{row.place:<12}{row.what:<58}{numbers}   {row.paper}")
    return "\n".join([head, *lines])
