"""Task `regret`: a method on a stream of convex costs, its regret, and the bound above it.

    R(T) = sum_{t=1}^T f_t(theta_t) - min_theta sum_{t=1}^T f_t(theta),   theta in [-r, r]^d

An epoch ends at a milestone: its row holds R(T) and the bound after the T rounds so far. Milestones
are spaced evenly in log T. theta_1 = 0, and every step ends with the projection on the box, which for
a box and a method with one stepsize a coordinate is clipping in every norm the proofs use.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

from adam_repro.config.trial import Trial
from adam_repro.config.validate import Range
from adam_repro.engine.protocol import OnStep, Row, TrialStack
from adam_repro.errors import UserError
from adam_repro.online import bounds, comparator, cost_streams, step_scalars
from adam_repro.online.bound_terms import BoundTerms
from adam_repro.online.comparator import Comparator
from adam_repro.optim import OPTIMIZERS
from adam_repro.optim.rule import init_state, update_in_blocks
from adam_repro.tasks.base import option


def check(trial: Trial) -> None:
    """Refuse what this task cannot run.

    Raises:
        UserError: naming the option, its value and what is legal.
    """
    step_scalars.check(trial, tuple(OPTIMIZERS))
    step_scalars.rounds(trial)
    option(trial.task, "radius", Range(ge=1e-6))


class RegretStack(TrialStack):
    """Trials of one stream side by side; the comparator is theirs in common."""

    epoch_steps = 1  # the progress bar counts milestones

    def __init__(self, trials: Sequence[Trial]) -> None:
        self.trials = list(trials)
        one = self.trials[0]
        self.rounds = step_scalars.milestones(one.task["rounds"], one.epochs)
        self.radius = float(one.task["radius"])
        self.stream = cost_streams.build(one, one.task["rounds"])
        self.players = {trial.identity: OnlineLearner(trial, self.stream) for trial in trials}
        self.best = np.zeros(self.stream.d)
        self.epoch = 0
        self.evaluating = 0.0  # nothing is evaluated apart

    def train_epoch(self, on_step: OnStep) -> dict[str, Row]:
        """Play to the next milestone; a row for every trial, by identity."""
        start = self.rounds[self.epoch - 1] if self.epoch else 0
        end = self.rounds[self.epoch]
        for player in self.players.values():
            player.play(start, end)
        try:
            found = comparator.solve(self.stream.first(end), self.radius, self.best)
        except ArithmeticError as error:
            raise UserError(
                f"task.radius={self.radius:g}: the best fixed point of the first {end} costs was not "
                f"found ({error}); choose a smaller radius, or more rounds"
            ) from None
        self.best = found.theta
        rows = {
            identity: {"epoch": self.epoch, **player.row(end, found)}
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
        best = torch.from_numpy(self.best.copy())
        return {"epoch": self.epoch, "best": best, **self.players[identity].state()}

    def restore(self, identity: str, state: Mapping[str, Any]) -> None:
        """Take up one trial where :meth:`state` left it."""
        self.epoch = state["epoch"]
        self.best = state["best"].numpy().copy()
        self.players[identity].restore(state)


class OnlineLearner:
    """One method against the stream."""

    def __init__(self, trial: Trial, stream: cost_streams.Stream) -> None:
        self.trial, self.stream = trial, stream
        self.steps = step_scalars.Steps(trial)
        self.radius = float(trial.task["radius"])
        self.theta = torch.zeros(stream.d, dtype=torch.float64)
        self.slots = SimpleNamespace(**init_state(self.steps.method, self.theta))
        self.ledger = BoundTerms(stream.d, self.steps)
        self.paid = 0.0  # sum of f_t(theta_t)
        self.norm = 0.0  # of the last gradient
        self.alpha_t = 0.0

    @torch.no_grad()
    def play(self, start: int, end: int) -> None:
        """Rounds ``start`` .. ``end`` - 1 (from 0)."""
        prepared = self.steps.prepared(start + 1, end - start)
        stepsizes = self.steps.stepsizes(start + 1, end - start)
        theta = self.theta.numpy()  # the same memory
        for t, scalars, alpha_t in zip(range(start, end), prepared, stepsizes, strict=True):
            cost, gradient = self.stream.round(t, theta)
            self.paid += cost
            g = torch.from_numpy(np.ascontiguousarray(gradient))
            self.ledger.before(self.theta, g)
            update_in_blocks(self.steps.method, self.theta, g, self.slots, scalars)
            self.theta.clamp_(-self.radius, self.radius)
            self.ledger.after(self.slots, t + 1, alpha_t)
        self.norm, self.alpha_t = float(g.norm()), alpha_t

    def row(self, rounds: int, best: Comparator) -> Row:
        """The columns of metrics.csv after ``rounds`` rounds."""
        q = self.ledger.quantities(self.slots, rounds, torch.from_numpy(best.theta))
        regret = self.paid - rounds * best.cost
        return {
            "step": rounds,
            "examples": rounds * self.trial.batch_size,
            "train_cost": self.paid / rounds,
            "stepsize": self.alpha_t,
            "grad_norm": self.norm,
            **columns(self.trial, q, regret),
            "comparator_cost": best.cost,
            "comparator_slope": best.slope,
            "comparator_gap": best.gap,
            "falls": self.ledger.falls,
        }

    def state(self) -> dict[str, Any]:
        """Everything the player needs to go on from here."""
        return {
            "theta": self.theta.clone(),
            "slots": {name: slot.clone() for name, slot in vars(self.slots).items()},
            "ledger": self.ledger.state(),
            "paid": self.paid,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up what :meth:`state` left."""
        self.theta.copy_(state["theta"])
        for name, slot in vars(self.slots).items():
            slot.copy_(state["slots"][name])
        self.ledger.restore(state["ledger"])
        self.paid = state["paid"]


def columns(trial: Trial, q: bounds.Quantities, regret: float) -> Row:
    """R(T), the bound of the trial's method, and what it is made of."""
    terms = bounds.terms(
        dict(trial.optimizer),
        trial.schedule,
        trial.task["beta1_decay"],
        trial.task["growing_beta2"],
        q,
    )
    return {
        "regret": regret,
        "average_regret": regret / q.T,
        "bound": terms and terms.total,
        "bound_distance": terms and terms.distance,
        "bound_gradients": terms and terms.gradients,
        "bound_decay": terms and terms.decay,
        "d_2": q.D,
        "d_inf": q.D_inf,
        "g_2": q.G,
        "g_inf": q.G_inf,
        "sum_root_v_hat": q.sum_root_v_hat,
        "sum_gradient_norms": q.sum_gradient_norms,
    }
