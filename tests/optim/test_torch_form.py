"""Each method keeps the rules a `torch.optim.Optimizer` keeps."""

from __future__ import annotations

import copy
import io
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from adam_repro.errors import UserError
from adam_repro.optim import OPTIMIZERS, SGD, Adam, Choice, Range
from adam_repro.optim.rule import HyperparameterError

every_method = pytest.mark.parametrize("name", OPTIMIZERS)


def net(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 1)).double()


def train(model: nn.Module, optimizer: torch.optim.Optimizer, steps: range) -> None:
    for step in steps:
        torch.manual_seed(step)
        x = torch.randn(16, 5, dtype=torch.float64)
        optimizer.zero_grad()
        (model(x) - x.sum(1, keepdim=True)).square().mean().backward()
        optimizer.step()


def flat(model: nn.Module) -> Tensor:
    return torch.cat([p.detach().reshape(-1) for p in model.parameters()])


@pytest.mark.slow
@every_method
def test_goes_on_from_a_saved_state_as_if_never_stopped(name: str) -> None:
    straight = net()
    train(straight, OPTIMIZERS[name](straight.parameters(), lr=0.02), range(20))

    first = net()
    optimizer = OPTIMIZERS[name](first.parameters(), lr=0.02)
    train(first, optimizer, range(10))
    file = io.BytesIO()
    torch.save({"model": first.state_dict(), "optimizer": optimizer.state_dict()}, file)
    file.seek(0)
    saved = torch.load(file, weights_only=True)
    second = net(seed=1)
    second.load_state_dict(saved["model"])
    optimizer = OPTIMIZERS[name](second.parameters())
    optimizer.load_state_dict(saved["optimizer"])
    train(second, optimizer, range(10, 20))
    assert torch.equal(flat(second), flat(straight))


@every_method
def test_a_deep_copy_trains_like_the_original(name: str) -> None:
    model = net()
    optimizer = OPTIMIZERS[name](model.parameters(), lr=0.02)
    train(model, optimizer, range(3))
    model_copy, optimizer_copy = copy.deepcopy((model, optimizer))
    train(model, optimizer, range(3, 6))
    train(model_copy, optimizer_copy, range(3, 6))
    assert torch.equal(flat(model), flat(model_copy))


@every_method
def test_groups_have_their_own_hyperparameters(name: str) -> None:
    grouped, alone = net(), net()
    optimizer = OPTIMIZERS[name]([{"params": grouped[0].parameters(), "lr": 0.5}], lr=0.01)
    optimizer.add_param_group({"params": grouped[2].parameters()})
    assert [group["lr"] for group in optimizer.param_groups] == [0.5, 0.01]
    train(grouped, optimizer, range(1))
    for part, lr in ((0, 0.5), (2, 0.01)):
        alone = net()
        train(alone, OPTIMIZERS[name](alone.parameters(), lr=lr), range(1))
        assert torch.equal(flat(grouped[part]), flat(alone[part]))


@every_method
def test_a_group_may_be_frozen_and_may_not_bear_pytorchs_names(name: str) -> None:
    frozen, free = net(), net()
    groups = [{"params": frozen.parameters(), "lr": 0.0}, {"params": free.parameters()}]
    optimizer = OPTIMIZERS[name](groups, lr=0.01)
    before = flat(frozen).clone()
    train(frozen, optimizer, range(1))
    assert torch.equal(flat(frozen), before)
    with pytest.raises(HyperparameterError, match="has no hyperparameter 'betas'"):
        optimizer.add_param_group({"params": net().parameters(), "betas": (0.5, 0.5)})


@every_method
def test_a_closure_is_evaluated_once_and_its_loss_returned(name: str) -> None:
    p, calls = nn.Parameter(torch.tensor(2.0)), []
    optimizer = OPTIMIZERS[name]([p])

    def closure() -> Tensor:
        calls.append(torch.is_grad_enabled())
        optimizer.zero_grad()
        loss = p.square()
        loss.backward()
        return loss

    assert optimizer.step(closure).item() == 4.0
    assert calls == [True]
    assert p.item() < 2.0
    assert optimizer.step() is None


@every_method
def test_obeys_a_learning_rate_scheduler(name: str) -> None:
    """Against the same optimizer, its lr set by hand."""
    scheduled, by_hand = net(), net()
    a, b = (OPTIMIZERS[name](model.parameters(), lr=0.1) for model in (scheduled, by_hand))
    scheduler = torch.optim.lr_scheduler.LambdaLR(a, lambda k: (k + 1) ** -0.5)
    for step in range(8):
        train(scheduled, a, range(step, step + 1))
        scheduler.step()
        b.param_groups[0]["lr"] = 0.1 * (step + 1) ** -0.5
        train(by_hand, b, range(step, step + 1))
    torch.testing.assert_close(flat(scheduled), flat(by_hand), rtol=1e-12, atol=0)


