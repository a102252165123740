"""Any `torch.optim.Optimizer` class by its import path."""

from __future__ import annotations

import copy
import re
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from adam_repro.errors import UserError
from adam_repro.optim import Partitioned
from adam_repro.optim.foreign import Parameters, arguments, construct, resolve


@pytest.fixture
def params() -> Parameters:
    model = torch.nn.Linear(2, 3)
    return Parameters(list(model.named_parameters()), lambda: model)


def test_a_path_leads_to_its_class(params: Parameters) -> None:
    assert resolve("torch.optim.NAdam") is torch.optim.NAdam
    optimizer = construct("torch.optim.NAdam", params, {"lr": 0.1, "betas": [0.5, 0.9]})
    assert isinstance(optimizer, torch.optim.NAdam)
    assert optimizer.param_groups[0]["lr"] == 0.1
    (weight, bias), before = params.tensors, params.tensors[0].detach().clone()
    weight.grad, bias.grad = torch.ones(3, 2), torch.ones(3)
    optimizer.step()
    assert (weight < before).all()


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (None, "optimizer.target=None: give the import path"),
        ("NAdam", "optimizer.target=NAdam: give the import path"),
        ("no_such_package.Adam", "the module 'no_such_package' cannot be imported"),
        ("torch.optim.NAdamm", r"no 'NAdamm' \(did you mean torch.optim.NAdam\?\)"),
        ("torch.nn.Linear", "Linear is not a subclass of torch.optim.Optimizer"),
        ("torch.optim.lr_scheduler", "lr_scheduler is not a subclass"),
        ("torch.float32", "float32 is not a subclass"),
    ],
)
def test_a_wrong_path_is_told_apart(target: str | None, message: str) -> None:
    with pytest.raises(UserError, match=message):
        resolve(target)


class WithoutStep(torch.optim.Optimizer):
    def __init__(self, params: Any, lr: float = 0.1) -> None:
        super().__init__(params, {"lr": lr})


class Misspelt(WithoutStep):
    def setp(self, closure: Any = None) -> None:
        """Not found by anyone."""


class NoMethod(WithoutStep):
    step = None  # type: ignore[assignment]


def returns_one(params: Any) -> torch.optim.Optimizer:
    return Misspelt(params)


class OfTheObject(WithoutStep):
    def __init__(self, params: Any) -> None:
        super().__init__(params)
        self.step = lambda closure=None: None  # type: ignore[method-assign]


@pytest.mark.parametrize("name", ["WithoutStep", "Misspelt", "NoMethod", "returns_one"])
def test_one_without_a_step_is_told(name: str, params: Parameters) -> None:
    for _ in range(2):  # PyTorch wraps the step of a class when it is first constructed
        with pytest.raises(UserError, match=rf"{name}: \w+ has no step\(\); define step"):
            construct(f"{__name__}.{name}", params, {})


def test_a_step_may_be_the_object_s(params: Parameters) -> None:
    assert construct(f"{__name__}.OfTheObject", params, {})


def test_a_module_that_fails_on_import_is_the_users_to_mend(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken_optimizer_module.py").write_text("1 / 0\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UserError, match=r"broken_optimizer_module.*division by zero"):
        resolve("broken_optimizer_module.Mine")


@pytest.mark.parametrize(
    ("target", "kwargs", "message"),
    [
        ("torch.optim.NAdam", {"lr": 0.1, "beta1": 0.9}, "no option 'beta1' .given beta1=0.9.; it"),
        (
            "torch.optim.NAdam",
            {"lr": -1.0},
            r"NAdam: Invalid learning rate: -1.0 \(it refuses lr=-1.0\)",
        ),
        (
            "torch.optim.SGD",
            {"lr": 0.1, "nesterov": True},
            r"SGD: Nesterov momentum requires .* \(it refuses nesterov=True\)",
        ),
        (f"{__name__}.Sullen", {"lr": 0.1}, r"Sullen: OSError: not today \(given lr=0.1\)$"),
        (
            f"{__name__}.nothing",
            {"lr": 0.1},
            "returned None of type NoneType; it must return a torch.opt",
        ),
    ],
)
def test_what_a_constructor_refuses_is_told_with_option_and_value(
    target: str, kwargs: dict[str, Any], message: str, params: Parameters
) -> None:
    with pytest.raises(UserError, match=message):
        construct(target, params, kwargs)


class Sullen(torch.optim.SGD):
    """Refuses everything, for a reason that has nothing to do with what it is given."""

    def __init__(self, params: Any, lr: float) -> None:
        raise OSError("not today")


def nothing(params: Any, lr: float) -> None:
    """Forgets to return."""


def of_names(named_parameters: Any, lr: float, decayed: str) -> torch.optim.Optimizer:
    return torch.optim.SGD(
        [{"params": [p], "weight_decay": 0.1 * (n == decayed)} for n, p in named_parameters], lr
    )


def of_model(model: torch.nn.Linear, lr: float) -> torch.optim.Optimizer:
    return torch.optim.SGD([model.bias], lr)


