"""A stack: trials of one task, trained together, epoch by epoch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from typing import Any, NamedTuple

import torch
from torch import Tensor

from adam_repro import random_streams
from adam_repro.config.trial import Trial
from adam_repro.engine import own_task
from adam_repro.engine.batching_policy import batched, max_stack_size
from adam_repro.engine.cuda_graph import make_loop
from adam_repro.engine.epoch_loop import EpochLoop, LoopParts, SeedTrials
from adam_repro.engine.minibatches import BatchSampler, DeviceData, DeviceDataset
from adam_repro.engine.parameter_layout import ParameterLayout
from adam_repro.engine.protocol import (
    OnStep,
    Row,
    Stopwatch,
    TrainApartError,
    TrialStack,
    check_state,
)
from adam_repro.engine.torch_optimizer.batch import ForeignBatch
from adam_repro.engine.torch_optimizer.resume import ResumeCheck
from adam_repro.engine.torch_optimizer.trial import ForeignTrial
from adam_repro.engine.trial_groups import BatchedTrials, SingleTrial, TrialGroup
from adam_repro.optim import schedules
from adam_repro.optim.averaging import IterateAverage
from adam_repro.tasks import Task, own_columns


class Stack(TrialStack):
    """Trials that differ in their optimizer and their seed only, and everything that they share.

    ``data`` are on the device. Parameters and optimizer states are in the groups, each of which has
    trials of one seed, so that they share weights to begin with, minibatches, masks and latents. All
    trials are at the same epoch.
    """

    def __init__(
        self,
        trials: Sequence[Trial],
        task: Task,
        data: DeviceData,
        engine: str,
    ) -> None:
        """Raises: TrainApartError: trials of optimizers by import path that are not one batch."""
        self.trials = list(trials)
        self.task = task
        self.data = data
        self.device = data.train.targets.device
        if own_task.is_own(task):
            own_task.check(task, data.train, trials[0].batch_size)
        self.seeds = self._seeds(engine)
        self.sampler = self.seeds[0].sampler  # all have the same numbers of steps
        self.loop = self._make_loop()
        self.epoch = 0
        self.weights_at_once = self.layout.size * max(len(group.trials) for group in self.groups)
        self.decoder: torch.nn.Module | None = None

    def _make_loop(self) -> EpochLoop:
        return make_loop(LoopParts(self.task, self.seeds))

    @property
    def groups(self) -> list[TrialGroup]:
        """The groups of all seeds."""
        return [group for one in self.seeds for group in one.groups]

    @property
    def averages(self) -> list[IterateAverage]:
        """The averages of all groups."""
        return [average for one in self.seeds for average in one.averages]

    @property
    def cuda_graph(self) -> bool:
        return self.loop.captured

    @property
    def epoch_steps(self) -> int:
        return self.sampler.epoch_steps

    def _seeds(self, engine: str) -> list[SeedTrials]:
        """The groups of each seed."""
        self.layout = ParameterLayout(self._model(self.trials[0].seed))
        members: dict[int, list[Trial]] = {}
        for trial in self.trials:
            members.setdefault(trial.seed, []).append(trial)
        samplers = {
            seed: BatchSampler(self.data.train, trials[0]) for seed, trials in members.items()
        }
        examples = next(iter(samplers.values())).epoch_examples
        if len(self.trials) > max_stack_size(self.layout.size, examples, self.device):
            raise MemoryError  # and not when it is too late: a CPU's system kills what takes too much
        found = []
        for seed, trials in members.items():
            groups = self._groups(trials, engine)
            averages = [IterateAverage(group.theta, trials[0].averaging) for group in groups]
            found.append(SeedTrials(seed, samplers[seed], groups, averages))
        return found

    def _groups(self, trials: list[Trial], engine: str) -> list[TrialGroup]:
        seed = trials[0].seed
        model = self._model(seed)
        together = batched(trials, engine, self.device, self.task, model)
        if together and own_task.is_own(self.task):
            size = trials[0].batch_size
            together = own_task.takes_vmap(self.task, self.data.train, size, engine)
        foreign = trials[0].optimizer["name"] == "torch"
        if together:
            if foreign:
                return [ForeignBatch(trials, self.task, self._model, self.layout)]
            return [BatchedTrials(trials, self.task, model, self.layout)]
        if foreign and len(self.trials) > 1:
            raise TrainApartError
        return [self._single(trial) for trial in trials]

    def _single(self, trial: Trial) -> SingleTrial:
        kind = ForeignTrial if trial.optimizer["name"] == "torch" else SingleTrial
        return kind(trial, self.task, self._model(trial.seed), self.layout)

    def _model(self, seed: int) -> torch.nn.Module:
        return self.task.initial_model(seed).to(self.device)

    def train_epoch(self, on_step: OnStep) -> dict[str, Row]:
        """Train one epoch; a metrics row for every trial still in the stack, by identity."""
        with ExitStack() as blocks:
            for group in self.groups:
                for optimizer in group.optimizers():
                    blocks.enter_context(optimizer.epoch(self.epoch))
            metrics = self.loop.epoch(self.epoch, on_step)
        for group in self.groups:
            group.end_epoch()
        done = (self.epoch + 1) * self.sampler.epoch_steps
        cycle = (done - 1) // self.sampler.cycle_steps
        columns = {"epoch": self.epoch, "step": done, "examples": done * self.sampler.size}
        rows: dict[str, Row] = {}
        self.evaluating = 0.0
        for group, average, epoch_metrics in zip(self.groups, self.averages, metrics, strict=True):
            means = epoch_metrics.means()  # waits for the device: until here it trains
            watch = Stopwatch()
            measured = {**means, **self._evaluations(group, average.theta(done))}
            decoded = self._decode(group)
            self.evaluating += watch.lap()
            norms, stepsizes = group.grad_norm(), group.stepsizes()
            evaluations = group.evaluations()
            for i, trial in enumerate(group.trials):
                own = {name: values[i] for name, values in measured.items()}
                lr, decay = stepsizes[i], schedules.factor(trial.schedule, done, cycle)
                stepsize = None if lr is None else lr * decay
                counted = {} if evaluations[i] is None else {"evaluations": evaluations[i]}
                row: Row = {
                    **columns,
                    **own,
                    "stepsize": stepsize,
                    "grad_norm": norms[i],
                    **counted,
                }
                row |= decoded[i]
                with own_task.in_its_words(self.task):
                    row |= own_columns.row_metrics(self.task, row)
                if self.epoch == 0:
                    own_columns.check_complete(self.task, row)
                rows[trial.identity] = row
        self.epoch += 1
        return rows

    def _evaluations(self, group: TrialGroup, average: Tensor | None) -> dict[str, list[float]]:
        every = self.trials[0].eval_train_every
        whole = every > 0 and (self.epoch + 1) % every == 0
        columns = self._evaluate(group, group.theta, "", whole)
        if self.data.validation is not None and "validation_cost" in self.task.columns:
            found = evaluate(group, group.theta, self.data.validation)
            every_one = {"cost": found.cost, "error": found.error, **found.own}
            wanted = self.task.columns
            columns |= {
                f"validation_{name}": values
                for name, values in every_one.items()
                if values is not None and f"validation_{name}" in wanted
            }
        if average is not None:
            columns |= self._evaluate(group, average, "average_", whole)
        return columns

    def _evaluate(
        self, group: TrialGroup, theta: Tensor, prefix: str, whole: bool
    ) -> dict[str, list[float]]:
        found = evaluate(group, theta, self.data.test)
        columns = {f"{prefix}test_cost": found.cost}
        if found.error is not None:
            columns[f"{prefix}test_error"] = found.error
        if not prefix:
            columns |= found.own
        if whole:
            whole_set = evaluate(group, theta, self.data.train)
            columns[f"{prefix}eval_train_cost"] = whole_set.cost
        return columns

    @torch.no_grad()
    def _decode(self, group: TrialGroup) -> list[Row]:
        """What the task says of each trial's whole model."""
        if not self.task.decodes:
            return [{}] * len(group.trials)
        if self.decoder is None:
            self.decoder = self._model(self.trials[0].seed).eval()
        found = []
        for theta in group.theta:
            values = self.layout.views(theta)
            for parameter, value in zip(self.decoder.parameters(), values, strict=True):
                parameter.copy_(value)
            at = self.epoch, self.trials[0].epochs
            with own_task.in_its_words(self.task):
                found.append(own_columns.decode(self.task, self.decoder, self.data.dataset, *at))
        return found

    def drop(self, identities: set[str]) -> None:
        """Stop computing trials that have diverged, where they have a group of their own."""
        if identities.issuperset(trial.identity for one in self.groups for trial in one.trials):
            return  # nothing is left to compute, and who looks on may read the last parameters
        count = len(self.groups)
        for one in self.seeds:
            kept = [
                (group, average)
                for group, average in zip(one.groups, one.averages, strict=True)
                if not all(trial.identity in identities for trial in group.trials)
            ]
            one.groups = [group for group, _ in kept]
            one.averages = [average for _, average in kept]
        self.seeds = [one for one in self.seeds if one.groups]
        if len(self.groups) < count:
            self.loop = self._make_loop()

    def state(self, identity: str) -> dict[str, Any]:
        """Everything one trial needs to go on from here."""
        group, average, row = self._place(identity)
        return {
            "epoch": self.epoch,
            "theta": group.theta[row].clone(),
            "optimizer": group.state(row),
            "average": average.state(row),
        }

    def restore(self, identity: str, state: Mapping[str, Any]) -> None:
        """Take up one trial where :meth:`state` left it; all trials of a stack are at one epoch."""
        group, average, row = self._place(identity)
        check_state(state, self.state(identity))
        self.epoch = state["epoch"]
        with torch.no_grad():
            group.theta[row].copy_(state["theta"])
            group.restore(row, state["optimizer"])
            average.restore(row, state["average"])

    def check_resume(
        self, identity: str, state: Mapping[str, Any], report: Callable[[str], None]
    ) -> None:
        """Try beside the next steps whether ``state``, as it was read back, leads to the same ones.

        Only an optimizer by import path needs that. ``report`` is told what is wrong, or an empty text.
        """
        group, _, row = self._place(identity)
        trial = group.members[row] if isinstance(group, ForeignBatch) else group
        assert isinstance(trial, ForeignTrial)
        ResumeCheck.begin(trial, self._model(trial.trials[0].seed), state, report)

    def _place(self, identity: str) -> tuple[TrialGroup, IterateAverage, int]:
        for group, average in zip(self.groups, self.averages, strict=True):
            for row, trial in enumerate(group.trials):
                if trial.identity == identity:
                    return group, average, row
        raise KeyError(identity)


