"""The YAML of every method: there, complete, and equal to the class's defaults."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from omegaconf import OmegaConf

from adam_repro.config.trial import LATER_OPTIONS
from adam_repro.optim import OPTIMIZERS
from adam_repro.optim.foreign import DEFAULT_LR

FOLDER = Path(__file__).parents[2] / "configs" / "optimizer"


def test_every_method_has_a_config_and_every_config_a_method() -> None:
    names = {path.stem for path in FOLDER.glob("*.yaml")}
    assert names - {"torch", "sfo"} == set(OPTIMIZERS)
    assert "torch" in names


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_config_states_the_class_defaults(name: str) -> None:
    settings = OmegaConf.to_container(OmegaConf.load(FOLDER / f"{name}.yaml"))
    assert isinstance(settings, dict)
    assert settings.pop("name") == name
    method = OPTIMIZERS[name]
    assert settings == method([torch.nn.Parameter(torch.zeros(1))]).defaults
    assert list(settings) == [*method.hyperparameters, *method.options]
    method.check(settings)


def test_the_foreign_config_names_what_a_user_sets() -> None:
    settings = OmegaConf.to_container(OmegaConf.load(FOLDER / "torch.yaml"))
    named = {"name": "torch", "target": None, "lr": DEFAULT_LR, "kwargs": {}}
    assert settings == named | LATER_OPTIONS
