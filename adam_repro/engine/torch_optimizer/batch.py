"""Trials of optimizers by import path in one batch: their gradients are computed together."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import ClassVar

import torch
from torch import Tensor, nn

from adam_repro.config.trial import Trial
from adam_repro.engine.optimizer_step import OptimizerStep
from adam_repro.engine.parameter_layout import ParameterLayout
from adam_repro.engine.protocol import TrainApartError
from adam_repro.engine.torch_optimizer.global_draws import States, read, write
from adam_repro.engine.torch_optimizer.resume import ResumeCheck
from adam_repro.engine.torch_optimizer.trial import Evaluated, ForeignTrial, norms
from adam_repro.engine.trial_groups import BatchedTrials, Count, Measured, Noise
from adam_repro.tasks import Batch, Task


class ForeignBatch(BatchedTrials):
    """Trials of one seed. Each of ``members`` steps on its row of theta, with its row of the gradient.

    ``make_model``: a model of the task with the initial weights of a seed. A member whose step evaluates
    the minibatch again does so by itself, with its own model.

    Code that keeps something in its class or module would mix the trials. So a trial alone takes the first
    steps beside the last member.

    Raises:
        TrainApartError: at one of those steps, which differed.
    """

    def __init__(
        self,
        trials: Sequence[Trial],
        task: Task,
        make_model: Callable[[int], nn.Module],
        layout: ParameterLayout,
    ) -> None:
        self.make_model = make_model
        super().__init__(trials, task, make_model(trials[0].seed), layout)
        self.draws = MemberDraws(self.members, self.theta.device)
        self.tried = len(trials) == 1

    def _optimizers(self) -> list[tuple[int, int, OptimizerStep]]:
        rows = self.theta.split(1)
        self.members = [
            ForeignTrial(trial, self.task, self.make_model(trial.seed), self.layout, theta=row)
            for trial, row in zip(self.trials, rows, strict=True)
        ]
        return [(i, i + 1, member.update) for i, member in enumerate(self.members)]

    def start_epoch(self, rows: int) -> None:
        super().start_epoch(rows)
        self.draws.start_epoch()
        if not self.tried:
            self.tried = True
            self._follow(self.members[-1])
        for i, member in enumerate(self.members):
            with self.draws.of(i):
                member.start_epoch(rows)

    def _follow(self, member: ForeignTrial) -> None:
        def report(flaw: str) -> None:
            if flaw:
                raise TrainApartError(flaw)

        state = {
            "epoch": member.update.epoch_number,
            "theta": member.theta[0].clone(),
            "optimizer": copy.deepcopy(member.state(0)),
        }
        ResumeCheck.begin(member, self.make_model(member.trials[0].seed), state, report)

    def end_epoch(self) -> None:
        for member in self.members:
            member.end_epoch()

    def step(self, batch: Batch, noise: Noise, weight: Tensor, t: Count, cycle: Count) -> Measured:
        measured, found = self._gradients(batch, noise, weight)
        with torch.no_grad():
            flat = self._penalise(found, self.theta_segments)
            norm = norms(flat)
            self.gradients = self._clip(flat)
        if self.max_norm is None:
            self.norm = norm
        assert self.norm is not None
        for i, member in enumerate(self.members):
            with self.draws.of(i):
                if member.reevaluates:
                    member.step(batch, noise, weight, t, cycle)
                    continue
                own = Measured(measured.costs[i : i + 1], None)
                parts = member.by_parameter([part[i] for part in self.gradients])
                evaluated = Evaluated(own, parts, self.norm[i : i + 1])
                member.finish_step(evaluated, [], batch, noise, weight, t, cycle)
        return measured

    def stepsizes(self) -> list[float | None]:
        return [member.update.stepsize() for member in self.members]

    def evaluations(self) -> list[int | None]:
        return [count for member in self.members for count in member.evaluations()]


class MemberDraws:
    """The global generators, which go on for each member as if it were alone.

    Members of one seed begin an epoch with the same states, and few draw at all: the states are written
    where the last member left others than the next one needs. ``present``: what they are now.
    """

    present: ClassVar[States | None] = None

    def __init__(self, members: Sequence[ForeignTrial], device: torch.device) -> None:
        self.members, self.device = members, device
        self.states: list[States] = []

    def start_epoch(self) -> None:
        """Begin with the states of the members' optimizers."""
        found = [member.update.draws for member in self.members]
        given = [one for one in found if one is not None]
        assert len(given) == len(self.members), "`epoch` has read them"
        first = given[0]
        self.states = [first if one.equal(first) else one for one in given]
        MemberDraws.present = None

    @contextmanager
    def of(self, member: int) -> Iterator[None]:
        """Within the block the generators are those of ``member``."""
        states = self.states[member]
        if MemberDraws.present is not states:
            write(states, self.device)
        yield
        after = read(self.device)
        MemberDraws.present = self.states[member] = states if after.equal(states) else after
