"""The registry of tasks. A new task is one file here, one entry in `MODELS` and one YAML."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from adam_repro import import_path
from adam_repro.errors import UserError
from adam_repro.tasks.base import Batch, Classifier, InputSpec, LinearTask, Task
from adam_repro.tasks.bigram import Bigram
from adam_repro.tasks.cnn import ConvolutionalNetwork
from adam_repro.tasks.imdb import SparseLogisticRegression
from adam_repro.tasks.lm import NeuralLanguageModel
from adam_repro.tasks.lm_lstm import LSTMLanguageModel
from adam_repro.tasks.logreg import LogisticRegression
from adam_repro.tasks.mlp import MultilayerPerceptron
from adam_repro.tasks.nmt import Translation
from adam_repro.tasks.options import Options
from adam_repro.tasks.rare_classes import RareClasses
from adam_repro.tasks.vae import VariationalAutoencoder

#: ``task.model`` of a configuration -> the class of the task.
MODELS: dict[str, type[Task]] = {
    "logreg": LogisticRegression,
    "imdb": SparseLogisticRegression,
    "mlp": MultilayerPerceptron,
    "cnn": ConvolutionalNetwork,
    "lm": NeuralLanguageModel,
    "lm_lstm": LSTMLanguageModel,
    "vae": VariationalAutoencoder,
    "bigram": Bigram,
    "rare_classes": RareClasses,
    "nmt": Translation,
}


def kind(config: Mapping[str, Any]) -> type[Task]:
    """The class of the task that a ``task`` section describes, by its name or by import path.

    Raises:
        UserError: an import path that does not lead to a subclass of `Task`.
    """
    if config["model"] != "torch":
        return MODELS[config["model"]]
    path = config.get("target")
    found = import_path.find("task.target", path, "a Task class", "my_module.TwoLayer")
    if not (inspect.isclass(found) and issubclass(found, Task)):
        raise UserError(
            f"task.target={path}: {found!r:.80} is not a subclass of adam_repro.tasks.base.Task"
        )
    return found


def build(config: Mapping[str, Any]) -> Task:
    """The task described by a resolved ``task`` section.

    Raises:
        UserError: as :func:`kind`; an option that the task refuses, or a class that lacks a method.
    """
    found = kind(config)
    try:
        return found(Options(config))
    except UserError:
        raise
    except Exception as error:  # whatever another person's constructor raises
        if found in MODELS.values():
            raise
        words = f"{type(error).__name__}: {error}"
        raise UserError(f"task.target={config.get('target')}: {words}") from error


def modules(config: Mapping[str, Any]) -> list[str]:
    """The module of a task by import path; none of one of ours."""
    return [kind(config).__module__] if config.get("model") == "torch" else []


__all__ = [
    "MODELS",
    "Batch",
    "Classifier",
    "InputSpec",
    "LinearTask",
    "Task",
    "build",
    "kind",
    "modules",
]
