"""Training with the Sum-of-Functions Optimizer, which chooses its own minibatches.

Its trials therefore cannot be stacked: each is a stack of its own. A *subfunction* is the mean cost of a
fixed part of the training set, plus the L2 term.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from adam_repro import random_streams
from adam_repro.config import validate
from adam_repro.config.trial import Trial, hyperparameters
from adam_repro.engine.minibatches import DeviceData
from adam_repro.engine.parameter_layout import ParameterLayout
from adam_repro.engine.protocol import OnStep, Row, Stopwatch, TrialStack, check_state
from adam_repro.engine.stack import evaluate
from adam_repro.engine.trial_groups import SingleTrial
from adam_repro.errors import UserError
from adam_repro.optim.sfo import SFO
from adam_repro.tasks import Task, own_columns

# Examples per forward pass of a subfunction, so that convolutions stay within memory.
CHUNK = 500
#: What becomes of a task's random draws: a cost that has any is refused, or they are drawn anew at
#: every evaluation (the paper's dropout), or once for each example (what SFO's author advises).
DRAWS = ("refuse", "fresh", "frozen")


def check(trial: Trial, task: Task) -> None:
    """Refuse what SFO cannot train, with the reason.

    Raises:
        UserError: for a cost with random draws (dropout, latents) unless ``optimizer.draws`` says
            what to do with them, averaging, or a schedule.
    """
    name, draws = trial.task["name"], _draws(trial)
    validate.check("optimizer.draws", draws, validate.Choice(*DRAWS))
    if task.stochastic and draws == "refuse":
        dropout = {key: 0.0 for key in trial.task if key.startswith("dropout")}
        remedy = " ".join(f"task.{key}=0" for key in dropout)
        raise UserError(
            f"optimizer=sfo: the cost of task={name} has random draws (dropout or latents), and SFO "
            "models deterministic subfunctions: with noise its quadratic models are wrong (section "
            f"6.2). {f'Set {remedy}' if remedy else 'Take logreg or mlp_deterministic'}, or add "
            "+optimizer.draws=frozen (drawn once for each example) or fresh (to see it fail)"
        )
    if trial.averaging["name"] != "none":
        raise UserError(f"averaging={trial.averaging['name']}: not with optimizer=sfo; use none")
    counted = trial.task.get("cost_examples")
    if counted is not None:
        raise UserError(
            f"task.cost_examples={counted}: not with optimizer=sfo, which chooses its own order; use null"
        )
    if trial.schedule != "constant":
        raise UserError(f"schedule={trial.schedule}: SFO has no stepsize; use constant")
    if trial.clip_norm is not None:
        raise UserError(f"clip_norm={trial.clip_norm}: SFO uses the gradient as it is; use null")
    if task.initial_state(1, torch.device("cpu")):
        raise UserError(
            f"optimizer=sfo: task={name} carries a state from minibatch to minibatch, and SFO chooses "
            "their order; use another optimizer"
        )


class SFOStack(TrialStack):
    """One SFO trial, epoch by epoch: an epoch is one pass, as many evaluations as subfunctions."""

    def __init__(self, trial: Trial, task: Task, data: DeviceData) -> None:
        self.trials = [trial]
        self.task = task
        self.test = data.test
        self.train = train = data.train
        self.epoch = 0
        settings = hyperparameters(trial.optimizer)
        self.n = settings.pop("n_subfunctions")
        settings.pop("draws", None)
        if isinstance(self.n, int) and self.n > train.n:
            raise UserError(
                f"optimizer.n_subfunctions={self.n}: the training set has {train.n} examples"
            )
        model = task.initial_model(trial.seed).to(train.targets.device)
        self.layout = ParameterLayout(model)
        self.weights_at_once = self.layout.size
        # Only the forward pass of the group is used; its own optimizer never steps.
        stand_in = {"name": "sgd", "lr": 1.0}
        self.group = SingleTrial(replace(trial, optimizer=stand_in), task, model, self.layout)
        seed = random_streams.stream_seed(trial.seed, "sfo")
        self.sfo = SFO(self._evaluate, self.group.theta[0], self.n, seed, **settings)
        self.costs: list[float] = []
        self.wrong: list[float] = []
        self.norm = math.nan
        self.on_step: OnStep = lambda: None
        source = random_streams.generator(trial.seed, "order", 0)
        order = torch.randperm(train.n, generator=source)
        self.parts = train.permuted(order)

    @property
    def epoch_steps(self) -> int:
        """Evaluations of an epoch."""
        return self.n

    def _evaluate(self, theta: Tensor, i: int) -> tuple[float, Tensor]:
        """Value and gradient [M] of subfunction ``i`` at ``theta`` [M], L2 term included."""
        group = self.group
        with torch.no_grad():
            group.theta[0].copy_(theta)
        gradient = torch.zeros_like(group.theta[0])
        start, stop = (self.train.n * k // self.n for k in (i, i + 1))
        # Frozen draws come from one stream for each subfunction, the same whenever it is evaluated.
        frozen = _draws(self.trials[0]) == "frozen"
        number = i if frozen else self.sfo.evaluations
        draws = random_streams.generator(self.trials[0].seed, "noise", number, gradient.device)
        cost = wrong = 0.0
        for first in range(start, stop, CHUNK):
            batch = self.parts.batch(first, min(first + CHUNK, stop))
            noise = self.task.noise(batch, draws)
            costs, errors, pieces = group.value_and_gradient(batch, noise, 1.0 / (stop - start))
            gradient += torch.cat(pieces)
            cost += float(costs.double().sum()) / (stop - start)
            wrong += 0.0 if errors is None else float(errors.sum()) / (stop - start)
        penalty = 0.0
        if group.l2 is not None:
            for segment, l2 in zip(self.layout.segments, group.l2, strict=True):
                theta = group.theta[0, segment.start : segment.stop]
                gradient[segment.start : segment.stop] += l2 * theta
                penalty += 0.5 * float((l2 * theta.square()).double().sum())
        self.costs.append(cost)
        self.wrong.append(wrong)
        self.norm = float(gradient.norm())
        self.on_step()
        return cost + penalty, gradient

    def train_epoch(self, on_step: OnStep) -> dict[str, Row]:
        """One pass; the training cost is the mean of the subfunctions as evaluated, without L2."""
        self.on_step, self.costs, self.wrong = on_step, [], []
        trial = self.trials[0]
        try:
            self.sfo.run(passes=1)
            cost = sum(self.costs) / len(self.costs)
        except FloatingPointError:
            cost = math.nan
        with torch.no_grad():
            self.group.theta[0].copy_(self.sfo.theta)
        row: Row = {
            "epoch": self.epoch,
            "step": self.sfo.evaluations,
            "examples": self.sfo.evaluations * self.train.n // self.n,
            "train_cost": cost,
            "grad_norm": self.norm,
        }
        watch = Stopwatch()
        self._evaluations(row)
        self.evaluating = watch.lap()
        self.epoch += 1
        return {trial.identity: row}

    def _evaluations(self, row: Row) -> None:
        trial = self.trials[0]
        found = evaluate(self.group, self.group.theta, self.test)
        row["test_cost"] = found.cost[0]
        if found.error is not None:
            row["test_error"] = found.error[0]
            row["train_error"] = sum(self.wrong) / len(self.wrong)
        every = trial.eval_train_every
        if every and (self.epoch + 1) % every == 0:
            whole = evaluate(self.group, self.group.theta, self.train)
            row["eval_train_cost"] = whole.cost[0]
        row |= {name: values[0] for name, values in found.own.items()}
        row |= own_columns.row_metrics(self.task, row)

    def state(self, identity: str) -> dict[str, Any]:
        """Everything the trial needs to go on from here."""
        return {"epoch": self.epoch, "sfo": self.sfo.state_dict()}

    def restore(self, identity: str, state: Mapping[str, Any]) -> None:
        """Take up the trial where :meth:`state` left it."""
        expected = self.sfo.state_dict()
        del expected["basis"]  # it grows with the subspace
        check_state(state["sfo"], expected, "sfo")
        check_state(state["sfo"]["basis"][:0], self.sfo.subspace.basis[:0], "sfo['basis']")
        self.epoch = state["epoch"]
        self.sfo.load_state_dict(state["sfo"])


def _draws(trial: Trial) -> str:
    return str(trial.optimizer.get("draws", DRAWS[0]))