class Evaluation(NamedTuple):
    """Means over a data set, for each trial of a group."""

    cost: list[float]
    error: list[float] | None
    own: dict[str, list[float]]  # the task's own columns


@torch.no_grad()
def evaluate(group: TrialGroup, theta: Tensor, rows: DeviceDataset) -> Evaluation:
    """Mean cost and error of each trial over all ``rows``, without dropout.

    A cost that is itself a Monte-Carlo estimate uses the same draws of the trials' seed at every call.
    """
    draws = random_streams.generator(group.trials[0].seed, "evaluation", 0, theta.device)
    sums: dict[str, Tensor] = {}
    size = group.task.evaluation_batch
    state = group.initial_state(size)
    for batch in rows.batches(size):
        noise = group.task.evaluation_noise(batch, draws)
        measured = group.measure(theta, batch, noise, state)
        state = measured.state
        values = {"cost": measured.costs, "error": measured.errors, **measured.own}
        for name, each in values.items():
            if each is not None:
                parts = each.shape[2:].numel()  # of an example
                total = each.flatten(1).sum(1, dtype=torch.float64) / parts
                sums[name] = sums[name] + total if name in sums else total
    means = {name: (total / rows.n).tolist() for name, total in sums.items()}
    return Evaluation(means.pop("cost"), means.pop("error", None), means)
