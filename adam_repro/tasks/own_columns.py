"""A task's own columns of metrics.csv: that they are declared, and that what is returned are numbers.

The engine calls a task's methods that return columns through here, so that a mistake names the task and the
column before anything is written.
"""

from __future__ import annotations

import numbers
import re
from collections.abc import Collection, Mapping
from typing import Any

import torch
from torch import Tensor

from adam_repro.data.dataset import Dataset
from adam_repro.errors import UserError
from adam_repro.tasks.base import Batch, Task
from adam_repro.wording import suggestion

Row = Mapping[str, float | int | None]


def mistake(task: Task, reason: str) -> UserError:
    """The error for a mistake in a task's code: it names the task, by its import path if it has one."""
    own = task.config.get("model") == "torch"
    name = f"task.target={task.config.get('target')}" if own else f"task={task.config.get('name')}"
    return UserError(f"{name}: {reason}")


def check_declared(task: Task, taken: Collection[str]) -> None:
    """Check the names that a task declares; ``taken``: those of other columns.

    Raises:
        UserError: a name that is taken, declared twice or no name; a group's that is not among the columns.
    """
    for attribute in ("columns", "group_columns"):
        if not isinstance(getattr(task, attribute), tuple | list):
            found = getattr(task, attribute)
            raise mistake(
                task, f"{attribute} = {found!r}: must be a tuple of names, as ('margin',)"
            )
    names = list(task.columns)
    for i, name in enumerate(names):
        if not isinstance(name, str) or not re.fullmatch(r"[^,;\"\s]+", name):
            raise mistake(
                task, f"column {name!r}: must be a word without commas, quotes and spaces"
            )
        if name in taken:
            raise mistake(task, f"column {name}: every trial has one of this name; choose another")
        if name in names[:i]:
            raise mistake(task, f"column {name}: is declared twice")
    for name in task.group_columns:
        _check_name(task, name, "group_columns", task.columns)


def test_metrics(task: Task, output: Any, batch: Batch) -> dict[str, Tensor]:
    """:meth:`Task.test_metrics`; raises UserError for a name or a value that it must not return."""
    found = _mapping(task, "test_metrics", task.test_metrics(output, batch))
    n = len(batch.targets)
    for name, value in found.items():
        _check_name(task, name, "test_metrics", task.columns)
        if not (isinstance(value, Tensor) and value.ndim and len(value) == n):
            raise _no_number(task, name, "test_metrics", value, f"[{n}], one value an example")
    return found


def batch_metrics(task: Task, batch: Batch) -> dict[str, Tensor]:
    """:meth:`Task.batch_metrics`; raises UserError for a name or a value that it must not return."""
    found = _mapping(task, "batch_metrics", task.batch_metrics(batch))
    for name, value in found.items():
        _check_name(task, name, "batch_metrics", task.columns)
        if not (isinstance(value, Tensor) and value.numel() == 1):
            raise _no_number(task, name, "batch_metrics", value, "[], one value a minibatch")
    return found


def groups(task: Task, batch: Batch) -> Tensor:
    """:meth:`Task.groups` of a task with group columns; raises UserError if it gives no groups."""
    found = task.groups(batch)
    n = len(batch.targets)
    if (
        not (isinstance(found, Tensor) and found.ndim and len(found) == n)
        or found.is_floating_point()
    ):
        first = next(iter(task.group_columns))
        raise _no_number(
            task, first, "groups", found, f"[{n}], whole numbers: places in group_columns"
        )
    return found


def check_places(task: Task, places: Tensor) -> None:
    """Check the groups of an epoch; raises UserError for one that is no place in ``group_columns``."""
    names = task.group_columns
    if int(places.max()) >= len(names):
        last = len(names) - 1
        raise mistake(task, f"column {', '.join(names)}: groups() gives places beyond 0 to {last}")


def decode(
    task: Task, model: torch.nn.Module, dataset: Dataset, epoch: int, epochs: int
) -> dict[str, float | int | None]:
    """:meth:`Task.decode`; raises UserError for a name or a value that it must not return."""
    return _numbers(task, "decode", task.decode(model, dataset, epoch, epochs), task.columns)


def row_metrics(task: Task, row: Row) -> dict[str, float | int | None]:
    """:meth:`Task.row_metrics`; raises UserError as :func:`decode`."""
    return _numbers(task, "row_metrics", task.row_metrics(row), (*task.columns, *row))


def check_complete(task: Task, row: Row) -> None:
    """Check that a task's first row has all its columns, if only with ``None``.

    What is measured on a validation set may be absent, as the set may, and what is decoded comes later.

    Raises:
        UserError: naming those that nothing has returned.
    """
    wanted = [name for name in task.columns if not name.startswith("validation_")]
    missing = [name for name in wanted if name not in row]
    if missing and not task.decodes:
        unused = type(task).decode is not Task.decode
        raise mistake(
            task,
            f"column {', '.join(missing)}: is declared, but no method returned it; return it from "
            "test_metrics, batch_metrics or row_metrics, with None where there is no value"
            + ("; decode is called if decodes = True" if unused else ""),
        )


def _mapping(task: Task, method: str, found: Any) -> dict[str, Any]:
    if not isinstance(found, Mapping):
        raise mistake(task, f"{method}() must return a dict of columns; it returned {found!r:.60}")
    return dict(found)


def _numbers(task: Task, method: str, found: Any, legal: Collection[str]) -> dict[str, Any]:
    values = _mapping(task, method, found)
    for name, value in values.items():
        _check_name(task, name, method, legal)
        if isinstance(value, Tensor) and value.numel() == 1:
            values[name] = value = value.item()
        if value is not None and (isinstance(value, bool) or not isinstance(value, numbers.Real)):
            raise _no_number(task, name, method, value, "a number or None")
    return values


def _check_name(task: Task, name: str, method: str, legal: Collection[str]) -> None:
    if name not in legal:
        listed = ", ".join(task.columns) or "none"
        raise mistake(
            task,
            f"column {name}: {method} has it, but it is not declared; columns: {listed}"
            f"{suggestion(name, task.columns)}",
        )


def _no_number(task: Task, name: str, method: str, value: Any, wanted: str) -> UserError:
    shape = f"a tensor {list(value.shape)}" if isinstance(value, Tensor) else f"{value!r:.60}"
    return mistake(task, f"column {name}: {method}() must give {wanted}; it gave {shape}")
