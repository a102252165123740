"""The ``optimizer`` section of an optimizer by import path."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from adam_repro.config.trial import LATER_OPTIONS
from adam_repro.config.validate import Flag
from adam_repro.config.validate import check as check_value
from adam_repro.engine.torch_optimizer.global_draws import seeded
from adam_repro.errors import UserError
from adam_repro.optim.foreign import Parameters, arguments, construct, groups_of, resolve
from adam_repro.tasks import Task

OPTIONS = ("name", "target", "lr", "kwargs", *LATER_OPTIONS)


def check(optimizer: Mapping[str, Any]) -> None:
    """Check the section of an optimizer by import path, but for what its constructor takes.

    Raises:
        UserError: naming the option, its value and what is legal.
    """
    resolve(optimizer.get("target"))
    lr, name = optimizer.get("lr"), optimizer.get("lr_name")
    number = isinstance(lr, (int, float)) and not isinstance(lr, bool)
    if lr is not None and not (number and math.isfinite(lr)):
        raise UserError(f"optimizer.lr={lr}: must be a finite number, or null for the target's own")
    kwargs = optimizer.get("kwargs")
    if not isinstance(kwargs, Mapping) or not all(isinstance(key, str) for key in kwargs):
        raise UserError(
            f"optimizer.kwargs={kwargs}: must be options of {optimizer['target']} by name, "
            "as optimizer.kwargs.eps=1e-6"
        )
    if name is not None and not isinstance(name, str):
        raise UserError(
            f"optimizer.lr_name={name}: must be the name of the argument that optimizer.lr is for, or null"
        )
    check_value("optimizer.create_graph", optimizer.get("create_graph", False), Flag())
    if (name or "lr") in kwargs and lr is not None:
        own = kwargs[name or "lr"]
        raise UserError(
            f"optimizer.kwargs.{name or 'lr'}={own}: would override optimizer.lr={lr}; "
            f"use optimizer.lr={own}"
        )
    for option in optimizer:
        if option not in OPTIONS:
            raise UserError(
                f"optimizer.{option}: optimizer=torch has {', '.join(OPTIONS)}; what its target takes "
                f"is given as optimizer.kwargs.{option}"
            )


def check_with(task: Task, optimizer: Mapping[str, Any], schedule: str = "constant") -> None:
    """Check an optimizer's options, which only its constructor knows, and that it can have a schedule.

    Raises:
        UserError: as :func:`adam_repro.optim.foreign.construct`; parameter groups without a stepsize
            that a schedule could change.
    """
    key = json.dumps(task.config.plain(), default=str)
    if key not in _shapes:
        parameters = _model(task).named_parameters()
        _shapes[key] = [(name, tuple(parameter.shape)) for name, parameter in parameters]
    named = [(name, nn.Parameter(torch.zeros(shape))) for name, shape in _shapes[key]]
    stand_ins = Parameters(list(named), lambda: _model(task))
    with seeded(0, torch.device("cpu")):
        made = construct(optimizer["target"], stand_ins, arguments(optimizer))
    check_schedule(made, optimizer, schedule)


def _model(task: Task) -> nn.Module:
    """The task's model; in the place of one that depends on the data, which are not read yet, another."""
    if type(task).prepare is not Task.prepare:
        return nn.Linear(3, 2)
    return task.model(torch.Generator())


def check_schedule(
    made: torch.optim.Optimizer, optimizer: Mapping[str, Any], schedule: str
) -> None:
    """Refuse a schedule that a parameter group has no number for.

    Raises:
        UserError: naming the schedule, and the entry of the groups that is missing.
    """
    name = optimizer.get("lr_name") or "lr"
    groups = groups_of(made)
    if schedule != "constant" and not (groups and all(name in group for group in groups)):
        raise UserError(
            f"schedule={schedule}: the parameter groups of {optimizer['target']} have no {name!r} that "
            "it could change; use schedule=constant"
        )


_shapes: dict[str, list[tuple[str, tuple[int, ...]]]] = {}  # of a task's parameters: asked often