def of_parts(
    params: Any, lr: float, base: Any, make: Any = None, dtype: Any = None, each: Any = ()
) -> torch.optim.Optimizer:
    optimizer = base(params, lr)
    optimizer.defaults |= {"made": make and make(), "dtype": dtype, "each": each}
    return optimizer


def test_a_target_is_given_what_its_first_argument_asks_for(params: Parameters) -> None:
    named = construct(f"{__name__}.of_names", params, {"lr": 0.1, "decayed": "weight"})
    assert [group["weight_decay"] for group in named.param_groups] == [0.1, 0.0]
    of_the_model = construct(f"{__name__}.of_model", params, {"lr": 0.1})
    assert of_the_model.param_groups[0]["params"][0] is params.tensors[1]


def test_arguments_may_be_classes_functions_and_types(params: Parameters) -> None:
    given: dict[str, Any] = {
        "lr": 0.1,
        "base": {"_target_": "hydra.utils.get_class", "path": "torch.optim.Adagrad"},
        "make": {"_target_": "fractions.Fraction", "_partial_": True, "numerator": 3},
        "dtype": {"_target_": "hydra.utils.get_object", "path": "torch.bfloat16"},
        "each": [{"_target_": "builtins.complex", "real": 2}, 5],
    }
    made = construct(f"{__name__}.of_parts", params, given)
    assert isinstance(made, torch.optim.Adagrad)
    assert made.defaults["made"] == 3
    assert made.defaults["dtype"] is torch.bfloat16
    assert made.defaults["each"] == [2 + 0j, 5]
    given["base"]["path"] = "torch.optim.Adagrat"
    with pytest.raises(UserError, match=r"optimizer.kwargs.base._target_=hydra.*Adagrat"):
        construct(f"{__name__}.of_parts", params, given)


def without_stepsize(params: Any, rate: float = 0.5) -> torch.optim.Optimizer:
    return torch.optim.SGD(params, rate)


@pytest.mark.parametrize(
    ("settings", "given"),
    [
        ({"lr": 0.001}, {}),  # the default of configs/optimizer/torch.yaml
        ({"lr": None}, {}),
        ({"lr": 0.001, "lr_name": "rate"}, {"rate": 0.001}),
        ({"lr": 0.1}, "lr=0.1: .*without_stepsize has no argument lr; it takes rate"),
        ({"lr": 0.1, "lr_name": "speed"}, "lr_name=speed: .* no such argument; it takes rate"),
    ],
)
def test_a_target_without_lr_needs_none(settings: dict[str, Any], given: Any) -> None:
    section = {"name": "torch", "target": f"{__name__}.without_stepsize", "kwargs": {}, **settings}
    if isinstance(given, dict):
        assert arguments(section) == given
    else:
        with pytest.raises(UserError, match=given):
            arguments(section)


def test_parts_take_the_steps_that_they_take_alone() -> None:
    def model() -> torch.nn.Linear:
        torch.manual_seed(0)
        return torch.nn.Linear(4, 3)

    def step(optimizer: Any, net: torch.nn.Linear) -> None:
        optimizer.zero_grad()
        net(torch.ones(2, 4)).square().sum().backward()
        optimizer.step()

    whole, apart = model(), model()
    adam = partial(torch.optim.Adam, lr=0.1)
    joined = Partitioned(
        (partial(torch.optim.SGD, lr=0.1, momentum=0.9), [whole.weight]),
        (adam, [whole.bias]),
        (adam, []),  # as of a model without biases
    )
    alone = [
        torch.optim.SGD([apart.weight], 0.1, momentum=0.9),
        torch.optim.Adam([apart.bias], 0.1),
    ]
    for i in range(6):
        step(joined, whole)
        apart.zero_grad()
        apart(torch.ones(2, 4)).square().sum().backward()
        for one in alone:
            one.step()
        assert torch.equal(whole.weight, apart.weight)
        assert torch.equal(whole.bias, apart.bias)
        if i == 2:  # it goes on from its state
            saved = copy.deepcopy(joined.state_dict())
            joined = Partitioned(
                (partial(torch.optim.SGD, lr=9.0), [whole.weight]),
                (adam, [whole.bias]),
            )
            joined.load_state_dict(saved)
        if i == 4:  # what a schedule changes are the groups of the parts
            for group in [*joined.param_groups, *(g for one in alone for g in one.param_groups)]:
                group["lr"] *= 0.5


@pytest.mark.skipif(not hasattr(torch.optim, "Muon"), reason="this PyTorch has no Muon")
def test_the_function_for_muon_is_as_it_is_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, params: Parameters
) -> None:
    text = (Path(__file__).parents[2] / "configs" / "README.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n# my_module.py\n(.*?)```", text, re.DOTALL)
    (tmp_path / "printed_muon.py").write_text(code, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    made = construct("printed_muon.muon", params, {"lr": 0.5})
    assert [group["lr"] for group in made.param_groups] == [0.5, 1e-3]
    assert [[p.ndim for p in group["params"]] for group in made.param_groups] == [[2], [1]]
