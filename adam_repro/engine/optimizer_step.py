"""One optimizer step: the interface, and our rules over a stack."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from adam_repro.config.trial import Hyperparameters
from adam_repro.engine.parameter_layout import ParameterLayout
from adam_repro.optim.rule import UpdateRule, init_state, prepare, update_in_blocks
from adam_repro.optim.rule_trial import try_out


class OptimizerStep(ABC):
    """An optimizer on the parameters of some trials."""

    def epoch(self, number: int) -> AbstractContextManager[None]:
        """A block around the steps of epoch ``number``, from 0, which its evaluation follows."""
        return nullcontext()

    @abstractmethod
    def step(self, gradients: list[Tensor], t: int | Tensor, decay: float | Tensor) -> None:
        """Update in place. ``gradients``: one tensor a segment; ``t``: step from 1.

        ``decay``: the schedule's factor on lr at this step. Either may be a 0-dim float64 tensor.
        """

    @abstractmethod
    def state(self, row: int) -> dict[str, Any]:
        """The optimizer's state of one trial, for its checkpoint."""

    @abstractmethod
    def restore(self, row: int, state: Mapping[str, Any]) -> None:
        """Take up the state of one trial."""


class RuleStep(OptimizerStep):
    """One update rule over trials of theta [S, P] that share its structural options.

    ``alone``: one trial, with plain floats as hyperparameters and one-dimensional tensors. In a batch
    the hyperparameters are float64 tensors [S, 1], also when only one trial is left.
    """

    def __init__(
        self,
        rule: type[UpdateRule],
        trials: Sequence[Hyperparameters],
        theta: Tensor,
        layout: ParameterLayout,
        alone: bool,
    ) -> None:
        self.rule = rule
        self.h = SimpleNamespace()
        for name in rule.hyperparameters:
            values = [float(trial[name]) for trial in trials]
            column = torch.tensor(values, dtype=torch.float64, device=theta.device)[:, None]
            setattr(self.h, name, values[0] if alone else column)
        for name in rule.options:
            setattr(self.h, name, trials[0][name])
        try_out(rule, self.h, theta[0] if alone else theta)
        self.lr = self.h.lr
        self.slots = init_state(rule, theta)
        self.dtype = theta.dtype
        flat = {"theta": theta, **self.slots}
        if alone:
            flat = {name: tensor[0] for name, tensor in flat.items()}
        pieces = [
            {name: tensor[..., s.start : s.stop] for name, tensor in flat.items()}
            for s in layout.segments
        ]
        self.pieces = [(piece.pop("theta"), SimpleNamespace(**piece)) for piece in pieces]
        self.alone = alone

    def step(self, gradients: list[Tensor], t: int | Tensor, decay: float | Tensor) -> None:
        self.h.lr = self.lr * decay
        scalars = prepare(self.rule, self.h, t, self.dtype)
        for (theta, slots), gradient in zip(self.pieces, gradients, strict=True):
            g = gradient.view(-1) if self.alone else gradient
            update_in_blocks(self.rule, theta, g, slots, scalars)

    def state(self, row: int) -> dict[str, Any]:
        return {name: slot[row].clone() for name, slot in self.slots.items()}

    def restore(self, row: int, state: Mapping[str, Any]) -> None:
        for name, slot in self.slots.items():
            slot[row].copy_(state[name])
