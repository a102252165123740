"""A trial whose optimizer is given by import path."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor, nn

from adam_repro.config.trial import Trial, hyperparameters
from adam_repro.engine.parameter_layout import ParameterLayout
from adam_repro.engine.torch_optimizer.step import Minibatch, TorchOptimizerStep
from adam_repro.engine.trial_groups import Count, Measured, Noise, SingleTrial, call_model, weighted
from adam_repro.kernels.twice import differentiable_twice
from adam_repro.optim.foreign import Maker, Parameters
from adam_repro.optim.schedules import factor
from adam_repro.tasks import Batch, Task


class Companion(Protocol):
    """What takes steps beside a trial, to compare them."""

    def start_epoch(self, rows: int) -> None:
        """The trial begins an epoch with minibatches of so many rows."""

    def end_epoch(self) -> None:
        """The trial has taken the steps of an epoch."""

    def before_step(self, gradients: list[Tensor]) -> None:
        """The trial is about to take a step with these gradients, one a parameter."""

    def after_step(self, *step: Any) -> None:
        """The trial has taken a step; ``step`` are the arguments of its method."""


class Evaluated(NamedTuple):
    """What a step needs of its minibatch: results, the gradient of each parameter, its norm [1] unclipped."""

    measured: Measured
    gradients: list[Tensor]
    norm: Tensor


class ForeignTrial(SingleTrial):
    """One trial of an optimizer by import path.

    Its parameters are ``nn.Parameter``, leaves of the graph, and those of its model. ``maker``: what is at
    the target, where that is known already. ``theta`` [1, P]: where the parameters are to be, with their
    initial values. ``companion``: see :mod:`adam_repro.engine.torch_optimizer.resume`.
    """

    update: TorchOptimizerStep

    def __init__(
        self,
        trial: Trial,
        task: Task,
        model: nn.Module,
        layout: ParameterLayout,
        maker: Maker | None = None,
        theta: Tensor | None = None,
    ) -> None:
        self.maker = maker
        self.second_order = bool(trial.optimizer.get("create_graph", False))
        self.companion: Companion | None = None
        super().__init__(trial, task, model, layout, theta)
        if self.second_order:
            self.linear = None  # it has no graph

    def _leaf(self, view: Tensor) -> Tensor:
        return nn.Parameter(view)

    def _use_kernels(self, model: nn.Module) -> None:
        if not self.second_order:
            super()._use_kernels(model)

    def _optimizer(self) -> TorchOptimizerStep:
        named = list(zip(self.layout.names, self.parameters, strict=True))
        settings = hyperparameters(self.trials[0].optimizer)
        given = Parameters(named, lambda: self.model)
        return TorchOptimizerStep(settings, given, self.trials[0].seed, self.maker)

    def start_epoch(self, rows: int) -> None:
        super().start_epoch(rows)
        if self.companion is not None:
            self.companion.start_epoch(rows)

    def end_epoch(self) -> None:
        if self.companion is not None:
            self.companion.end_epoch()

    def step(self, batch: Batch, noise: Noise, weight: Tensor, t: Count, cycle: Count) -> Measured:
        before = [one.clone() for one in self.carried]
        evaluated = self._evaluate(batch, noise, weight)
        self.finish_step(evaluated, before, batch, noise, weight, t, cycle)
        return evaluated.measured

    def finish_step(
        self,
        evaluated: Evaluated,
        before: list[Tensor],
        batch: Batch,
        noise: Noise,
        weight: Tensor,
        t: Count,
        cycle: Count,
    ) -> None:
        """The step :meth:`step`, of which the minibatch is evaluated; ``before``: the recurrent state."""
        measured, gradients, norm = evaluated
        if self.companion is not None:
            self.companion.before_step(gradients)
        minibatch = Minibatch(
            lambda: self._loss(measured, weight), lambda: self._again(before, batch, noise, weight)
        )
        self.take(gradients, norm, t, cycle, minibatch)
        if self.companion is not None:
            self.companion.after_step(batch, noise, weight, t, cycle)

    def take(
        self,
        gradients: list[Tensor],
        norm: Tensor,
        t: Count,
        cycle: Count,
        minibatch: Minibatch | None = None,
    ) -> None:
        """Let the optimizer take step ``t`` with these gradients, one a parameter, of a norm [1]."""
        self.norm = self.update.norm = norm  # the optimizer may write into the gradients
        with torch.no_grad():
            decay = factor(self.trials[0].schedule, t, cycle)
            self.update.step(gradients, t, decay, minibatch)

    @property
    def reevaluates(self) -> bool:
        """Whether a step looks at more than the gradients that it is given."""
        return self.second_order or self.update.closes

    def _again(
        self, before: list[Tensor], batch: Batch, noise: Noise, weight: Tensor
    ) -> tuple[Tensor, list[Tensor]]:
        """Cost [] and gradients of the minibatch at the present parameters, after the same state."""
        after = [one.clone() for one in self.carried]
        _copy(self.carried, before)
        with torch.enable_grad():
            measured, gradients, _ = self._evaluate(batch, noise, weight)
        _copy(self.carried, after)
        return self._loss(measured, weight), gradients

    @torch.no_grad()
    def _loss(self, measured: Measured, weight: Tensor) -> Tensor:
        """The cost [] whose gradient is given, the L2 term included."""
        costs = measured.costs[0]
        return (costs * weighted(weight, costs.shape)).sum() + self._penalty()

    def _penalty(self) -> Tensor:
        squares = [p.square().sum() for p in self.parameters if p.ndim >= 2]
        zero = torch.zeros((), device=self.theta.device)
        return self.task.l2 / 2.0 * torch.stack(squares).sum() if squares else zero

    def _evaluate(self, batch: Batch, noise: Noise, weight: Tensor) -> Evaluated:
        """Costs, the gradient of each parameter as the optimizer has it, and its norm [1] unclipped."""
        if self.second_order:
            return self._evaluate_with_graph(batch, noise, weight)
        measured, found = self._gradients(batch, noise, weight)
        with torch.no_grad():
            flat = self._penalise([gradient.view(-1) for gradient in found], self.theta_segments)
            norm = norms([part[None] for part in flat])
            flat = self._clip(flat)
        if self.max_norm is not None and self.norm is not None:
            norm = self.norm
        return Evaluated(measured, self.by_parameter(flat), norm)

    def by_parameter(self, flat: list[Tensor]) -> list[Tensor]:
        """The gradient of each parameter, from one tensor [length] a segment."""
        layout, found = self.layout, []
        for segment, gradient in zip(layout.segments, flat, strict=True):
            members = range(segment.first, segment.last)
            pieces = gradient.split([layout.sizes[i] for i in members])
            found += [
                piece.view(layout.shapes[i]) for i, piece in zip(members, pieces, strict=True)
            ]
        return found

    def _evaluate_with_graph(self, batch: Batch, noise: Noise, weight: Tensor) -> Evaluated:
        """The same, with gradients that can be differentiated again."""
        carried = self.carried
        self.carried = tuple(one.clone() for one in carried)  # the graph keeps these as they are
        with torch.enable_grad(), differentiable_twice():
            costs, measured = call_model(self, batch, noise)
            loss = (costs * weighted(weight, costs.shape)).sum() + self._penalty()
            found = torch.autograd.grad(loss, self.parameters, create_graph=True)
            gradients = [one.clone() for one in found]  # a view could not be detached in place
            norm = norms([gradient.detach().flatten()[None] for gradient in gradients])
            if self.max_norm is not None:
                scale = (self.max_norm / (norm + 1e-6)).clamp(max=1.0).to(loss.dtype)
                gradients = [gradient * scale for gradient in gradients]
        self.carried = carried
        _copy(self.carried, measured.state)
        return Evaluated(measured, gradients, norm)

    def stepsizes(self) -> list[float | None]:
        return [self.update.stepsize()]

    def evaluations(self) -> list[int | None]:
        return [self.update.evaluations if self.update.closes else None]

    def state(self, row: int) -> dict[str, Any]:
        return self.update.state(row)

    def restore(self, row: int, state: Mapping[str, Any]) -> None:
        self.update.restore(row, state)


def norms(parts: list[Tensor]) -> Tensor:
    """The Euclidean norm [S] of each trial's gradient, of parts [S, length], in double precision."""
    found = [torch.linalg.vector_norm(part, dim=1, dtype=torch.float64) for part in parts]
    return torch.linalg.vector_norm(torch.stack(found), dim=0)


def _copy(into: Any, values: Any) -> None:
    for one, value in zip(into, values, strict=True):
        one.copy_(value)
