"""The registry of tasks. A new task is one file here, one entry in `MODELS` and one YAML."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adam_repro.tasks.base import Batch, Classifier, InputSpec, LinearTask, Task
from adam_repro.tasks.bigram import Bigram
from adam_repro.tasks.cnn import ConvolutionalNetwork
from adam_repro.tasks.imdb import SparseLogisticRegression
from adam_repro.tasks.lm import NeuralLanguageModel
from adam_repro.tasks.lm_lstm import LSTMLanguageModel
from adam_repro.tasks.logreg import LogisticRegression
from adam_repro.tasks.mlp import MultilayerPerceptron
from adam_repro.tasks.nmt import Translation
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


def build(config: Mapping[str, Any]) -> Task:
    """The task described by a resolved ``task`` section."""
    return MODELS[config["model"]](config)


__all__ = ["MODELS", "Batch", "Classifier", "InputSpec", "LinearTask", "Task", "build"]
