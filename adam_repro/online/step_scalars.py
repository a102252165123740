"""The stepsizes and decay rates of section 4, step by step, for any of our optimizers.

    alpha_t = alpha / sqrt(t)  (`schedule`)        beta1_t = beta1 lambda^(t-1)

The scalars come from the update rule's own `scalars`, so that the rule itself is what is tested.
As in the proof, m_t is divided by 1 - beta1^t with the constant beta1; only the average m_t uses
beta1_t. With `growing_beta2` (AdamNC of Reddi et al.: beta2_t = 1 - 1/t), v_t is the plain mean of the
squares so far and needs no bias correction.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

from adam_repro.config.trial import Trial, hyperparameters
from adam_repro.config.validate import Flag, Range, Whole, known
from adam_repro.errors import UserError
from adam_repro.optim import OPTIMIZERS, schedules
from adam_repro.optim.ops import one_minus_power
from adam_repro.tasks.base import option

FIRST_MILESTONE = 10  # rounds
#: Schedules in steps. Here a step is a round; the other schedules count passes, and there are none.
STEP_SCHEDULES = ("constant", "inv_sqrt_iteration")
#: Options of both tasks.
OPTIONS = (
    "name", "model", "rounds", "beta1_decay", "growing_beta2", "order", "epoch_examples", "cost_examples",
)  # fmt: skip
#: `bias_correction` by whether m and v are corrected.
CORRECTIONS = {(True, True): "both", (True, False): "m", (False, True): "v", (False, False): "none"}


class StepScalars:
    """The scalars that a trial's update rule takes at each step."""

    def __init__(self, trial: Trial) -> None:
        self.settings = hyperparameters(trial.optimizer)
        self.method = OPTIMIZERS[trial.optimizer["name"]]
        self.schedule = trial.schedule
        self.beta1_decay = trial.task["beta1_decay"]
        self.growing_beta2 = trial.task["growing_beta2"]
        correction = self.settings.get("bias_correction", "none")
        self.corrects_m = correction in ("both", "m")
        self.corrects_v = correction in ("both", "v") and not self.growing_beta2

    def scalars(self, first: int, count: int) -> dict[str, list[float]]:
        """The scalars of steps ``first`` .. ``first + count - 1`` (from 1), as lists by name."""
        t = torch.arange(first, first + count, dtype=torch.float64)
        h = SimpleNamespace()
        for name in self.method.hyperparameters:
            setattr(h, name, torch.full_like(t, self.settings[name]))
        for name in self.method.options:
            setattr(h, name, self.settings[name])
        h.lr = torch.tensor(self.stepsizes(first, count), dtype=torch.float64)
        h.bias_correction = CORRECTIONS[self.corrects_m, self.corrects_v]
        if self.growing_beta2 and "beta2" in self.settings:
            h.beta2 = 1 - 1 / t
        prepared = self.method.scalars(h, t)
        if "beta1" in self.settings:
            beta1_t = h.beta1 * self.beta1_decay ** (t - 1)
            decayed = {"beta1": beta1_t, "one_minus_beta1": 1 - beta1_t}
            prepared |= {name: values for name, values in decayed.items() if name in prepared}
        return {name: _listed(values, count) for name, values in prepared.items()}

    def stepsizes(self, first: int, count: int) -> list[float]:
        """alpha_t of the same steps, as a list."""
        lr = float(self.settings["lr"])
        return [lr * schedules.factor(self.schedule, t, 0) for t in range(first, first + count)]

    def prepared(self, first: int, count: int) -> list[SimpleNamespace]:
        """The scalars of the same steps in the form that `adam_repro.optim.rule.update_in_blocks` takes."""
        scalars = self.scalars(first, count)
        options: dict[str, Any] = {name: self.settings[name] for name in self.method.options}
        rows = zip(*scalars.values(), strict=True)
        return [
            SimpleNamespace(plain=True, **dict(zip(scalars, row, strict=True)), **options)
            for row in rows
        ]

    def v_hat_factor(self, t: int) -> float:
        """The bias correction v_hat_t / v_t."""
        return 1.0 / float(one_minus_power(self.settings["beta2"], t)) if self.corrects_v else 1.0


def _listed(values: float | torch.Tensor, count: int) -> list[float]:
    return values.tolist() if isinstance(values, torch.Tensor) else [values] * count


def check(trial: Trial, methods: tuple[str, ...], own: tuple[str, ...]) -> None:
    """Validate the settings that the tasks of section 4 share; ``own``: the options of this one alone.

    Raises:
        UserError: naming the option, its value and what is legal.
    """
    task, optimizer = trial.task["name"], trial.optimizer["name"]
    known(trial.task, (*OPTIONS, *own), "task.")
    if optimizer not in methods:
        raise UserError(f"optimizer={optimizer}: task={task} takes one of {', '.join(methods)}")
    if trial.averaging["name"] != "none":
        raise UserError(
            f"averaging={trial.averaging['name']}: regret is measured at the iterates themselves; use none"
        )
    if trial.clip_norm is not None:
        raise UserError(
            f"clip_norm={trial.clip_norm}: regret bounds hold for the gradients themselves; use null"
        )
    if trial.schedule not in STEP_SCHEDULES:
        raise UserError(
            f"schedule={trial.schedule}: task={task} has rounds and no passes; "
            f"must be one of {', '.join(STEP_SCHEDULES)}"
        )
    option(trial.task, "beta1_decay", Range(ge=0, le=1))
    if option(trial.task, "growing_beta2", Flag()) and "beta2" not in trial.optimizer:
        raise UserError(f"task.growing_beta2=true: optimizer={optimizer} has no beta2; use false")
    ignored = {"task.epoch_examples": trial.task.get("epoch_examples"),
              "task.cost_examples": trial.task.get("cost_examples"),
              "eval_train_every": trial.eval_train_every or None}  # fmt: skip
    for name, value in ignored.items():
        if value is not None:
            raise UserError(f"{name}={value}: task={task} has rounds and no passes; leave it out")


def check_rounds(trial: Trial) -> None:
    """Validate ``task.rounds``, and that there are enough rounds for one milestone per epoch.

    Raises:
        UserError: naming the option, its value and what is legal.
    """
    value = option(trial.task, "rounds", Whole(FIRST_MILESTONE))
    if trial.epochs > value - FIRST_MILESTONE + 1:
        raise UserError(
            f"epochs={trial.epochs}: there are not that many milestones between {FIRST_MILESTONE} and "
            f"task.rounds={value}; choose fewer"
        )


def milestones(rounds: int, epochs: int) -> list[int]:
    """The rounds after which a row is written: from 10 to ``rounds``, evenly spaced in their logarithm."""
    first = FIRST_MILESTONE if epochs > 1 else rounds
    ends = np.rint(np.geomspace(first, rounds, epochs)).astype(int)
    for i in range(1, epochs):  # near the start, rounding makes some equal
        ends[i] = max(ends[i], ends[i - 1] + 1)
    return [int(end) for end in np.minimum(ends, rounds - np.arange(epochs)[::-1])]
