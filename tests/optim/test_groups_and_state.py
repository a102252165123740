"""What other people's code puts into groups and states: what is taken, and how the rest is refused."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
import torch
from torch import nn

from adam_repro.errors import UserError
from adam_repro.optim import OPTIMIZERS, SGD, Adam, AdaMax, RMSProp, SGDMomentum
from adam_repro.optim.rule import HyperparameterError
from adam_repro.optim.settings import StateError

every_method = pytest.mark.parametrize("name", OPTIMIZERS)
OFF = {
    "weight_decay": 0.0, "maximize": False, "amsgrad": False, "nesterov": False, "dampening": 0,
    "centered": False, "decoupled_weight_decay": False, "momentum": 0, "lr_decay": 0.0, "eps": 0.0,
    "differentiable": False, "foreach": None, "fused": None, "capturable": False,
}  # fmt: skip
ON = {
    "weight_decay": 0.1, "maximize": True, "amsgrad": True, "nesterov": True, "dampening": 0.9,
    "centered": True, "decoupled_weight_decay": True, "momentum": 0.9, "lr_decay": 0.1,
    "betas": (0.9, 0.99), "differentiable": True, "eps": 0.1,
}  # fmt: skip
#: Of a scheduler, of SWA, of wrappers as WSAM, of layer-wise decay, of names people give.
FOREIGN = {
    "initial_lr": 0.1, "max_lr": 1.0, "min_lr": 0.0, "swa_lr": 0.05, "lr_scale": 0.5,
    "base_momentum": 0.8, "max_momentum": 0.95, "name": "no_decay", "sam_eps": 1e-12, "adaptive": True,
    "counter": 3, "beta3": 0.5, "decouple": True,
}  # fmt: skip


def parameter(*shape: int) -> nn.Parameter:
    return nn.Parameter(torch.ones(shape or (3,)))


def step(optimizer: torch.optim.Optimizer) -> None:
    for group in optimizer.param_groups:
        for p in group["params"]:
            p.grad = torch.ones_like(p)
    optimizer.step()


@every_method
def test_a_setting_of_pytorch_that_is_off_changes_nothing(name: str) -> None:
    method, known = OPTIMIZERS[name], OPTIMIZERS[name].hyperparameters
    off = {key: value for key, value in OFF.items() if key not in known}
    plain, grouped = parameter(), parameter()
    step(method([plain]))
    optimizer = method([{"params": [grouped], **off}])
    step(optimizer)
    assert torch.equal(plain, grouped)
    assert optimizer.param_groups[0].items() >= off.items()


@every_method
@pytest.mark.parametrize("key", ON)
def test_a_setting_of_pytorch_that_is_on_is_refused(name: str, key: str) -> None:
    method = OPTIMIZERS[name]
    if key in method.hyperparameters:
        assert method([{"params": [parameter()], key: ON[key]}]).param_groups[0][key] == ON[key]
        return
    with pytest.raises(HyperparameterError, match=f"has no hyperparameter '{key}'; it has lr"):
        method([{"params": [parameter()], key: ON[key]}])


@every_method
def test_keys_of_schedulers_and_wrappers_are_left_alone(name: str) -> None:
    own = OPTIMIZERS[name].hyperparameters  # of a rule with beta, beta3 is a misspelling
    foreign = {k: v for k, v in FOREIGN.items() if k.rstrip("3") not in own}
    optimizer = OPTIMIZERS[name]([{"params": [parameter()], **foreign}])
    step(optimizer)
    assert optimizer.param_groups[0].items() >= foreign.items()
    optimizer.load_state_dict(optimizer.state_dict())
    assert optimizer.param_groups[0].items() >= foreign.items()


@pytest.mark.parametrize(
    ("method", "written", "meant"),
    [
        (Adam, "beta_1", "beta1"),
        (Adam, "Beta2", "beta2"),
        (Adam, "beta", "beta1"),
        (Adam, "epsilon", "eps"),
        (Adam, "learning_rate", "lr"),
        (Adam, "LR", "lr"),
        (Adam, "bias_corection", "bias_correction"),
        (OPTIMIZERS["adamw"], "weigth_decay", "weight_decay"),
        (SGDMomentum, "momentun", "momentum"),
        (RMSProp, "alpha", "rho"),
    ],
)
def test_another_spelling_is_refused_with_the_name_that_is_meant(
    method: Any, written: str, meant: str
) -> None:
    with pytest.raises(
        HyperparameterError, match=rf"no hyperparameter '{written}' \(did you mean {meant}\?\)"
    ):
        method([{"params": [parameter()], written: 0.5}])


def test_alpha_is_a_wrappers_own_where_no_rho_is_meant() -> None:
    assert Adam([{"params": [parameter()], "alpha": 0.9}]).param_groups[0]["alpha"] == 0.9


@every_method
@pytest.mark.parametrize("shape", [(), (1,), (1, 1)])
def test_a_stepsize_may_be_a_tensor(name: str, shape: tuple[int, ...]) -> None:
    method, lr = OPTIMIZERS[name], torch.full(shape, 0.25)
    found = []
    for rate in (0.25, lr):
        everywhere, grouped = parameter(), parameter()
        for optimizer in (
            method([everywhere], lr=rate),
            method([{"params": [grouped], "lr": rate}]),
        ):
            step(optimizer)
            step(optimizer)
        found += [everywhere.detach(), grouped.detach()]
    assert all(torch.equal(found[0], x) for x in found)


def test_a_tensor_is_checked_like_a_number() -> None:
    for bad, message in (
        (torch.tensor([0.1, 0.1]), "Tensor lr must be 1-element: it has shape \\(2,\\)"),
        (torch.tensor(-0.1), "must be a finite number, above 0"),
        (torch.tensor(float("nan")), "lr=nan"),
        (torch.tensor(True), "lr=True"),
    ):
        with pytest.raises(HyperparameterError, match=message):
            Adam([parameter()], lr=bad)
        with pytest.raises(HyperparameterError, match=message):
            Adam([{"params": [parameter()], "lr": bad}])
    with pytest.raises(HyperparameterError, match=r"beta1=1\.5"):
        Adam([parameter()], beta1=torch.tensor(1.5))


def test_a_stepsize_in_a_tensor_obeys_a_scheduler_and_may_be_zero() -> None:
    p, lr = parameter(), torch.tensor(0.5)
    optimizer = SGD([p], lr=lr)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1, gamma=0.5)
    step(optimizer)
    scheduler.step()
    assert optimizer.param_groups[0]["lr"] is lr
    step(optimizer)
    torch.testing.assert_close(p.detach(), torch.full((3,), 1 - 0.5 - 0.25))
    optimizer.load_state_dict(optimizer.state_dict())
    optimizer.param_groups[0]["lr"] = torch.tensor(0.0)
    optimizer.load_state_dict(optimizer.state_dict())  # a frozen group is legal


DAMAGES = [
    (lambda d: d["param_groups"][0].update(beta1=1.5), HyperparameterError, r"Adam: beta1=1\.5: must"),
    (lambda d: d["param_groups"][0].update(lr=-1), HyperparameterError, "Adam: lr=-1: must be"),
    (
        lambda d: d["param_groups"][0].update(bias_correction="w"),
        HyperparameterError,
        "bias_correction='w': must be one of both",
    ),
    (lambda d: d["param_groups"][0].pop("eps"), StateError, "a group has no eps: it has lr, beta1"),
    (lambda d: d["state"][0].pop("v"), StateError, "parameter 0 has no v: it has step, m"),
    (lambda d: d["state"][0].pop("step"), StateError, "parameter 0 has no step: it has m, v"),
    (
        lambda d: d["state"][0].update(m=torch.ones(2)),
        StateError,
        r"parameter 0: m has shape \(2,\), and the parameter has shape \(3,\)",
    ),
    (lambda d: d["state"][0].update(v=None), StateError, "parameter 0: v has None"),
    (lambda d: d["state"][0].update(step="three"), StateError, "step is a .*: must be a number of steps"),
    (lambda d: d["state"][0].update(step=-2), StateError, "step=-2: must be a number of steps, at"),
    (lambda d: d["state"][0].update(step=torch.tensor(torch.nan)), StateError, "step=nan: must"),
    (lambda d: d["state"][0].update(step=torch.ones(2)), StateError, r"step has shape \(2,\)"),
]  # fmt: skip


@pytest.mark.parametrize(("damage", "kind", "message"), DAMAGES)
def test_a_damaged_state_is_refused_and_nothing_is_loaded(
    damage: Any, kind: type[Exception], message: str
) -> None:
    optimizer = Adam([parameter()])
    step(optimizer)
    saved = copy.deepcopy(optimizer.state_dict())
    damage(saved)
    before = copy.deepcopy(optimizer.state_dict())
    for expected in (kind, UserError, ValueError):
        with pytest.raises(expected, match=message):
            optimizer.load_state_dict(saved)
    after = optimizer.state_dict()
    assert after["param_groups"] == before["param_groups"]
    torch.testing.assert_close(after["state"], before["state"], rtol=0, atol=0)
    step(optimizer)


@pytest.mark.parametrize("other", [torch.optim.Adam, torch.optim.SGD, SGDMomentum, AdaMax])
def test_another_methods_state_is_refused(other: Any) -> None:
    theirs = other([parameter()], lr=0.1)
    step(theirs)
    with pytest.raises(StateError, match="Adam cannot take up this state: a group has no"):
        Adam([parameter()]).load_state_dict(theirs.state_dict())


def test_a_step_count_may_be_saved_as_a_plain_number() -> None:
    """As earlier versions did."""
    a, b = parameter(), parameter()
    first, second = Adam([a]), Adam([b])
    step(first)
    saved = copy.deepcopy(first.state_dict())
    saved["state"][0]["step"] = 1
    with torch.no_grad():
        b.copy_(a)
    second.load_state_dict(saved)
    for optimizer in (first, second):
        step(optimizer)
    assert torch.equal(a, b)
    assert second.state[b]["step"] == 2


@every_method
def test_a_pickled_optimizer_goes_on(name: str) -> None:
    method = OPTIMIZERS[name]
    p = parameter()
    optimizer = method([{"params": [p]}, {"params": [parameter(2)], "lr": 0.0}])
    step(optimizer)
    other = pickle.loads(pickle.dumps(optimizer))
    for one in (optimizer, other):
        step(one)
    assert torch.equal(other.param_groups[0]["params"][0], p)


def test_a_loaded_hook_sees_the_state_and_may_repair_it() -> None:
    """The checks come after the hooks."""
    optimizer = Adam([parameter()])
    step(optimizer)
    saved = copy.deepcopy(optimizer.state_dict())
    del saved["param_groups"][0]["eps"]

    def repair(_: Any, state: dict[str, Any]) -> dict[str, Any]:
        state["param_groups"][0]["eps"] = 1e-8
        return state

    optimizer.register_load_state_dict_pre_hook(repair)
    optimizer.load_state_dict(saved)
