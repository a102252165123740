"""The training loop: a stack of trials of one task and one seed, epoch by epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from adam_repro import random_streams
from adam_repro.config.trial import Trial
from adam_repro.engine import schedule
from adam_repro.engine.averages import Average
from adam_repro.engine.capture import runner
from adam_repro.engine.choose import batched, longest
from adam_repro.engine.feed import Feed, Rows
from adam_repro.engine.foreign import ForeignUpdate
from adam_repro.engine.lanes import Batched, Lane, Single
from adam_repro.engine.layout import Layout
from adam_repro.engine.protocol import OnStep, Row, Stopwatch
from adam_repro.engine.steps import Runner, Work
from adam_repro.tasks import Task

EVALUATION_BATCH = 1000


class Stack:
    """Trials that differ in their optimizer only, with everything they share.

    ``train`` and ``test`` are the data on the device; parameters, optimizer state and averages live
    in the lanes. The epochs of all trials go in step.
    """

    def __init__(
        self, trials: Sequence[Trial], task: Task, train: Rows, test: Rows, engine: str
    ) -> None:
        self.trials = list(trials)
        self.task = task
        self.train, self.test = train, test
        self.device = train.targets.device
        self.feed = Feed(train, trials[0])
        self.lanes: list[Lane] = self._lanes(engine)
        self.averages = [Average(lane) for lane in self.lanes]
        self.runner = self._runner()
        self.epoch = 0
        self.evaluating = 0.0  # seconds of the last epoch that went into evaluations

    def _runner(self) -> Runner:
        seed = self.trials[0].seed
        return runner(Work(self.task, self.feed, self.lanes, self.averages, seed))

    @property
    def captured(self) -> bool:
        """Whether the steps are replayed from a CUDA graph."""
        return self.runner.captured

    @property
    def epoch_steps(self) -> int:
        """Minibatches of an epoch."""
        return self.feed.epoch_steps

    @property
    def weights_at_once(self) -> int:
        """Parameters of all trials that are computed together."""
        return self.layout.size * max(len(lane.trials) for lane in self.lanes)

    def _lanes(self, engine: str) -> list[Lane]:
        def model() -> torch.nn.Module:
            source = random_streams.generator(self.trials[0].seed, "init")
            return self.task.model(source).to(self.device)

        first = model()
        self.layout = Layout(first)
        convolutions = any(isinstance(part, torch.nn.Conv2d) for part in first.modules())
        examples = self.feed.epoch_steps * self.feed.size
        if len(self.trials) > longest(self.layout.size, examples, self.device):
            raise MemoryError  # and not when it is too late: a CPU's system kills what takes too much
        if batched(self.trials, engine, self.device, self.layout.size, convolutions):
            return [Batched(self.trials, self.task, model(), self.layout)]
        return [Single(trial, self.task, model(), self.layout) for trial in self.trials]

    def train_epoch(self, on_step: OnStep) -> dict[str, Row]:
        """Train one epoch; a metrics row for every trial still in the stack, by identity."""
        rules = [rule for lane in self.lanes for rule in lane.rules()]
        foreign = [rule for rule in rules if isinstance(rule, ForeignUpdate)]
        for rule in foreign:
            rule.begin(self.epoch)
        meters = self.runner.epoch(self.epoch, on_step)
        for rule in foreign:
            rule.rest()
        done = (self.epoch + 1) * self.feed.epoch_steps
        cycle = (done - 1) // self.feed.cycle_steps
        columns = {"epoch": self.epoch, "step": done, "examples": done * self.feed.size}
        rows = {}
        self.evaluating = 0.0
        for lane, average, meter in zip(self.lanes, self.averages, meters, strict=True):
            means = meter.means()  # waits for the device: what it does until here is training
            watch = Stopwatch()
            measured = {**means, **self._evaluations(lane, average.theta(done))}
            self.evaluating += watch.lap()
            for i, (trial, norm) in enumerate(zip(lane.trials, lane.grad_norm(), strict=True)):
                own = {name: values[i] for name, values in measured.items()}
                stepsize = trial.optimizer["lr"] * schedule.factor(trial.schedule, done, cycle)
                rows[trial.identity] = {**columns, **own, "stepsize": stepsize, "grad_norm": norm}
        self.epoch += 1
        return rows

    def _evaluations(self, lane: Lane, average: Tensor | None) -> dict[str, list[float]]:
        every = self.trials[0].eval_train_every
        whole = every > 0 and (self.epoch + 1) % every == 0
        columns = self._evaluate(lane, lane.theta, "", whole)
        if average is not None:
            columns |= self._evaluate(lane, average, "average_", whole)
        return columns

    def _evaluate(
        self, lane: Lane, theta: Tensor, prefix: str, whole: bool
    ) -> dict[str, list[float]]:
        cost, error = evaluate(lane, theta, self.test, self.trials[0].seed)
        columns = {f"{prefix}test_cost": cost}
        if error is not None:
            columns[f"{prefix}test_error"] = error
        if whole:
            cost, _ = evaluate(lane, theta, self.train, self.trials[0].seed)
            columns[f"{prefix}eval_train_cost"] = cost
        return columns

    def drop(self, identities: set[str]) -> None:
        """Stop computing trials that have diverged, where they have a lane of their own."""
        kept = [
            (lane, average)
            for lane, average in zip(self.lanes, self.averages, strict=True)
            if not all(trial.identity in identities for trial in lane.trials)
        ]
        if kept and len(kept) < len(self.lanes):
            self.lanes = [lane for lane, _ in kept]
            self.averages = [average for _, average in kept]
            self.runner = self._runner()

    def state(self, identity: str) -> dict[str, Any]:
        """Everything one trial needs to go on from here."""
        lane, average, row = self._place(identity)
        return {
            "epoch": self.epoch,
            "theta": lane.theta[row].clone(),
            "optimizer": lane.state(row),
            "average": average.state(row),
        }

    def restore(self, identity: str, state: Mapping[str, Any]) -> None:
        """Take up one trial where :meth:`state` left it; all trials of a stack are at one epoch."""
        lane, average, row = self._place(identity)
        self.epoch = state["epoch"]
        with torch.no_grad():
            lane.theta[row].copy_(state["theta"])
            lane.restore(row, state["optimizer"])
            average.restore(row, state["average"])

    def _place(self, identity: str) -> tuple[Lane, Average, int]:
        for lane, average in zip(self.lanes, self.averages, strict=True):
            for row, trial in enumerate(lane.trials):
                if trial.identity == identity:
                    return lane, average, row
        raise KeyError(identity)


@torch.no_grad()
def evaluate(
    lane: Lane, theta: Tensor, rows: Rows, seed: int
) -> tuple[list[float], list[float] | None]:
    """Mean cost and error of each trial over all ``rows``, without dropout.

    A cost that is itself a Monte-Carlo estimate uses the same draws at every call.
    """
    draws = random_streams.generator(seed, "evaluation", 0, theta.device)
    costs = torch.zeros(len(lane.trials), dtype=torch.float64, device=theta.device)
    wrong = torch.zeros_like(costs)
    classified = False
    for batch in rows.batches(EVALUATION_BATCH):
        noise = lane.task.evaluation_noise(batch, draws)
        measured = lane.measure(theta, batch, noise)
        costs += measured.costs.sum(1, dtype=torch.float64)
        if measured.errors is not None:
            classified = True
            wrong += measured.errors.sum(1)
    mean_cost = (costs / rows.n).tolist()
    return mean_cost, (wrong / rows.n).tolist() if classified else None
