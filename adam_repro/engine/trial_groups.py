"""Trials that are computed together: one alone, or all of a stack as one batch.

``SingleTrial`` calls the model of its one trial directly. ``BatchedTrials`` computes all trials of a
stack at once, through ``torch.func.vmap`` over the trial axis. The epoch loop gives every group the same
minibatch and the same random draws.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from itertools import groupby
from types import MappingProxyType
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from adam_repro.config.trial import Trial, hyperparameters
from adam_repro.engine.linear_gradient import LinearGradient
from adam_repro.engine.optimizer_step import OptimizerStep, RuleStep
from adam_repro.engine.parameter_layout import ParameterLayout
from adam_repro.kernels import linear, lstm
from adam_repro.optim import OPTIMIZERS, clipping
from adam_repro.optim.schedules import factor
from adam_repro.tasks import Batch, Task, own_columns

Noise = tuple[Tensor | None, ...]
Count = int | Tensor
State = tuple[Tensor, ...]  # recurrent: what a model carries from minibatch to minibatch


class Measured(NamedTuple):
    """Results of a forward pass: the cost [S, n] of each example, and whether it is misclassified.

    Costs of the parts of each example are [S, n, ...].
    """

    costs: Tensor
    errors: Tensor | None
    own: Mapping[str, Tensor] = MappingProxyType({})  # the task's own columns, [S, n] each
    state: State = ()  # the recurrent state after the minibatch, [S, ...] each


class TrialGroup(ABC):
    """Trials computed together; ``theta`` [S, P] holds their parameters, those of ``model`` to begin with."""

    def __init__(
        self,
        trials: Sequence[Trial],
        task: Task,
        model: nn.Module,
        layout: ParameterLayout,
        alone: bool,
        theta: Tensor | None = None,
    ) -> None:
        self.trials = list(trials)
        self.task = task
        self.layout = layout
        self.model = model
        self.linear = LinearGradient.of(task, model, layout, alone)
        start = layout.flatten(model)
        self.theta = start.repeat(len(self.trials), 1) if theta is None else theta
        self.l2 = layout.weight_decay(task.l2, start.device)
        self.max_norm = clipping.limits([trial.clip_norm for trial in trials], start.device)
        self.gradients: list[Tensor] = []
        self.norm: Tensor | None = None  # of the last gradient before it was clipped, [S]
        self.carried: State = ()

    @abstractmethod
    def step(self, batch: Batch, noise: Noise, weight: Tensor, t: Count, cycle: Count) -> Measured:
        """One training step. ``weight`` [n] is 1/n each; ``t`` counts from 1, ``cycle`` from 0.

        Counts are whole numbers, or 0-dim float64 tensors where the device counts for itself.
        """

    def start_epoch(self, rows: int) -> None:
        """Begin the recurrent state anew, for minibatches of so many rows.

        Its tensors stay where they are, as a step that is recorded on a GPU demands.
        """
        first = self.initial_state(rows)
        if not self.carried:
            self.carried = first
        for state, value in zip(self.carried, first, strict=True):
            state.copy_(value)

    def end_epoch(self) -> None:  # noqa: B027 - optional
        """Called after the steps of an epoch."""

    def initial_state(self, rows: int) -> State:
        """The recurrent state of every trial before the first minibatch, [S, ...] each."""
        state = self.task.initial_state(rows, self.theta.device)
        return tuple(one.repeat(len(self.trials), *[1] * one.ndim) for one in state)

    def measure(self, theta: Tensor, batch: Batch, noise: Noise, state: State = ()) -> Measured:
        """Costs and errors of the parameters ``theta`` [S, P] on a batch, without a gradient."""
        if self.linear is not None and not self.task.columns:
            return Measured(*self.linear.measure(theta, batch)[:2])
        return self._call(theta, batch, noise, state)

    @abstractmethod
    def optimizers(self) -> list[OptimizerStep]:
        """The optimizers of the group's trials."""

    @abstractmethod
    def state(self, row: int) -> dict[str, Any]:
        """The state of one trial's optimizer."""

    @abstractmethod
    def restore(self, row: int, state: Mapping[str, Any]) -> None:
        """Take up the state of one trial's optimizer."""

    @abstractmethod
    def _call(self, theta: Tensor, batch: Batch, noise: Noise, state: State) -> Measured:
        """Costs and errors by calling the model."""

    @abstractmethod
    def _differentiate(
        self, batch: Batch, noise: Noise, weight: Tensor
    ) -> tuple[Measured, list[Tensor]]:
        """The result of :meth:`_gradients`, by autograd."""

    def _gradients(
        self, batch: Batch, noise: Noise, weight: Tensor
    ) -> tuple[Measured, list[Tensor]]:
        """Costs and errors, and every trial's gradient of sum(weight * costs), one tensor a segment."""
        if self.linear is not None:
            costs, errors, gradients = self.linear.step(self.theta, batch, weight)
            return Measured(costs, errors), gradients
        measured, gradients = self._differentiate(batch, noise, weight)
        for carried, state in zip(self.carried, measured.state, strict=True):
            carried.copy_(state)
        return measured, gradients

    def grad_norm(self) -> list[float]:
        """Euclidean norm of each trial's last gradient, the L2 term included, before clipping."""
        if self.norm is not None:
            return self.norm.tolist()
        squares = [g.reshape(len(self.trials), -1).double().square().sum(1) for g in self.gradients]
        return torch.stack(squares).sum(0).sqrt().tolist()

    def stepsizes(self) -> list[float | None]:
        """The stepsize of each trial before its schedule; ``None`` where it has none."""
        return [trial.optimizer["lr"] for trial in self.trials]

    def evaluations(self) -> list[int | None]:
        """Gradients of minibatches so far of each trial whose steps may compute several; else ``None``."""
        return [None] * len(self.trials)

    def _clip(self, gradients: list[Tensor]) -> list[Tensor]:
        """Clip each trial's gradient in place."""
        if self.max_norm is not None:
            rows = [gradient.view(len(self.trials), -1) for gradient in gradients]
            self.norm = clipping.clip_(rows, self.max_norm)
        return gradients

    def _penalise(self, gradients: list[Tensor], theta: list[Tensor]) -> list[Tensor]:
        if self.l2 is not None:
            for gradient, parameters, l2 in zip(gradients, theta, self.l2, strict=True):
                if isinstance(l2, Tensor):
                    gradient.addcmul_(parameters, l2)
                elif l2:
                    gradient.add_(parameters, alpha=l2)
        return gradients

    def _segments(self, flat: Tensor) -> list[Tensor]:
        return [flat[..., s.start : s.stop] for s in self.layout.segments]


