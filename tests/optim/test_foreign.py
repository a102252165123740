"""Any `torch.optim.Optimizer` class by its import path."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from adam_repro.errors import UserError
from adam_repro.optim.foreign import construct, resolve


@pytest.fixture
def params() -> list[torch.nn.Parameter]:
    return [torch.nn.Parameter(torch.zeros(2))]


def test_a_path_leads_to_its_class(params: list[torch.nn.Parameter]) -> None:
    assert resolve("torch.optim.NAdam") is torch.optim.NAdam
    optimizer = construct("torch.optim.NAdam", params, {"lr": 0.1, "betas": [0.5, 0.9]})
    assert isinstance(optimizer, torch.optim.NAdam)
    assert optimizer.param_groups[0]["lr"] == 0.1
    params[0].grad = torch.ones(2)
    optimizer.step()
    assert (params[0] < 0).all()


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (None, "optimizer.target=None: give the import path"),
        ("NAdam", "optimizer.target=NAdam: give the import path"),
        ("no_such_package.Adam", "the module 'no_such_package' cannot be imported"),
        ("torch.optim.NAdamm", "no 'NAdamm'; did you mean torch.optim.NAdam?"),
        ("torch.nn.Linear", "Linear is not a subclass of torch.optim.Optimizer"),
        ("torch.optim.lr_scheduler", "lr_scheduler is not a subclass"),
    ],
)
def test_a_wrong_path_is_told_apart(target: str | None, message: str) -> None:
    with pytest.raises(UserError, match=message):
        resolve(target)


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
        ("torch.optim.NAdam", {"lr": -1.0}, "torch.optim.NAdam refuses lr=-1.0: Invalid learning"),
        ("torch.optim.SGD", {"lr": 0.1, "nesterov": True}, "nesterov=True: Nesterov momentum"),
        ("torch.optim.LBFGS", {"lr": 0.1}, "its step needs a closure"),
    ],
)
def test_what_a_constructor_refuses_is_told_with_option_and_value(
    target: str, kwargs: dict[str, Any], message: str, params: list[torch.nn.Parameter]
) -> None:
    with pytest.raises(UserError, match=message):
        construct(target, params, kwargs)
