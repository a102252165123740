"""The tasks of online convex optimisation by `task.model`, imported only when one of them is trained."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

from adam_repro.config.trial import Trial

if TYPE_CHECKING:
    from adam_repro.online.counterexample import CounterexampleStack
    from adam_repro.online.regret import RegretStack

    OnlineStack = RegretStack | CounterexampleStack

#: R(T), R(T)/T, the bound of the method's theorem, and the bound's terms: the one with the distance
#: from the comparator, the one with the norms of the gradients, the one beta1_t's decay leaves.
_REGRET = ("regret", "average_regret", "bound", "bound_distance", "bound_gradients", "bound_decay")

#: What the terms are made of: see `adam_repro.online.bound_terms`.
_QUANTITIES = ("d_2", "d_inf", "g_2", "g_inf", "sum_root_v_hat", "sum_gradient_norms")

#: What these tasks add to metrics.csv, after the columns that every trial has.
COLUMNS: dict[str, tuple[str, ...]] = {
    "regret": (
        *_REGRET,
        *_QUANTITIES,
        "comparator_cost",  # min over the set of (1/T) sum f_t
        "comparator_slope",  # its projected gradient, largest coordinate
        "comparator_gap",  # at most so far from the true minimum
        "falls",  # share of the coordinate steps at which sqrt(v_hat_t)/alpha_t fell
    ),
    "counterexample": ("x", *_REGRET, *_QUANTITIES),
}


def check(trial: Trial) -> None:
    """Refuse a trial that its task cannot run.

    Raises:
        UserError: naming the option, its value and what is legal.
    """
    _module(trial).check(trial)


def build_stack(trials: Sequence[Trial]) -> OnlineStack:
    """The stack that runs these trials of one task."""
    model = trials[0].task["model"]
    stack: OnlineStack = getattr(_module(trials[0]), f"{model.capitalize()}Stack")(trials)
    return stack


def _module(trial: Trial) -> ModuleType:
    return import_module(f"adam_repro.online.{trial.task['model']}")