class SingleTrial(TrialGroup):
    """One trial. Its parameters are views of theta[0], and its model is called directly."""

    def __init__(
        self,
        trial: Trial,
        task: Task,
        model: nn.Module,
        layout: ParameterLayout,
        theta: Tensor | None = None,
    ) -> None:
        super().__init__([trial], task, model, layout, alone=True, theta=theta)
        self.parameters = [self._leaf(view) for view in layout.views(self.theta[0].detach())]
        for name, view in zip(layout.names, self.parameters, strict=True):
            _assign(model, name, view)
        lstm.keep_in_place(model)
        self._use_kernels(model)
        self.theta_segments = self._segments(self.theta[0])
        self.update = self._optimizer()

    def _leaf(self, view: Tensor) -> Tensor:
        """The parameter that is a view of theta."""
        return view.requires_grad_()

    def _use_kernels(self, model: nn.Module) -> None:
        if self.theta.device.type == "cpu":
            linear.dense(model)

    def _optimizer(self) -> OptimizerStep:
        return _update(self.trials, self.theta, self.layout, alone=True)

    def step(self, batch: Batch, noise: Noise, weight: Tensor, t: Count, cycle: Count) -> Measured:
        measured, gradients = self._gradients(batch, noise, weight)
        with torch.no_grad():
            flat = [g.view(-1) for g in gradients]
            self.gradients = self._clip(self._penalise(flat, self.theta_segments))
            self.update.step(self.gradients, t, factor(self.trials[0].schedule, t, cycle))
        return measured

    def _differentiate(
        self, batch: Batch, noise: Noise, weight: Tensor
    ) -> tuple[Measured, list[Tensor]]:
        costs, measured = call_model(self, batch, noise)
        found = torch.autograd.grad(costs, self.parameters, weighted(weight, costs.shape))
        return measured, self.layout.gather(found)

    def value_and_gradient(
        self, batch: Batch, noise: Noise, weight: float
    ) -> tuple[Tensor, Tensor | None, list[Tensor]]:
        """Costs [n] and errors of a batch, and the gradient of weight * sum(costs), by segment."""
        output = self.model(*_arguments(batch), *noise)
        costs = self.task.costs(output, batch)
        costs = costs if costs.ndim == 1 else costs.flatten(1).mean(1)
        gradients = torch.autograd.grad(costs, self.parameters, torch.full_like(costs, weight))
        errors = self.task.errors(output, batch)
        return costs.detach(), errors, [g.view(-1) for g in self.layout.gather(gradients)]

    def _call(self, theta: Tensor, batch: Batch, noise: Noise, state: State) -> Measured:
        named = dict(zip(self.layout.names, self.layout.views(theta[0]), strict=True))
        before = tuple(one[0] for one in state)
        output = functional_call(self.model, named, (*_arguments(batch), *noise, *before))
        output, after = output if before else (output, ())
        measured = _one(self.task.costs(output, batch), self.task.errors(output, batch))
        own = {
            name: each[None]
            for name, each in own_columns.test_metrics(self.task, output, batch).items()
        }
        return measured._replace(own=own, state=tuple(one[None] for one in after))

    def optimizers(self) -> list[OptimizerStep]:
        return [self.update]

    def state(self, row: int) -> dict[str, Any]:
        return self.update.state(row)

    def restore(self, row: int, state: Mapping[str, Any]) -> None:
        self.update.restore(row, state)


