"""The tasks of online convex optimisation by `task.model`; a module is imported when its task is used."""

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

#: R(T), R(T)/T, the bound, and the bound's three terms: the one in the distance to the comparator,
#: the one in the norms of the gradients, the one from the decay of beta1_t.
_REGRET = ("regret", "average_regret", "bound", "bound_distance", "bound_gradients", "bound_decay")

#: The inputs of the terms: see `adam_repro.online.bound_accumulator`.
_BOUND_INPUTS = ("d_2", "d_inf", "g_2", "g_inf", "sum_root_v_hat", "sum_gradient_norms")

#: The columns that these tasks add to metrics.csv, after those of every trial.
COLUMNS: dict[str, tuple[str, ...]] = {
    "regret": (
        *_REGRET,
        *_BOUND_INPUTS,
        "comparator_cost",  # min over the set of (1/T) sum f_t
        "comparator_slope",  # its projected gradient, largest coordinate
        "comparator_gap",  # upper bound on its distance from the true minimum
        "falls",  # share of the coordinate steps at which sqrt(v_hat_t)/alpha_t decreased
    ),
    "counterexample": ("x", *_REGRET, *_BOUND_INPUTS),
}


def check(trial: Trial) -> None:
    """Validate the settings of a trial of these tasks.

    Raises:
        UserError: naming the option, its value and what is legal.
    """
    _module(trial).check(trial)


def build_stack(trials: Sequence[Trial]) -> OnlineStack:
    """The stack for these trials of one task."""
    model = trials[0].task["model"]
    stack: OnlineStack = getattr(_module(trials[0]), f"{model.capitalize()}Stack")(trials)
    return stack


def _module(trial: Trial) -> ModuleType:
    return import_module(f"adam_repro.online.{trial.task['model']}")
