"""What must hold for every method."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from adam_repro.optim import OPTIMIZERS, apply, init_state
from tests.optim.references import CASES, REFERENCES, defaults, random_gradients, run, stack

T = torch.float64
every_method = pytest.mark.parametrize("name", OPTIMIZERS)
every_case = pytest.mark.parametrize(
    ("name", "changes"), CASES, ids=[f"{n}-{'-'.join(map(str, c.values()))}" for n, c in CASES]
)


@pytest.mark.slow
@every_case
@pytest.mark.parametrize("how", ["apply", "rule", "stack"])
def test_agrees_with_its_reference(name: str, changes: dict[str, Any], how: str) -> None:
    h = defaults(name, **changes)
    theta, gradients = np.linspace(-1, 1, 23), random_gradients(200, 23)
    expected = REFERENCES[name](theta, gradients, h)
    if how == "stack":
        h, theta, gradients = stack(name, [h]), theta[None], gradients[:, None]
    found = run(name, theta, gradients, h, rule=how == "rule").numpy().reshape(-1)
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12)


SAME_RULE_IN_TORCH = [
    ("adam", {}, torch.optim.Adam, {"betas": (0.9, 0.999)}),
    ("adam", {"beta1": 0.5, "eps": 0.1}, torch.optim.Adam, {"betas": (0.5, 0.999), "eps": 0.1}),
    ("adamw", {}, torch.optim.AdamW, {"betas": (0.9, 0.999)}),
    ("adagrad", {"eps": 1e-10}, torch.optim.Adagrad, {}),
    ("rmsprop", {"rho": 0.99}, torch.optim.RMSprop, {}),
    ("rmsprop", {"momentum": 0.9}, torch.optim.RMSprop, {"alpha": 0.9, "momentum": 0.9}),
    ("sgd", {}, torch.optim.SGD, {}),
    ("sgd_momentum", {}, torch.optim.SGD, {"momentum": 0.9}),
    ("sgd_nesterov", {}, torch.optim.SGD, {"momentum": 0.9, "nesterov": True}),
    ("adadelta", {"rho": 0.9}, torch.optim.Adadelta, {}),
    ("adamax", {}, torch.optim.Adamax, {"eps": 1e-30}),
]


@pytest.mark.parametrize(("name", "changes", "peer", "settings"), SAME_RULE_IN_TORCH)
def test_agrees_with_pytorch_where_it_has_the_same_rule(
    name: str, changes: dict[str, Any], peer: Any, settings: dict[str, Any]
) -> None:
    h = defaults(name, **changes)
    start = torch.linspace(-1, 1, 23, dtype=T)
    gradients = torch.as_tensor(random_gradients(200, 23))
    p = torch.nn.Parameter(start.clone())
    optimizer = peer([p], lr=h.lr, **settings)
    for g in gradients:
        p.grad = g.clone()
        optimizer.step()
    torch.testing.assert_close(run(name, start, gradients, h), p.data, rtol=1e-10, atol=1e-12)


def test_amsgrad_is_pytorchs_without_the_bias_corrections() -> None:
    h = defaults("amsgrad", eps=0.0)
    start, g = torch.ones(3, dtype=T), torch.tensor([1.0, -2.0, 0.5], dtype=T)
    moved = run("amsgrad", start, g[None], h) - start
    expected = -h.lr * (1 - h.beta1) / (1 - h.beta2) ** 0.5 * g.sign()
    torch.testing.assert_close(moved, expected, rtol=1e-12, atol=0)


def test_sign_descent_is_adam_without_memory() -> None:
    start, gradients = torch.linspace(-1, 1, 23, dtype=T), random_gradients(50, 23)
    adam = defaults("adam", beta1=0.0, beta2=0.0, eps=0.0)
    signs = run("signsgd", start, gradients, defaults("signsgd", lr=adam.lr))
    torch.testing.assert_close(signs, run("adam", start, gradients, adam), rtol=0, atol=1e-12)


@every_method
def test_a_stack_gives_every_trial_what_it_gets_alone(name: str) -> None:
    changes = {"lr": [1e-3, 1e-2, 1e-1], "beta1": [0.0, 0.9, 0.5], "beta2": [0.999, 0.9, 0.99]}
    changes |= {"rho": [0.9, 0.5, 0.99], "momentum": [0.0, 0.9, 0.5], "eps": [1e-8, 1e-4, 1e-2]}
    legal = OPTIMIZERS[name].hyperparameters
    trials = [
        defaults(name, **{key: values[i] for key, values in changes.items() if key in legal})
        for i in range(3)
    ]
    start = torch.randn(3, 17, dtype=T)
    gradients = torch.randn(50, 3, 17, dtype=T)
    together = run(name, start, gradients, stack(name, trials))
    for i, h in enumerate(trials):
        alone = run(name, start[i], gradients[:, i], h)
        torch.testing.assert_close(together[i], alone, rtol=1e-11, atol=1e-13)


@every_method
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_diverged_trial_leaves_its_neighbours_alone(name: str, bad: float) -> None:
    h = stack(name, [defaults(name)] * 3)
    start, gradients = torch.randn(3, 9), torch.randn(5, 3, 9)
    clean = run(name, start, gradients, h)
    gradients[2, 1] = bad
    touched = run(name, start, gradients, h)
    # The step of Lion and SignSGD is a sign, and PyTorch's sign of NaN is 0.
    if name in REFERENCES and name not in ("lion", "signsgd"):
        assert not touched[1].isfinite().any()
    assert torch.equal(touched[[0, 2]], clean[[0, 2]])


@every_method
def test_the_step_count_may_live_in_a_tensor(name: str) -> None:
    h, start, g = defaults(name), torch.randn(9, dtype=T), torch.randn(9, dtype=T)
    results = []
    for count in (3, torch.tensor(3.0, dtype=T)):
        theta = start.clone()
        apply(OPTIMIZERS[name], theta, g, init_state(OPTIMIZERS[name], theta), h, count)
        results.append(theta)
    torch.testing.assert_close(results[0], results[1], rtol=1e-13, atol=0)


@every_method
def test_the_scalars_of_many_steps_can_be_computed_at_once(name: str) -> None:
    method, h = OPTIMIZERS[name], stack(name, [defaults(name), defaults(name, lr=0.5)])
    table = method.scalars(h, torch.arange(1, 6, dtype=T).view(-1, 1, 1))
    for t in range(1, 6):
        for key, value in method.scalars(h, t).items():
            row = table[key].expand(5, 2, 1)[t - 1]
            torch.testing.assert_close(row, torch.as_tensor(value).expand(2, 1), rtol=1e-14, atol=0)


@every_method
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("stacked", [False, True])
def test_keeps_the_dtype_and_the_gradient(name: str, dtype: torch.dtype, stacked: bool) -> None:
    h = stack(name, [defaults(name)] * 2) if stacked else defaults(name)
    theta, g = torch.zeros(2, 5, dtype=dtype), torch.ones(2, 5, dtype=dtype)
    before = g.clone()
    state = init_state(OPTIMIZERS[name], theta)
    apply(OPTIMIZERS[name], theta, g, state, h, 1)
    assert theta.dtype == dtype
    assert all(slot.dtype == dtype for slot in state.values())
    assert torch.equal(g, before)
    assert (theta < 0).all()


@every_method
def test_a_coordinate_whose_gradient_was_always_zero_does_not_move(name: str) -> None:
    h = defaults(name)
    if "eps" in OPTIMIZERS[name].hyperparameters and name != "adadelta":
        h.eps = 0.0
    if name == "adamw":
        h.weight_decay = 0.0
    for trial in (h, stack(name, [h])):
        start, gradients = torch.ones(1, 4), torch.randn(21, 1, 4)  # odd: signs do not cancel
        gradients[:, :, 2] = 0.0
        theta = run(name, start, gradients, trial)
        assert theta[0, 2] == 1.0
        assert theta.isfinite().all()
        assert (theta != 1.0).sum() == 3


@pytest.mark.slow
@every_method
def test_converges_on_a_quadratic(name: str) -> None:
    """f(theta) = |curvature (theta - best)|^2 / 2, stepsize falling to zero."""
    best, curvature = torch.tensor([1.0, -2.0], dtype=T), torch.tensor([1.0, 3.0], dtype=T)
    h = defaults(name)
    if name == "adamw":
        h.weight_decay = 0.0
    peak = {"sgd": 0.05, "sgd_momentum": 0.02, "sgd_nesterov": 0.02, "adadelta": 5.0}.get(name, 0.3)
    theta, method = torch.zeros(2, dtype=T), OPTIMIZERS[name]
    state = init_state(method, theta)
    for t in range(1, 1501):
        h.lr = peak * (1 - t / 1501)
        apply(method, theta, curvature**2 * (theta - best), state, h, t)
    torch.testing.assert_close(theta, best, rtol=0, atol=1e-2)