class BatchedTrials(TrialGroup):
    """All trials of a stack in one computation. Trials of one optimizer share one fused update."""

    def __init__(
        self, trials: Sequence[Trial], task: Task, model: nn.Module, layout: ParameterLayout
    ) -> None:
        super().__init__(trials, task, model, layout, alone=False)
        self.model = model.to("meta")
        lstm.unroll(self.model)
        on_cpu = self.theta.device.type == "cpu"
        linear.share_inputs(self.model, every=not on_cpu)
        if on_cpu:
            linear.dense(self.model)
        views = layout.views(self.theta.detach())
        self.parameters = [view.requires_grad_() for view in views]
        self.named = dict(zip(layout.names, self.parameters, strict=True))
        self.theta_segments = self._segments(self.theta)
        self.updates = self._optimizers()

    def _optimizers(self) -> list[tuple[int, int, OptimizerStep]]:
        """First trial, end, and the optimizer of these trials."""
        found: list[tuple[int, int, OptimizerStep]] = []
        start = 0
        for _, members in groupby(self.trials, key=_structure):
            group = list(members)
            rows = self.theta[start : start + len(group)]
            update = _update(group, rows, self.layout, alone=False)
            found.append((start, start + len(group), update))
            start += len(group)
        return found

    def step(self, batch: Batch, noise: Noise, weight: Tensor, t: Count, cycle: Count) -> Measured:
        measured, gradients = self._gradients(batch, noise, weight)
        with torch.no_grad():
            self.gradients = self._clip(self._penalise(gradients, self.theta_segments))
            for start, stop, update in self.updates:
                decay = factor(self.trials[start].schedule, t, cycle)
                update.step([g[start:stop] for g in self.gradients], t, decay)
        return measured

    def _differentiate(
        self, batch: Batch, noise: Noise, weight: Tensor
    ) -> tuple[Measured, list[Tensor]]:
        measured = self._forward(self.named, batch, noise, self.carried, evaluated=False)
        # The trials share no parameter: the gradient of the sum is every trial's own gradient.
        weights = weighted(weight, measured.costs.shape[1:]).expand_as(measured.costs)
        found = torch.autograd.grad(measured.costs, self.parameters, weights)
        after = tuple(one.detach() for one in measured.state)
        measured = Measured(measured.costs.detach(), measured.errors, state=after)
        return measured, self.layout.gather(found)

    def _call(self, theta: Tensor, batch: Batch, noise: Noise, state: State) -> Measured:
        named = dict(zip(self.layout.names, self.layout.views(theta), strict=True))
        return self._forward(named, batch, noise, state, evaluated=True)

    def optimizers(self) -> list[OptimizerStep]:
        return [update for _, _, update in self.updates]

    def state(self, row: int) -> dict[str, Any]:
        start, update = self._owner(row)
        return update.state(row - start)

    def restore(self, row: int, state: Mapping[str, Any]) -> None:
        start, update = self._owner(row)
        update.restore(row - start, state)

    def _forward(
        self,
        named: Mapping[str, Tensor],
        batch: Batch,
        noise: Noise,
        state: State,
        evaluated: bool,
    ) -> Measured:
        def one(parameters: Mapping[str, Tensor], before: State) -> tuple[Any, ...]:
            arguments = (*_arguments(batch), *noise, *before)
            output = functional_call(self.model, dict(parameters), arguments)
            output, after = output if before else (output, ())
            errors = self.task.errors(output, batch)
            costs = self.task.costs(output, batch)
            own = own_columns.test_metrics(self.task, output, batch) if evaluated else {}
            return costs, {} if errors is None else {"": errors}, own, after  # vmap takes no None

        costs, errors, own, after = vmap(one)(named, state)
        return Measured(costs, errors.get(""), own, after)

    def _owner(self, row: int) -> tuple[int, OptimizerStep]:
        return next((a, update) for a, b, update in self.updates if a <= row < b)