@pytest.mark.parametrize(
    "scheduler",
    [
        lambda o: torch.optim.lr_scheduler.StepLR(o, 2),
        lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, 6),
        lambda o: torch.optim.lr_scheduler.OneCycleLR(o, 0.1, total_steps=6, cycle_momentum=False),
    ],
)
def test_pytorchs_schedulers_accept_adam(scheduler: Any) -> None:
    model = net()
    optimizer = Adam(model.parameters())
    rates, schedule = [], scheduler(optimizer)
    for step in range(6):
        train(model, optimizer, range(step, step + 1))
        rates.append(optimizer.param_groups[0]["lr"])
        schedule.step()
    assert len(set(rates)) > 1
    assert flat(model).isfinite().all()


@every_method
def test_a_parameter_without_gradient_is_left_alone_and_counts_no_step(name: str) -> None:
    used, unused = nn.Parameter(torch.ones(3)), nn.Parameter(torch.ones(3))
    optimizer = OPTIMIZERS[name]([used, unused])
    used.grad = torch.ones(3)
    optimizer.step()
    assert torch.equal(unused, torch.ones(3))
    assert unused not in optimizer.state
    assert optimizer.state[used]["step"] == 1
    unused.grad = torch.ones(3)
    used.grad = None
    optimizer.step()
    torch.testing.assert_close(unused, used)


@every_method
def test_scalars_and_empty_parameters_are_parameters(name: str) -> None:
    scalar, empty = nn.Parameter(torch.tensor(1.0)), nn.Parameter(torch.ones(0))
    optimizer = OPTIMIZERS[name]([scalar, empty])
    scalar.grad, empty.grad = torch.tensor(1.0), torch.ones(0)
    optimizer.step()
    assert scalar.item() < 1.0


def test_a_channels_last_weight_is_updated() -> None:
    weight = nn.Parameter(torch.randn(4, 3, 2, 2).to(memory_format=torch.channels_last))
    before, optimizer = weight.detach().clone(), Adam([weight])
    weight.grad = torch.ones_like(weight)
    optimizer.step()
    torch.testing.assert_close(before - weight, torch.full((4, 3, 2, 2), 1e-3), rtol=1e-3, atol=0)


@pytest.mark.parametrize(
    ("gradient", "kind"),
    [(torch.ones(3).to_sparse(), "sparse"), (torch.ones(3, dtype=torch.complex64), "complex")],
)
def test_sparse_and_complex_gradients_are_refused(gradient: Tensor, kind: str) -> None:
    p = nn.Parameter(torch.zeros(3, dtype=gradient.dtype))
    p.grad = gradient
    with pytest.raises(RuntimeError, match=rf"shape \(3,\) has a {kind} gradient"):
        Adam([p]).step()


ILLEGAL = [
    ("adam", {"lr": -1e-3}, r"lr=-0\.001: must be a finite number, above 0"),
    ("adam", {"lr": float("nan")}, "lr=nan"),
    ("adam", {"beta1": 1.0}, r"beta1=1\.0: must be a finite number, at least 0 and below 1"),
    ("adam", {"beta2": "0.9"}, "beta2='0.9'"),
    ("adam", {"eps": True}, "eps=True"),
    ("adam", {"bias_correction": "w"}, "bias_correction='w': must be one of both, m, v, none"),
    ("adam", {"form": None}, "form=None"),
    ("adamw", {"weight_decay": -1}, "weight_decay=-1"),
    ("sgd_nesterov", {"momentum": 1}, "momentum=1"),
    ("adadelta", {"eps": 0.0}, r"eps=0\.0: must be a finite number, above 0"),
    ("rmsprop", {"rho": float("inf")}, "rho=inf"),
]


@pytest.mark.parametrize(("name", "bad", "message"), ILLEGAL)
def test_an_illegal_value_is_named_with_what_is_legal(
    name: str, bad: dict[str, Any], message: str
) -> None:
    method, p = OPTIMIZERS[name], nn.Parameter(torch.zeros(1))
    with pytest.raises(ValueError, match=message):
        method([p], **bad)
    with pytest.raises(UserError, match=message):
        method.check({**method([p]).defaults, **bad})
    with pytest.raises(ValueError, match=message):
        method([{"params": [p], **bad}])


def test_a_misspelt_or_missing_hyperparameter_is_named() -> None:
    h = Adam([nn.Parameter(torch.zeros(1))]).defaults
    with pytest.raises(UserError, match=r"no hyperparameter 'beta_2' \(did you mean beta2"):
        Adam.check({**h, "beta_2": 0.9})
    with pytest.raises(UserError, match="SGD has no hyperparameter 'zeta'; it has lr"):
        SGD.check({"lr": 0.1, "zeta": 1})
    with pytest.raises(UserError, match="Adam needs form: give one of algorithm1, efficient"):
        Adam.check({name: value for name, value in h.items() if name != "form"})


def test_ranges_say_their_bounds() -> None:
    assert str(Range(ge=0, le=1)) == "a finite number, at least 0 and at most 1"
    assert str(Range()) == "a finite number"
    assert Range(ge=0, le=1).admits(1)
    assert not Range(gt=0).admits(0.0)
    assert not Choice("a").admits("b")
