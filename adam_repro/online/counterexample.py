"""Task `counterexample`: the sequences on which Adam does not converge (Reddi, Kale & Kumar 2018).

Costs f_t(x) = c_t x on [-1, 1]; the comparator is the sign of the sum so far:

    R(T) = sum_t c_t x_t + |sum_t c_t|

theorem1: c_t = C for t mod 3 = 1, else -1, x_1 = 1. With beta1 = 0, beta2 = 1/(1 + C^2) and
alpha < sqrt(1 - beta2), x_{3k+1} = 1 for ever, though -1 is best.
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
from adam_repro.engine.protocol import OnStep, Row, TrialStack
from adam_repro.errors import UserError
from adam_repro.online import step_scalars
from adam_repro.online.bounds import Quantities
from adam_repro.online.regret import columns
from adam_repro.online.scalar_updates import RECURRENCES, Point
from adam_repro.tasks.base import option

SEQUENCES = ("theorem1", "online", "stochastic")
LARGE, SMALL, PERIOD, PROBABILITY = 1010.0, -10.0, 101, 0.01


def check(trial: Trial) -> None:
    """Refuse what this task cannot run.

    Raises:
        UserError: naming the option, its value and what is legal.
    """
    step_scalars.check(trial, tuple(RECURRENCES))
    option(trial.task, "sequence", Choice(*SEQUENCES))
    step_scalars.rounds(trial)
    option(trial.task, "c", Range(ge=2))
    if trial.batch_size != 1:
        raise UserError(f"batch_size={trial.batch_size}: a round has one cost here; use 1")


def gradients(trial: Trial, epoch: int, first: int, count: int) -> np.ndarray:
    """c_t of steps ``first`` .. ``first + count - 1`` (from 1), which make up ``epoch``."""
    t = np.arange(first, first + count)
    if trial.task["sequence"] == "theorem1":
        return np.where(t % 3 == 1, float(trial.task["c"]), -1.0)
    if trial.task["sequence"] == "online":
        return np.where(t % PERIOD == 1, LARGE, SMALL)
    rng = np.random.default_rng(random_streams.stream_seed(trial.seed, "order", epoch))
    return np.where(rng.random(count) < PROBABILITY, LARGE, SMALL)


class CounterexampleStack(TrialStack):
    """Trials of one sequence; an epoch ends at a milestone, as in the task `regret`."""

    epoch_steps = 1  # the progress bar counts rows

    def __init__(self, trials: Sequence[Trial]) -> None:
        self.trials = list(trials)
        self.players = {trial.identity: OnlineLearner(trial) for trial in trials}
        self.rounds = step_scalars.milestones(trials[0].task["rounds"], trials[0].epochs)
        self.epoch = 0
        self.evaluating = 0.0  # nothing is evaluated apart

    def train_epoch(self, on_step: OnStep) -> dict[str, Row]:
        """Play an epoch; a row for every trial, by identity."""
        first = self.rounds[self.epoch - 1] + 1 if self.epoch else 1
        last = self.rounds[self.epoch]
        rows: dict[str, Row] = {
            identity: {"epoch": self.epoch, **player.play(self.epoch, first, last)}
            for identity, player in self.players.items()
        }
        self.epoch += 1
        on_step()
        return rows

    def drop(self, identities: set[str]) -> None:
        """Stop playing these trials."""
        self.players = {k: player for k, player in self.players.items() if k not in identities}

    def state(self, identity: str) -> dict[str, Any]:
        """Everything one trial needs to go on from here."""
        return {"epoch": self.epoch, **self.players[identity].state()}

    def restore(self, identity: str, state: Mapping[str, Any]) -> None:
        """Take up one trial where :meth:`state` left it."""
        self.epoch = state["epoch"]
        self.players[identity].restore(state)


class OnlineLearner:
    """One method on the sequence."""

    def __init__(self, trial: Trial) -> None:
        self.trial = trial
        self.steps = step_scalars.Steps(trial)
        self.point = Point(x=1.0 if trial.task["sequence"] == "theorem1" else 0.0)
        self.sum = self.squares = self.largest = 0.0

    def play(self, epoch: int, first: int, last: int) -> Row:
        """Rounds ``first`` to ``last`` (from 1), which make up ``epoch``, and its row."""
        c = gradients(self.trial, epoch, first, last - first + 1)
        scalars = self.steps.scalars(first, len(c))
        RECURRENCES[self.trial.optimizer["name"]](self.point, c.tolist(), scalars)
        self.sum += float(c.sum())
        self.squares += float((c * c).sum())
        self.largest = max(self.largest, float(np.abs(c).max()))
        regret = self.point.paid + abs(self.sum)
        return {
            "step": last,
            "examples": last,
            "train_cost": self.point.paid / last,
            "stepsize": self.steps.stepsizes(last, 1)[0],
            "grad_norm": abs(float(c[-1])),
            "x": self.point.x,
            **columns(self.trial, self._quantities(last), regret),
        }

    def _quantities(self, T: int) -> Quantities:
        p = self.point
        best = -1.0 if self.sum > 0 else 1.0
        diameter = max(p.high, best) - min(p.low, best)
        is_max = self.trial.optimizer["name"] == "amsgrad"
        v_hat = p.v_max if is_max else p.v * self.steps.v_hat_factor(T)
        return Quantities(
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
        """Everything the player needs to go on from here."""
        own = {name: getattr(self, name) for name in ("sum", "squares", "largest")}
        return {"point": dict(vars(self.point)), **own}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up what :meth:`state` left."""
        self.point = Point(**state["point"])
        self.sum, self.squares, self.largest = (
            state[name] for name in ("sum", "squares", "largest")
        )