def call_model(trial: SingleTrial, batch: Batch, noise: Noise) -> tuple[Tensor, Measured]:
    """The costs [n, ...] of a trial's minibatch, with their graph, and what is measured."""
    before = tuple(one[0] for one in trial.carried)
    output = trial.model(*_arguments(batch), *noise, *before)
    output, state = output if before else (output, ())
    costs = trial.task.costs(output, batch)
    with torch.no_grad():
        wrong = trial.task.errors(output, batch)
    after = tuple(one.detach()[None] for one in state)
    return costs, _one(costs.detach(), wrong)._replace(state=after)


def _one(costs: Tensor, errors: Tensor | None) -> Measured:
    """The costs and errors [n] of the only trial."""
    return Measured(costs[None], None if errors is None else errors[None])


def weighted(weight: Tensor, shape: torch.Size) -> Tensor:
    """The weight [n] of each example, divided among its parts where costs have the shape [n, ...]."""
    parts = shape[1:]
    if not parts:
        return weight
    return (weight / parts.numel()).view(-1, *[1] * len(parts)).expand(shape)


def _arguments(batch: Batch) -> tuple[Tensor, ...]:
    return batch.inputs if isinstance(batch.inputs, tuple) else (batch.inputs,)


def _assign(model: nn.Module, name: str, value: Tensor) -> None:
    owner, _, leaf = name.rpartition(".")
    module = model.get_submodule(owner)
    delattr(module, leaf)  # a Parameter may not be replaced by a plain tensor view in place
    setattr(module, leaf, value)


def _structure(trial: Trial) -> tuple[Any, ...]:
    """What trials must have in common to share one fused update."""
    optimizer = trial.optimizer
    rule = OPTIMIZERS[optimizer["name"]]
    return (optimizer["name"], trial.schedule, *(optimizer[name] for name in rule.options))


def _update(
    trials: Sequence[Trial], theta: Tensor, layout: ParameterLayout, alone: bool
) -> OptimizerStep:
    settings = [hyperparameters(trial.optimizer) for trial in trials]
    rule = OPTIMIZERS[trials[0].optimizer["name"]]
    return RuleStep(rule, settings, theta, layout, alone)
