"""Upper bounds on the regret, term by term, from measurements of a run."""

from __future__ import annotations

import math
from typing import NamedTuple


class BoundInputs(NamedTuple):
    """The inputs of the bounds, for rounds 1 to ``T`` of a run in ``d`` coordinates.

    D and D_inf bound the distance between any two of the iterates and the comparator, in the
    Euclidean and the maximum norm. G and G_inf bound the gradients in the same norms.
    """

    T: int
    d: int
    D: float
    D_inf: float
    G: float
    G_inf: float
    sum_root_v_hat: float  # sum_i sqrt(v_hat_T,i)
    sum_gradient_norms: float  # sum_i ||g_1:T,i||_2
    sum_weighted: float = 0.0  # sum_t sum_i beta1_t sqrt(v_hat_t,i) / alpha_t


class BoundTerms(NamedTuple):
    """The three terms of a bound; 0 for a term that the optimizer's bound lacks."""

    distance: float
    gradients: float
    decay: float

    @property
    def total(self) -> float:
        return self.distance + self.gradients + self.decay


def adam(q: BoundInputs, lr: float, beta1: float, beta2: float, decay: float) -> BoundTerms | None:
    """Theorem 4.1 of Kingma & Ba, as printed; ``None`` outside its assumptions.

        D^2 / (2 alpha (1 - beta1)) sum_i sqrt(T v_hat_T,i)
        + alpha (1 + beta1) G_inf / ((1 - beta1) sqrt(1 - beta2) (1 - gamma)^2) sum_i ||g_1:T,i||
        + d D_inf^2 G_inf sqrt(1 - beta2) / (2 alpha (1 - beta1) (1 - lambda)^2)

    gamma = beta1^2 / sqrt(beta2) < 1, lambda = ``decay`` in (0, 1). With beta1 = 0, beta1_t is 0 for
    every lambda, and the bound is the limit of small lambda.
    """
    gamma = _gamma(beta1**2, beta2)
    decay = 0.0 if beta1 == 0 else decay
    if gamma >= 1 or decay >= 1:
        return None
    root = math.sqrt(1 - beta2)
    return BoundTerms(
        q.D**2 / (2 * lr * (1 - beta1)) * math.sqrt(q.T) * q.sum_root_v_hat,
        lr * (1 + beta1) * q.G_inf / ((1 - beta1) * root * (1 - gamma) ** 2) * q.sum_gradient_norms,
        q.d * q.D_inf**2 * q.G_inf * root / (2 * lr * (1 - beta1) * (1 - decay) ** 2),
    )


def amsgrad(
    q: BoundInputs, lr: float, beta1: float, beta2: float, decay: float
) -> BoundTerms | None:
    """Theorem 4 of Reddi, Kale & Kumar; its double sum is accumulated along the run.

        D_inf^2 sqrt(T) / (alpha (1 - beta1)) sum_i sqrt(v_hat_T,i)
        + alpha sqrt(1 + log T) / ((1 - beta1)^2 (1 - gamma) sqrt(1 - beta2)) sum_i ||g_1:T,i||
        + D_inf^2 / (2 (1 - beta1)) sum_t sum_i beta1_t sqrt(v_hat_t,i) / alpha_t

    gamma = beta1 / sqrt(beta2) < 1. It holds for every beta1_t <= beta1, so ``decay`` is not used.
    """
    gamma = _gamma(beta1, beta2)
    if gamma >= 1:
        return None
    return BoundTerms(
        q.D_inf**2 * math.sqrt(q.T) / (lr * (1 - beta1)) * q.sum_root_v_hat,
        lr
        * math.sqrt(1 + math.log(q.T))
        / ((1 - beta1) ** 2 * (1 - gamma) * math.sqrt(1 - beta2))
        * q.sum_gradient_norms,
        q.D_inf**2 / (2 * (1 - beta1)) * q.sum_weighted,
    )


def adagrad(q: BoundInputs, lr: float) -> BoundTerms:
    """Theorem 5 of Duchi, Hazan & Singer 2011 (diagonal, constant alpha).

    D_inf^2 / (2 alpha) sum_i ||g_1:T,i|| + alpha sum_i ||g_1:T,i||
    """
    return BoundTerms(q.D_inf**2 / (2 * lr) * q.sum_gradient_norms, lr * q.sum_gradient_norms, 0.0)


def sgd(q: BoundInputs, lr: float) -> BoundTerms:
    """Theorem 1 of Zinkevich 2003 (alpha_t = alpha / sqrt t).

    D^2 sqrt(T) / (2 alpha) + alpha (sqrt(T) - 1/2) G^2
    """
    return BoundTerms(q.D**2 * math.sqrt(q.T) / (2 * lr), lr * (math.sqrt(q.T) - 0.5) * q.G**2, 0.0)


#: The schedule each theorem assumes.
SCHEDULES = {
    "adam": "inv_sqrt_iteration",
    "amsgrad": "inv_sqrt_iteration",
    "sgd": "inv_sqrt_iteration",
    "adagrad": "constant",
}


def terms(
    optimizer: dict[str, float | str],
    schedule: str,
    decay: float,
    growing_beta2: bool,
    q: BoundInputs,
) -> BoundTerms | None:
    """The bound for a trial's ``optimizer`` settings; ``None`` outside the theorem's assumptions."""
    name, lr = str(optimizer["name"]), float(optimizer["lr"])
    if SCHEDULES.get(name) != schedule or growing_beta2:
        return None
    # The theorems assume eps = 0, and Adam's assumes bias-corrected moments.
    if optimizer.get("eps", 0.0) != 0.0 or (
        name == "adam" and optimizer["bias_correction"] != "both"
    ):
        return None
    if name == "sgd":
        return sgd(q, lr)
    if name == "adagrad":
        return adagrad(q, lr)
    betas = float(optimizer["beta1"]), float(optimizer["beta2"])
    return (adam if name == "adam" else amsgrad)(q, lr, *betas, decay)


def _gamma(numerator: float, beta2: float) -> float:
    if numerator == 0:
        return 0.0
    return numerator / math.sqrt(beta2) if beta2 > 0 else math.inf
