"""The stepsizes and decay rates of section 4, step by step, for any of our methods.

    alpha_t = alpha / sqrt(t)  (`schedule`)        beta1_t = beta1 lambda^(t-1)

What a step needs comes from the method's own `scalars`, so that what is tested is our rule.
The proof divides m_t by 1 - beta1^t with the constant beta1, not with beta1_t; here too: beta1_t is in
the average m_t alone. With `growing_beta2` (AdamNC of Reddi et al.: beta2_t = 1 - 1/t) v_t is the plain mean
of the squares so far and needs no correction.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

from adam_repro.config.trial import Trial, hyperparameters
from adam_repro.config.validate import Flag, Range, Whole
from adam_repro.errors import UserError
from adam_repro.optim import OPTIMIZERS, schedules
from adam_repro.optim.ops import one_minus_power
from adam_repro.tasks.base import option

FIRST = 10  # rounds of the first milestone
#: Schedules that count steps: here a round is one, and there are no passes that the others could count.
BY_STEP = ("constant", "inv_sqrt_iteration")
#: `bias_correction` by whether m and v are corrected.
CORRECTIONS = {(True, True): "both", (True, False): "m", (False, True): "v", (False, False): "none"}


class Steps:
    """What the method of a trial needs at every step."""

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
        """The scalars of steps ``first`` .. ``first + count - 1`` (from 1): a list of each."""
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
        """alpha_t of the same steps."""
        lr = float(self.settings["lr"])
        return [lr * schedules.factor(self.schedule, t, 0) for t in range(first, first + count)]

    def prepared(self, first: int, count: int) -> list[SimpleNamespace]:
        """The same steps as `adam_repro.optim.rule.update_in_blocks` takes them."""
        scalars = self.scalars(first, count)
        options: dict[str, Any] = {name: self.settings[name] for name in self.method.options}
        rows = zip(*scalars.values(), strict=True)
        return [
            SimpleNamespace(plain=True, **dict(zip(scalars, row, strict=True)), **options)
            for row in rows
        ]

    def v_hat_factor(self, t: int) -> float:
        """v_hat_t = v_t times this."""
        return 1.0 / float(one_minus_power(self.settings["beta2"], t)) if self.corrects_v else 1.0


def _listed(values: float | torch.Tensor, count: int) -> list[float]:
    return values.tolist() if isinstance(values, torch.Tensor) else [values] * count


def check(trial: Trial, methods: tuple[str, ...]) -> None:
    """Refuse what theory's tasks cannot run.

    Raises:
        UserError: naming the option, its value and what is legal.
    """
    task, optimizer = trial.task["name"], trial.optimizer["name"]
    if optimizer not in methods:
        raise UserError(f"optimizer={optimizer}: task={task} takes one of {', '.join(methods)}")
    if trial.averaging["name"] != "none":
        raise UserError(
            f"averaging={trial.averaging['name']}: regret is of the iterates themselves; use none"
        )
    if trial.schedule not in BY_STEP:
        raise UserError(
            f"schedule={trial.schedule}: task={task} has rounds, no passes that could be counted; "
            f"must be one of {', '.join(BY_STEP)}"
        )
    option(trial.task, "beta1_decay", Range(ge=0, le=1))
    if option(trial.task, "growing_beta2", Flag()) and "beta2" not in trial.optimizer:
        raise UserError(f"task.growing_beta2=true: optimizer={optimizer} has no beta2; use false")
    ignored = {"task.epoch_examples": trial.task.get("epoch_examples"),
              "task.cost_examples": trial.task.get("cost_examples"),
              "eval_train_every": trial.eval_train_every or None}  # fmt: skip
    for name, value in ignored.items():
        if value is not None:
            raise UserError(f"{name}={value}: task={task} has rounds, and no passes; leave it out")


def rounds(trial: Trial) -> None:
    """Check ``task.rounds`` and that there are as many milestones as epochs.

    Raises:
        UserError: naming the option, its value and what is legal.
    """
    value = option(trial.task, "rounds", Whole(FIRST))
    if trial.epochs > value - FIRST + 1:
        raise UserError(
            f"epochs={trial.epochs}: there are not as many milestones between {FIRST} and "
            f"task.rounds={value}; choose fewer"
        )


def milestones(rounds: int, epochs: int) -> list[int]:
    """The rounds after which a row is written: from 10 to ``rounds``, evenly in their logarithm."""
    ends = np.rint(np.geomspace(FIRST if epochs > 1 else rounds, rounds, epochs)).astype(int)
    for i in range(1, epochs):  # close to the start, rounding lets some coincide
        ends[i] = max(ends[i], ends[i - 1] + 1)
    return [int(end) for end in np.minimum(ends, rounds - np.arange(epochs)[::-1])]
