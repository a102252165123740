"""Task `counterexample`: the sequences on which Adam does not converge (Reddi, Kale & Kumar 2018).

Costs f_t(x) = c_t x on [-1, 1]. The best fixed point is -sign(sum_t c_t):

    R(T) = sum_t c_t x_t + |sum_t c_t|

theorem1: c_t = C for t mod 3 = 1, else -1, x_1 = 1. With beta1 = 0, beta2 = 1/(1 + C^2) and
alpha < sqrt(1 - beta2), x_{3k+1} = 1 for all k, although -1 is best.
online, stochastic (section 5): c_t = 1010 for t mod 101 = 1, or with probability 0.01, else -10,
x_1 = 0. On average -1 is best.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from adam_repro import random_streams
from adam_repro.config.trial import Trial
from adam_repro.config.validate import Choice, Range
from adam_repro.engine.protocol import OnStep, Row, TrialStack, check_state
from adam_repro.errors import UserError
from adam_repro.online import step_scalars
from adam_repro.online.bounds import BoundInputs
from adam_repro.online.regret import metric_columns
from adam_repro.online.scalar_updates import SCALAR_UPDATES, ScalarState
from adam_repro.tasks.base import option

SEQUENCES = ("theorem1", "online", "stochastic")
LARGE, SMALL, PERIOD, PROBABILITY = 1010.0, -10.0, 101, 0.01


def check(trial: Trial) -> None:
    """Validate the settings of a trial of this task.

    Raises:
        UserError: naming the option, its value and what is legal.
    """
    step_scalars.check(trial, tuple(SCALAR_UPDATES), ("sequence", "c"))
    option(trial.task, "sequence", Choice(*SEQUENCES))
    step_scalars.check_rounds(trial)
    option(trial.task, "c", Range(ge=2))
    if trial.batch_size != 1:
        raise UserError(f"batch_size={trial.batch_size}: a round has one cost here; use 1")


def gradients(trial: Trial, epoch: int, first: int, count: int) -> np.ndarray:
    """c_t [count] of rounds ``first`` .. ``first + count - 1`` (from 1), the rounds of ``epoch``."""
    t = np.arange(first, first + count)
    if trial.task["sequence"] == "theorem1":
        return np.where(t % 3 == 1, float(trial.task["c"]), -1.0)
    if trial.task["sequence"] == "online":
        return np.where(t % PERIOD == 1, LARGE, SMALL)
    rng = np.random.default_rng(random_streams.stream_seed(trial.seed, "order", epoch))
    return np.where(rng.random(count) < PROBABILITY, LARGE, SMALL)


class CounterexampleStack(TrialStack):
    """Trials on one cost sequence; an epoch ends at a milestone, as in the task `regret`."""

    epoch_steps = 1  # the progress bar counts rows

    def __init__(self, trials: Sequence[Trial]) -> None:
        self.trials = list(trials)
        self.learners = {trial.identity: ScalarLearner(trial) for trial in trials}
        self.rounds = step_scalars.milestones(trials[0].task["rounds"], trials[0].epochs)
        self.epoch = 0
        self.evaluating = 0.0  # no separate evaluation

    def train_epoch(self, on_step: OnStep) -> dict[str, Row]:
        """Run one epoch; return a row for every trial, by identity."""
        first = self.rounds[self.epoch - 1] + 1 if self.epoch else 1
        last = self.rounds[self.epoch]
        rows: dict[str, Row] = {
            identity: {"epoch": self.epoch, **learner.play(self.epoch, first, last)}
            for identity, learner in self.learners.items()
        }
        self.epoch += 1
        on_step()
        return rows

    def drop(self, identities: set[str]) -> None:
        """Stop computing these trials."""
        self.learners = {k: learner for k, learner in self.learners.items() if k not in identities}

    def state(self, identity: str) -> dict[str, Any]:
        """The checkpoint of one trial."""
        return {"epoch": self.epoch, **self.learners[identity].state()}

    def restore(self, identity: str, state: Mapping[str, Any]) -> None:
        """Load the state of one trial, as :meth:`state` returned it."""
        check_state(state, self.state(identity))
        self.epoch = state["epoch"]
        self.learners[identity].restore(state)


class ScalarLearner:
    """One optimizer on a sequence of linear costs in one coordinate."""

    def __init__(self, trial: Trial) -> None:
        self.trial = trial
        self.step_scalars = step_scalars.StepScalars(trial)
        self.scalar_state = ScalarState(x=1.0 if trial.task["sequence"] == "theorem1" else 0.0)
        self.sum = self.squares = self.largest = 0.0

    def play(self, epoch: int, first: int, last: int) -> Row:
        """Run rounds ``first`` to ``last`` (from 1), the rounds of ``epoch``; return its row."""
        c = gradients(self.trial, epoch, first, last - first + 1)
        scalars = self.step_scalars.scalars(first, len(c))
        SCALAR_UPDATES[self.trial.optimizer["name"]](self.scalar_state, c.tolist(), scalars)
        self.sum += float(c.sum())
        self.squares += float((c * c).sum())
        self.largest = max(self.largest, float(np.abs(c).max()))
        regret = self.scalar_state.total_cost + abs(self.sum)
        return {
            "step": last,
            "examples": last,
            "train_cost": self.scalar_state.total_cost / last,
            "stepsize": self.step_scalars.stepsizes(last, 1)[0],
            "grad_norm": abs(float(c[-1])),
            "x": self.scalar_state.x,
            **metric_columns(self.trial, self._bound_inputs(last), regret),
        }

    def _bound_inputs(self, T: int) -> BoundInputs:
        p = self.scalar_state
        best = -1.0 if self.sum > 0 else 1.0
        diameter = max(p.high, best) - min(p.low, best)
        is_max = self.trial.optimizer["name"] == "amsgrad"
        v_hat = p.v_max if is_max else p.v * self.step_scalars.v_hat_factor(T)
        return BoundInputs(
            T=T,
            d=1,
            D=diameter,
            D_inf=diameter,
            G=self.largest,
            G_inf=self.largest,
            sum_root_v_hat=v_hat**0.5,
            sum_gradient_norms=self.squares**0.5,
            sum_weighted=p.weighted,
        )

    def state(self) -> dict[str, Any]:
        """The contents of a checkpoint."""
        own = {name: getattr(self, name) for name in ("sum", "squares", "largest")}
        point = dict(vars(self.scalar_state))
        point["paid"] = point.pop("total_cost")  # its key in checkpoints
        return {"point": point, **own}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Load what :meth:`state` returned."""
        point = dict(state["point"])
        self.scalar_state = ScalarState(total_cost=point.pop("paid"), **point)
        self.sum, self.squares, self.largest = (
            state[name] for name in ("sum", "squares", "largest")
        )
