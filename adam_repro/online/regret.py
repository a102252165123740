"""Task `regret`: an optimizer on a stream of convex costs, its regret, and the bound on it.

    R(T) = sum_{t=1}^T f_t(theta_t) - min_theta sum_{t=1}^T f_t(theta),   theta in [-r, r]^d

An epoch ends at a milestone; its row holds R(T) and the bound after the T rounds so far. Milestones
are evenly spaced in log T. theta_1 = 0. Every step ends with the projection onto the box. For a box
and one stepsize per coordinate, the projection is clipping in every norm that the proofs use.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

from adam_repro.config.trial import Trial
from adam_repro.config.validate import Range
from adam_repro.engine.protocol import OnStep, Row, TrialStack, check_state
from adam_repro.errors import UserError
from adam_repro.online import bounds, comparator, cost_streams, step_scalars
from adam_repro.online.bound_accumulator import BoundAccumulator
from adam_repro.online.comparator import Comparator
from adam_repro.optim import OPTIMIZERS
from adam_repro.optim.rule import init_state, update_in_blocks
from adam_repro.tasks.base import option


def check(trial: Trial) -> None:
    """Validate the settings of a trial of this task.

    Raises:
        UserError: naming the option, its value and what is legal.
    """
    step_scalars.check(trial, tuple(OPTIMIZERS), ("data", "radius"))
    step_scalars.check_rounds(trial)
    option(trial.task, "radius", Range(ge=1e-6))


class RegretStack(TrialStack):
    """Trials on one cost stream; they share the comparator."""

    epoch_steps = 1  # the progress bar counts milestones

    def __init__(self, trials: Sequence[Trial]) -> None:
        self.trials = list(trials)
        one = self.trials[0]
        self.rounds = step_scalars.milestones(one.task["rounds"], one.epochs)
        self.radius = float(one.task["radius"])
        self.stream = cost_streams.build(one, one.task["rounds"])
        self.learners = {trial.identity: OnlineLearner(trial, self.stream) for trial in trials}
        self.best = np.zeros(self.stream.d)
        self.epoch = 0
        self.evaluating = 0.0  # no separate evaluation

    def train_epoch(self, on_step: OnStep) -> dict[str, Row]:
        """Run to the next milestone; return a row for every trial, by identity."""
        start = self.rounds[self.epoch - 1] if self.epoch else 0
        end = self.rounds[self.epoch]
        try:
            with comparator.one_blas_thread():
                for learner in self.learners.values():
                    learner.play(start, end)
                found = comparator.solve(self.stream.objective(end), self.radius, self.best)
        except ArithmeticError as error:
            raise UserError(
                f"task.radius={self.radius:g}: the best fixed point of the first {end} costs was not "
                f"found ({error}); choose a smaller radius, or more rounds"
            ) from None
        self.best = found.theta
        rows = {
            identity: {"epoch": self.epoch, **learner.row(end, found)}
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
        best = torch.from_numpy(self.best.copy())
        return {"epoch": self.epoch, "best": best, **self.learners[identity].state()}

    def restore(self, identity: str, state: Mapping[str, Any]) -> None:
        """Load the state of one trial, as :meth:`state` returned it."""
        check_state(state, self.state(identity))
        self.epoch = state["epoch"]
        self.best = state["best"].numpy().copy()
        self.learners[identity].restore(state)


class OnlineLearner:
    """One optimizer on a cost stream."""

    def __init__(self, trial: Trial, stream: cost_streams.CostStream) -> None:
        self.trial, self.stream = trial, stream
        self.step_scalars = step_scalars.StepScalars(trial)
        self.radius = float(trial.task["radius"])
        self.theta = torch.zeros(stream.d, dtype=torch.float64)
        self.slots = SimpleNamespace(**init_state(self.step_scalars.method, self.theta))
        self.accumulator = BoundAccumulator(stream.d, self.step_scalars)
        self.total_cost = 0.0  # sum of f_t(theta_t)
        self.grad_norm = 0.0  # of the last gradient
        self.alpha_t = 0.0

    @torch.no_grad()
    def play(self, start: int, end: int) -> None:
        """Run rounds ``start`` .. ``end`` - 1 (from 0)."""
        prepared = self.step_scalars.prepared(start + 1, end - start)
        stepsizes = self.step_scalars.stepsizes(start + 1, end - start)
        theta = self.theta.numpy()  # shares memory with self.theta
        for t, scalars, alpha_t in zip(range(start, end), prepared, stepsizes, strict=True):
            cost, gradient = self.stream.cost_and_gradient(t, theta)
            self.total_cost += cost
            g = torch.from_numpy(np.ascontiguousarray(gradient))
            self.accumulator.before_step(self.theta, g)
            update_in_blocks(self.step_scalars.method, self.theta, g, self.slots, scalars)
            self.theta.clamp_(-self.radius, self.radius)
            self.accumulator.after_step(self.slots, t + 1, alpha_t)
        self.grad_norm, self.alpha_t = float(g.norm()), alpha_t

    def row(self, rounds: int, best: Comparator) -> Row:
        """The columns of metrics.csv after ``rounds`` rounds."""
        q = self.accumulator.bound_inputs(self.slots, rounds, torch.from_numpy(best.theta))
        regret = self.total_cost - rounds * best.cost
        return {
            "step": rounds,
            "examples": rounds * self.trial.batch_size,
            "train_cost": self.total_cost / rounds,
            "stepsize": self.alpha_t,
            "grad_norm": self.grad_norm,
            **metric_columns(self.trial, q, regret),
            "comparator_cost": best.cost,
            "comparator_slope": best.slope,
            "comparator_gap": best.gap,
            "falls": self.accumulator.falls,
        }

    def state(self) -> dict[str, Any]:
        """The contents of a checkpoint."""
        return {
            "theta": self.theta.clone(),
            "slots": {name: slot.clone() for name, slot in vars(self.slots).items()},
            "ledger": self.accumulator.state(),
            "paid": self.total_cost,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Load what :meth:`state` returned."""
        self.theta.copy_(state["theta"])
        for name, slot in vars(self.slots).items():
            slot.copy_(state["slots"][name])
        self.accumulator.restore(state["ledger"])
        self.total_cost = state["paid"]


def metric_columns(trial: Trial, q: bounds.BoundInputs, regret: float) -> Row:
    """The columns for R(T), the bound of the trial's optimizer, its terms and their inputs."""
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
