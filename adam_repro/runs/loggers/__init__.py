"""Loggers: each trial as a run in TensorBoard, MLflow or Weights & Biases.

A library is imported only when its logger is asked for; a plain install has none of them.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec

from adam_repro.config.trial import Run
from adam_repro.errors import UserError
from adam_repro.runs.callbacks import Callback

#: Of each logger that needs a library: the module that must be there, and what brings it.
NEEDS = {
    "tensorboard": ("tensorboard", "pip install tensorboard"),
    "mlflow": ("mlflow", "pip install mlflow"),
    "wandb": ("wandb", "pip install wandb"),
}


def check(name: str) -> None:
    """Refuse a logger whose library is not installed, before anything is trained.

    Raises:
        UserError: naming the package.
    """
    if name in NEEDS:
        module, install = NEEDS[name]
        if find_spec(module) is None:
            raise UserError(f"logger={name}: {module} is not installed; {install}")


def make(run: Run) -> list[Callback]:
    """The logger that ``run`` asks for, as a list of callbacks; empty for ``none``.

    Raises:
        UserError: as :func:`check`.
    """
    if run.logger == "none":
        return []
    check(run.logger)
    place = f"adam_repro.runs.loggers.{run.logger}"
    try:
        logger: Callable[[Run], Callback] = import_module(place).Logger
        return [logger(run)]
    except (AttributeError, ModuleNotFoundError, TypeError) as error:
        raise UserError(
            f"logger={run.logger}: {place} must have a class Logger, a TrialLogger with name, begin, log "
            f"and end ({error})"
        ) from error
