"""Whether a data set fits the task that is to be trained on it."""

from __future__ import annotations

import math

from adam_repro.data.dataset import Dataset, SparseRows
from adam_repro.errors import UserError
from adam_repro.tasks import Task


def check(task: Task, dataset: Dataset) -> None:
    """Refuse data that the task's model cannot take, as far as the task says what it takes.

    Raises:
        UserError: naming ``task.data.name``, what its examples are, and what the task takes.
    """
    takes = task.takes
    if takes is None:
        return
    inputs = dataset.train.inputs
    sparse = isinstance(inputs, SparseRows)
    values = math.prod(inputs.shape[1:])
    fits = values <= takes.values if sparse else values == takes.values
    few = takes.classes is None or dataset.classes <= takes.classes
    if sparse == takes.sparse and fits and few:
        return
    raise UserError(
        f"task.data.name={task.config['data']['name']}: its examples are "
        f"{_kind(sparse)} of {values} values in {dataset.classes} classes, and "
        f"task={task.config['name']} takes {_kind(takes.sparse)} of "
        f"{'at most ' if takes.sparse else ''}{takes.values}"
        + (f" in at most {takes.classes} classes" if takes.classes is not None else "")
        + "; choose another data set, or another task"
    )


def _kind(sparse: bool) -> str:
    return "sparse rows" if sparse else "dense rows"
