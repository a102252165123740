"""Mistakes in an update rule of one's own: told by class and name, before anything is written."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from adam_repro.config.trial import Run
from adam_repro.config.validate import Choice, Range
from adam_repro.errors import UserError
from adam_repro.optim import OPTIMIZERS, RuleOptimizer
from adam_repro.optim.ops import add_scaled_
from adam_repro.optim.rule_trial import try_out
from adam_repro.runs.execute import execute
from tests.helpers import Compose


class Mine(RuleOptimizer):
    hyperparameters = {"lr": Range(gt=0), "beta": Range(ge=0, lt=1)}  # noqa: RUF012
    slots = ("m",)

    @staticmethod
    def scalars(h: Any, t: int | Tensor) -> dict[str, Any]:
        return {"lr": h.lr, "one_minus_beta": 1 - h.beta}

    @staticmethod
    def update(theta: Tensor, g: Tensor, s: Any, c: Any) -> None:
        s.m.lerp_(g, c.one_minus_beta)
        add_scaled_(theta, -c.lr, s.m)


class Undeclared(Mine):
    slots = ()


class Misspelt(Mine):
    slots = ("momentum", "mm")


class Unused(Mine):
    slots = ("m", "v")


class Forgets(Mine):
    @staticmethod
    def update(theta: Tensor, g: Tensor, s: Any, c: Any) -> None:
        add_scaled_(theta, -c.lr, s.m.lerp(g, c.one_minus_beta))


class Replaces(Mine):
    @staticmethod
    def update(theta: Tensor, g: Tensor, s: Any, c: Any) -> None:
        s.m = s.m.lerp(g, c.one_minus_beta)


class Shape(Mine):
    @staticmethod
    def update(theta: Tensor, g: Tensor, s: Any, c: Any) -> None:
        s.m.resize_(1)
        s.m.lerp_(g, c.one_minus_beta)


class Adds(Mine):
    @staticmethod
    def update(theta: Tensor, g: Tensor, s: Any, c: Any) -> None:
        s.v = g * g


class Scalar(Mine):
    @staticmethod
    def update(theta: Tensor, g: Tensor, s: Any, c: Any) -> None:
        s.m.lerp_(g, c.one_minus_betta)


class Hyper(Mine):
    @staticmethod
    def scalars(h: Any, t: int | Tensor) -> dict[str, Any]:
        return {"lr": h.lr, "one_minus_beta": 1 - h.beta1}


class Nothing(Mine):
    @staticmethod
    def scalars(h: Any, t: int | Tensor) -> Any:
        return None


class Gradient(Mine):
    @staticmethod
    def update(theta: Tensor, g: Tensor, s: Any, c: Any) -> None:
        s.m.lerp_(g.mul_(2.0), c.one_minus_beta)


class Raises(Mine):
    @staticmethod
    def update(theta: Tensor, g: Tensor, s: Any, c: Any) -> None:
        s.m.add_(g[:1].expand(3))


class Letters(Mine):
    slots = "m"  # type: ignore[assignment]


class NoStepsize(Mine):
    hyperparameters = {"beta": Range(ge=0, lt=1)}  # noqa: RUF012


REFUSED = {
    Undeclared: r"update\(\) uses the slot s.m, which is not among its slots: none",
    Misspelt: r"update\(\) uses the slot s.m, .* slots: momentum, mm \(did you mean mm\?\)",
    Unused: r"update\(\) leaves the slot v at zero",
    Forgets: r"update\(\) leaves the slot m at zero; write into it in place",
    Replaces: r"update\(\) uses the slot s.m and replaces it; write into it in place",
    Shape: r"update\(\) gives the slot m the shape",
    Adds: r"update\(\) uses the slot s.v, which is not among its slots: m",
    Scalar: (
        r"update\(\) uses c.one_minus_betta, which scalars\(\) does not return: lr, one_minus_beta "
        r"\(did you mean one_minus_beta\?\)"
    ),
    Hyper: r"scalars\(\) uses h.beta1, .*: lr, beta \(did you mean beta\?\)",
    Nothing: r"scalars\(\) must return a dict; it returned None",
    Gradient: r"update\(\) changes the gradient g",
    Raises: r"RuntimeError: .* \(test_rule_trial.py, line \d+\)",
    Letters: r"slots = 'm': must be a tuple of names",
    NoStepsize: "hyperparameters has no lr",
}


@pytest.fixture
def own(trial: Compose, monkeypatch: pytest.MonkeyPatch) -> Any:
    def make(rule: type, **settings: Any) -> Any:
        monkeypatch.setitem(OPTIMIZERS, "mine", rule)
        named = {name: {"lr": 0.1, "beta": 0.9}[name] for name in rule.hyperparameters}
        return replace(trial("task=logreg"), optimizer={"name": "mine", **named, **settings})

    return make


@pytest.mark.parametrize("engine", ["looped", "batched"])
@pytest.mark.parametrize("rule", REFUSED, ids=lambda rule: rule.__name__)
def test_a_mistake_names_the_class_and_what_is_wrong(
    rule: type, engine: str, own: Any, run: Run
) -> None:
    with pytest.raises(UserError, match=f"^{rule.__name__}: {REFUSED[rule]}"):
        execute([own(rule)], replace(run, engine=engine))
    assert not list(run.results_dir.rglob("*.csv"))


class Sometimes(Mine):
    """A slot that one option needs, and one that a hyperparameter other than 0 needs."""

    options = {"centered": Choice("no", "yes")}  # noqa: RUF012
    slots = ("m", "mean", "b")

    @staticmethod
    def update(theta: Tensor, g: Tensor, s: Any, c: Any) -> None:
        s.m.lerp_(g, c.one_minus_beta)
        if c.centered == "yes":
            s.mean.copy_(g)
        s.b.add_(g * (1 - c.one_minus_beta))
        hasattr(s, "other")


@pytest.mark.parametrize("engine", ["looped", "batched"])
def test_a_slot_that_only_other_settings_need_is_no_mistake(
    engine: str, own: Any, run: Run
) -> None:
    one = own(Sometimes, beta=0.0, centered="no")
    execute([one], replace(run, engine=engine))


@pytest.mark.parametrize("stacked", [False, True])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_our_rules_are_right(name: str, stacked: bool, trial: Compose) -> None:
    settings = dict(trial(f"optimizer={name}").optimizer)
    h = SimpleNamespace(**settings)
    for key in OPTIMIZERS[name].hyperparameters if stacked else ():
        setattr(h, key, torch.full((2, 1), float(settings[key]), dtype=torch.float64))
    try_out(OPTIMIZERS[name], h, torch.zeros(2, 3) if stacked else torch.zeros(3))
