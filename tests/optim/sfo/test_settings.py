"""Hyperparameters: what is legal, the error messages, and the YAML that states the defaults."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import OmegaConf

from adam_repro.errors import UserError
from adam_repro.optim.sfo import SFO, Settings, check

CONFIG = Path(__file__).parents[3] / "configs" / "optimizer" / "sfo.yaml"


def test_the_config_states_the_defaults() -> None:
    stated = OmegaConf.to_container(OmegaConf.load(CONFIG))
    assert isinstance(stated, dict)
    assert stated.pop("name") == "sfo"
    assert stated == {"n_subfunctions": 24, **asdict(Settings())}
    check(stated)


@pytest.mark.parametrize(
    ("name", "value", "legal"),
    [
        ("n_subfunctions", 0, "whole number, at least 1"),
        ("n_subfunctions", 2.5, "whole number, at least 1"),
        ("max_history", 0, "whole number, at least 1"),
        ("initial_active", 1.5, "whole number, at least 1"),
        ("hessian_init", 0.0, "above 0"),
        ("hessian_init", float("nan"), "above 0"),
        ("max_condition", 1.0, "above 1"),
        ("max_gradient_noise", -1, "above 0"),
        ("max_step_ratio", 0, "above 0"),
        ("min_step", 0, "above 0"),
        ("selection", "cyclic", "both, distance, single, random"),
        ("dtype", "float16", "float64, float32"),
    ],
)
def test_an_illegal_value_is_named_with_what_is_legal(name: str, value: Any, legal: str) -> None:
    with pytest.raises(UserError) as caught:
        check({name: value})
    for part in (name, repr(value), legal):
        assert part in str(caught.value)


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(UserError, match="did you mean hessian_init"):
        check({"hessian_int": 1.0})


def test_the_constructor_checks() -> None:
    with pytest.raises(UserError, match="max_history"):
        SFO(lambda theta, i: (0.0, theta), torch.zeros(3), 2, max_history=0)
