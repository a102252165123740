"""What PyTorch demands of its own optimizers, of ours.

PyTorch ships descriptions of its optimizers for its tests (`torch.testing._internal.common_optimizers`):
settings to try, mistakes and their errors, schedulers. Each of our classes gets such a description: that of
its peer, as far as the class has the setting. The tests are ours, one for each thing that PyTorch's
`test_optim.py` checks on a CPU; its names are in the docstrings.
"""

from __future__ import annotations

import copy
import io
import pickle
import warnings
from collections.abc import Callable
from typing import Any
from unittest import mock

import pytest
import torch
from torch import Tensor, nn
from torch.optim.optimizer import (
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)

from adam_repro.optim import OPTIMIZERS

pytest.importorskip("expecttest", reason="PyTorch's descriptions of its optimizers need expecttest")
with mock.patch(
    "torch.backends.disable_global_flags"
):  # which would bind the tests after these too
    shipped = pytest.importorskip("torch.testing._internal.common_optimizers")

PEERS = {
    "adam": "Adam", "adamw": "AdamW", "adam_lazy": "Adam", "adamax": "Adamax", "adagrad": "Adagrad",
    "rmsprop": "RMSprop", "adadelta": "Adadelta", "sgd": "SGD", "sgd_momentum": "SGD",
    "sgd_nesterov": "SGD", "amsgrad": "Adam", "lion": "Adam", "signsgd": "SGD",
}  # fmt: skip
#: A rule that is not named here has what every optimizer has in common with SGD.
PEER = {name: PEERS.get(name, "SGD") for name in OPTIMIZERS}
#: Whose steps are not the peer's with the same settings.
DIFFERENT = ("amsgrad", "lion", "signsgd", *(name for name in OPTIMIZERS if name not in PEERS))
#: What PyTorch's form of a method has, beside what both have, so that both take the same steps.
PEERS_OWN = {"adagrad": {"eps": 1e-10}, "adamax": {"eps": 1e-30}, "rmsprop": {"alpha": 0.9}}
OURS_OWN = {"adagrad": {"eps": 1e-10}, "adadelta": {"rho": 0.9}}
RENAMED = {"alpha": "rho"}


def description(name: str) -> Any:
    """PyTorch's `OptimizerInfo`, of our class."""
    peer = next(info for info in shipped.optim_db if info.optim_cls.__name__ == PEER[name])
    inputs = [(x, translated(name, x.kwargs)) for x in peer.optim_inputs_func("cpu", torch.float64)]
    return shipped.OptimizerInfo(
        OPTIMIZERS[name],
        optim_inputs_func=lambda device, dtype=None: [
            shipped.OptimizerInput(None, ours, x.desc) for x, ours in inputs if ours is not None
        ],
        scheduler_inputs=peer.scheduler_inputs,
        supported_impls=(),
        supports_complex=False,
        optim_error_inputs_func=shipped.get_error_inputs_for_all_optims,
    )


def translated(name: str, kwargs: dict[str, Any]) -> dict[str, Any] | None:
    """A peer's settings as ours; `None` if our method has not one that is on."""
    ours: dict[str, Any] = {}
    kwargs = dict(kwargs)
    if name.startswith("sgd"):
        kind = ("sgd", "sgd_momentum", "sgd_nesterov")
        momentum, nesterov = kwargs.get("momentum", 0), kwargs.pop("nesterov", False)
        if kind[2 if nesterov else 1 if momentum else 0] != name and set(kwargs) & {"momentum"}:
            return None
    for key, value in kwargs.items():
        if key == "betas":
            ours |= {"beta1": value[0], "beta2": value[1]}
        elif RENAMED.get(key, key) in OPTIMIZERS[name].hyperparameters:
            ours[RENAMED.get(key, key)] = value
        elif value:
            return None
    return ours


INFOS = {name: description(name) for name in OPTIMIZERS}
every_method = pytest.mark.parametrize("name", OPTIMIZERS)
INPUTS = [
    pytest.param(name, x.kwargs, id=f"{name}-{x.desc}")
    for name, info in INFOS.items()
    for x in info.optim_inputs_func("cpu")
]
every_input = pytest.mark.parametrize(("name", "kwargs"), INPUTS)
every_input_of_a_peer = pytest.mark.parametrize(
    ("name", "kwargs"), [x for x in INPUTS if x.values[0] not in DIFFERENT]
)


def make(name: str, params: Any, kwargs: dict[str, Any] | None = None) -> torch.optim.Optimizer:
    return INFOS[name].optim_cls(params, **copy.deepcopy(kwargs or {}))


class Problem:
    """A linear model whose gradient any optimizer goes down: |W x + b|^2, ten inputs and five outputs."""

    def __init__(self, dtype: torch.dtype = torch.float64, contiguous: bool = True) -> None:
        torch.manual_seed(0)
        weight = torch.randn(10, 5, dtype=dtype)
        if not contiguous:
            weight = torch.stack((weight, weight), -1)[..., 0]
        self.weight, self.bias = nn.Parameter(weight), nn.Parameter(torch.randn(10, dtype=dtype))
        self.x = torch.randn(5, dtype=dtype)

    def params(self) -> list[nn.Parameter]:
        return [self.weight, self.bias]

    def loss(self) -> Tensor:
        return (self.weight.mv(self.x) + self.bias).square().sum()

    def closure(self, optimizer: torch.optim.Optimizer) -> Callable[[], Tensor]:
        def evaluate() -> Tensor:
            optimizer.zero_grad()
            loss = self.loss()
            loss.backward()
            return loss

        return evaluate

    def run(self, optimizer: torch.optim.Optimizer, steps: int) -> list[Tensor]:
        for _ in range(steps):
            optimizer.step(self.closure(optimizer))
        return [p.detach().clone() for p in self.params()]


def same(a: Any, b: Any) -> None:
    torch.testing.assert_close(a, b, rtol=0, atol=0)


def test_every_class_of_ours_has_a_description_with_settings_to_try() -> None:
    assert set(INFOS) == set(OPTIMIZERS) >= set(PEERS)
    for name, info in INFOS.items():
        assert len(info.optim_inputs_func("cpu")) >= (1 if name.startswith("sgd_") else 2), name


@every_method
def test_mistakes_get_pytorchs_errors(name: str) -> None:
    """test_errors"""
    mistakes = INFOS[name].optim_error_inputs_func("cpu", torch.float64)
    assert len(mistakes) >= 4
    for mistake in mistakes:
        given = mistake.optimizer_error_input
        params = [nn.Parameter(torch.randn(2))] if given.params is None else given.params
        warns = issubclass(mistake.error_type, Warning)
        with (pytest.warns if warns else pytest.raises)(
            mistake.error_type, match=mistake.error_regex
        ):
            make(name, params, given.kwargs)


@every_method
@pytest.mark.parametrize("params", [[], [torch.ones(2) * nn.Parameter(torch.ones(2))], {"a"}, [1]])
def test_parameters_that_are_none_are_refused(name: str, params: Any) -> None:
    """test_nonleaf, test_empty, and sets and numbers"""
    with pytest.raises((ValueError, TypeError)):
        make(name, params)


@pytest.mark.slow
@every_input
@pytest.mark.parametrize("contiguous", [True, False])
def test_it_goes_in_the_right_direction(
    name: str, kwargs: dict[str, Any], contiguous: bool
) -> None:
    """test_forloop_goes_right_direction"""
    problem = Problem(contiguous=contiguous)
    before = problem.loss().item()
    problem.run(make(name, problem.params(), kwargs), 20)
    assert problem.loss().item() < before


@pytest.mark.slow
@every_method
def test_it_goes_there_with_schedulers(name: str) -> None:
    """test_forloop_... with_lrsched, test_param_group_with_lrscheduler_goes_right_direction"""
    for schedulers in INFOS[name].scheduler_inputs:
        problem = Problem()
        groups = [{"params": [problem.weight]}, {"params": [problem.bias], "lr": 0.01}]
        optimizer = make(name, groups)
        schedules = [make_schedule(optimizer) for make_schedule in schedulers]
        before = problem.loss().item()
        for _ in range(20):
            loss = optimizer.step(problem.closure(optimizer))
            for schedule in schedules:
                plateau = isinstance(schedule, torch.optim.lr_scheduler.ReduceLROnPlateau)
                schedule.step(*([loss.item()] if plateau else []))
        assert problem.loss().item() < before


@every_input_of_a_peer
def test_it_takes_its_peers_steps(name: str, kwargs: dict[str, Any]) -> None:
    """Beyond PyTorch's tests: the peer itself, with the settings that were translated."""
    ours, theirs = Problem(), Problem()
    settings = {**OURS_OWN.get(name, {}), **kwargs}
    optimizer = make(name, ours.params(), settings)
    group = optimizer.param_groups[0]
    given: dict[str, Any] = {**PEERS_OWN.get(name, {}), "lr": group["lr"]}
    if "beta1" in group:
        given["betas"] = (group["beta1"], group["beta2"])
    given |= {key: group[key] for key in ("momentum", "weight_decay") if key in group}
    given |= {"rho": group["rho"]} if name == "adadelta" else {}
    given |= {"alpha": group["rho"]} if name == "rmsprop" else {}
    given |= {"eps": group["eps"]} if "eps" in group else {}
    given |= {"nesterov": True} if name == "sgd_nesterov" else {}
    peer = getattr(torch.optim, PEER[name])(theirs.params(), **given)
    torch.testing.assert_close(ours.run(optimizer, 10), theirs.run(peer, 10), rtol=1e-9, atol=1e-11)


@every_method
def test_a_stepsize_may_be_a_tensor(name: str) -> None:
    """test_tensor_lr"""
    for shape in ((), (1,), (1, 1)):
        a, b = Problem(), Problem()
        rate = torch.full(shape, 0.0625)
        found = a.run(make(name, a.params(), {"lr": rate}), 5)
        same(found, b.run(make(name, b.params(), {"lr": 0.0625}), 5))


@every_method
def test_hooks_are_called_around_a_step(name: str) -> None:
    """test_step_pre_hook, test_step_post_hook, test_step_all_hooks"""
    problem, calls = Problem(), []
    optimizer = make(name, problem.params())

    def note(word: str) -> Any:
        return lambda *_: calls.append(word)

    handles = [
        register_optimizer_step_pre_hook(note("all before")),
        optimizer.register_step_pre_hook(note("before")),
        optimizer.register_step_post_hook(note("after")),
        register_optimizer_step_post_hook(note("all after")),
    ]
    try:
        problem.run(optimizer, 2)
    finally:
        for handle in handles:
            handle.remove()
    problem.run(optimizer, 1)
    assert calls == ["all before", "before", "after", "all after"] * 2


@every_method
def test_hooks_of_the_state(name: str) -> None:
    """test_state_dict_pre_hook, test_state_dict_post_hook, test_load_state_dict_pre_hook_and_prepend, ..."""
    problem, calls = Problem(), []
    optimizer = make(name, problem.params())
    problem.run(optimizer, 1)
    optimizer.register_state_dict_pre_hook(lambda o: calls.append("save"))
    optimizer.register_state_dict_post_hook(lambda o, state: {**state, "note": 1})
    optimizer.register_load_state_dict_pre_hook(lambda o, state: calls.append("second"))
    optimizer.register_load_state_dict_pre_hook(
        lambda o, state: calls.append("first"), prepend=True
    )
    optimizer.register_load_state_dict_post_hook(lambda o: calls.append("loaded"))
    state = optimizer.state_dict()
    assert state["note"] == 1
    optimizer.load_state_dict(state)
    assert calls == ["save", "first", "second", "loaded"]


@every_method
def test_a_copy_has_all_public_attributes(name: str) -> None:
    """test_deepcopy_copies_all_public_attrs, and pickle"""
    problem = Problem()
    optimizer = make(name, problem.params())
    problem.run(optimizer, 2)
    public = {x for x in vars(optimizer) if not x.startswith("_")}
    for other in (copy.deepcopy(optimizer), pickle.loads(pickle.dumps(optimizer))):
        assert {x for x in vars(other) if not x.startswith("_")} == public
        same(other.state_dict()["state"], optimizer.state_dict()["state"])


@pytest.mark.slow
@every_input
def test_a_saved_state_goes_on_the_same(name: str, kwargs: dict[str, Any]) -> None:
    """test_state_dict_deterministic"""
    for contiguous in (True, False):
        straight, resumed = Problem(contiguous=contiguous), Problem(contiguous=contiguous)
        optimizer = make(name, straight.params(), kwargs)
        for p, value in zip(resumed.params(), straight.run(optimizer, 5), strict=True):
            p.data.copy_(value)
        other = make(name, resumed.params(), kwargs)
        other.load_state_dict(copy.deepcopy(optimizer.state_dict()))  # PyTorch loads without a copy
        same(other.state_dict()["state"], optimizer.state_dict()["state"])
        same(resumed.run(other, 5), straight.run(optimizer, 5))


@every_method
def test_a_state_is_saved_with_weights_only(name: str) -> None:
    """test_save_load_equality_with_weights_only"""
    problem, file = Problem(), io.BytesIO()
    optimizer = make(name, problem.params())
    problem.run(optimizer, 2)
    torch.save(optimizer.state_dict(), file)
    file.seek(0)
    loaded = torch.load(file, weights_only=True)
    same(loaded["state"], optimizer.state_dict()["state"])
    optimizer.load_state_dict(loaded)
    problem.run(optimizer, 1)


@every_method
def test_a_plain_number_of_steps_is_loaded(name: str) -> None:
    """test_load_nontensor_step"""
    problem = Problem()
    optimizer = make(name, problem.params())
    problem.run(optimizer, 2)
    saved = copy.deepcopy(optimizer.state_dict())
    for state in saved["state"].values():
        state["step"] = state["step"].item()
    optimizer.load_state_dict(saved)
    for p in problem.params():
        assert torch.is_tensor(optimizer.state[p]["step"])
    problem.run(optimizer, 1)


@every_method
def test_named_parameters(name: str) -> None:
    """test_can_load_from_to_named_state_dict"""
    problem = Problem()
    named = make(name, list(zip(["weight", "bias"], problem.params(), strict=True)))
    problem.run(named, 2)
    assert named.state_dict()["param_groups"][0]["param_names"] == ["weight", "bias"]
    plain = make(name, Problem().params())
    plain.load_state_dict(named.state_dict())
    same(plain.state_dict()["state"], named.state_dict()["state"])
    named.load_state_dict(make(name, Problem().params()).state_dict())
    assert named.param_groups[0]["param_names"] == ["weight", "bias"]


@every_method
def test_a_state_is_cast_to_the_parameters_type_and_its_step_is_not(name: str) -> None:
    """test_state_dict_with_cuda_params, test_cpu_load_state_dict, as far as a CPU can show it"""
    double, single = Problem(torch.float64), Problem(torch.float32)
    optimizer, other = make(name, double.params()), make(name, single.params())
    double.run(optimizer, 2)
    step = optimizer.state[double.weight]["step"]
    other.load_state_dict(optimizer.state_dict())
    for p in single.params():
        for key, value in other.state[p].items():
            assert value.dtype == (step.dtype if key == "step" else torch.float32)
            assert value.device.type == "cpu"


@every_method
def test_without_gradients_a_step_does_nothing(name: str) -> None:
    """test_step_is_noop_when_params_have_no_grad"""
    problem = Problem()
    before = [p.detach().clone() for p in problem.params()]
    optimizer = make(name, problem.params())
    optimizer.step()
    same([p.detach() for p in problem.params()], before)
    assert not optimizer.state


@every_method
def test_a_gradient_of_zero_moves_nothing_but_by_weight_decay(name: str) -> None:
    """test_step_is_noop_for_zero_grads"""
    decays = "weight_decay" in OPTIMIZERS[name].hyperparameters
    for decay in (0.0, 0.1) if decays else (0.0,):
        problem = Problem()
        before = [p.detach().clone() for p in problem.params()]
        kwargs = {"lr": 0.5, **({"weight_decay": decay} if decays else {})}
        optimizer = make(name, problem.params(), kwargs)
        for p in problem.params():
            p.grad = torch.zeros_like(p)
        optimizer.step()
        shrunk = [x * (1 - 0.5 * decay) for x in before]
        torch.testing.assert_close([p.detach() for p in problem.params()], shrunk)
        for p in problem.params():
            assert optimizer.state[p]["step"] == 1


@every_method
def test_it_can_be_printed(name: str) -> None:
    """test_optimizer_can_be_printed"""
    text = repr(make(name, Problem().params(), {"lr": 0.125}))
    assert text.startswith(OPTIMIZERS[name].__name__)
    assert "lr: 0.125" in text


@every_method
def test_groups_have_stepsizes_of_their_own(name: str) -> None:
    """test_param_groups_lr, test_param_groups_weight_decay"""
    problem = Problem()
    optimizer = make(name, [{"params": [problem.weight], "lr": 0.0}, {"params": [problem.bias]}])
    before = [p.detach().clone() for p in problem.params()]
    after = problem.run(optimizer, 3)
    same(after[0], before[0])
    assert not torch.equal(after[1], before[1])
    if "weight_decay" in OPTIMIZERS[name].hyperparameters:
        a, b = nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(2))
        optimizer = make(
            name, [{"params": [a], "weight_decay": 0.5}, {"params": [b]}], {"weight_decay": 0.0}
        )
        for p in (a, b):
            p.grad = torch.ones(2)
        optimizer.step()
        assert (a < b).all()


@every_method
def test_types_may_differ_within_a_group(name: str) -> None:
    """test_mixed_device_dtype"""
    dtypes = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
    params = [nn.Parameter(torch.ones(3, dtype=dtype)) for dtype in dtypes]
    optimizer = make(name, params, {"lr": 4.0 if name == "adadelta" else 0.125})
    for p in params:
        p.grad = torch.full_like(p, 0.5)
    optimizer.step()
    for p in params:
        torch.testing.assert_close(p.double(), params[-1], rtol=1e-2, atol=1e-3)
        assert p.dtype in dtypes
        assert (p < 1).all()


@every_method
def test_the_default_type_does_not_matter(name: str) -> None:
    """test_set_default_dtype_works_with_foreach"""
    for default in (torch.float64, torch.float16):
        before = torch.get_default_dtype()
        p = nn.Parameter(torch.ones(3, dtype=torch.float32))
        p.grad = torch.ones_like(p)
        optimizer = make(name, [p])
        torch.set_default_dtype(default)
        try:
            optimizer.step()
        finally:
            torch.set_default_dtype(before)
        assert optimizer.state[p]["step"].dtype == torch.float32
        assert all(
            optimizer.state[p][slot].dtype == torch.float32 for slot in OPTIMIZERS[name].slots
        )


@every_method
def test_complex_and_sparse_gradients_are_told(name: str) -> None:
    """test_complex and test_rosenbrock_sparse, which our descriptions say are not supported"""
    assert not INFOS[name].supports_complex
    assert not INFOS[name].supports_sparse
    for gradient in (torch.ones(3, dtype=torch.complex64), torch.ones(3).to_sparse()):
        p = nn.Parameter(torch.zeros(3, dtype=gradient.dtype))
        p.grad = gradient
        with pytest.raises(RuntimeError, match="dense real gradients only"):
            make(name, [p]).step()


@every_method
def test_a_scaler_of_gradients(name: str) -> None:
    """test_grad_scaling_autocast_fused_optimizers, without the fused ones"""
    scaled, plain = Problem(torch.float32), Problem(torch.float32)
    optimizer, other = make(name, scaled.params()), make(name, plain.params())
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    for step in range(4):
        optimizer.zero_grad()
        scaler.scale(scaled.loss()).backward()
        if step == 1 and scaled.weight.grad is not None:
            scaled.weight.grad[0, 0] = torch.inf  # this step is left out
        scaler.step(optimizer)
        scaler.update()
    torch.testing.assert_close(
        [p.detach() for p in scaled.params()], plain.run(other, 3), rtol=1e-6, atol=1e-6
    )


@every_method
def test_a_graph_of_before_a_step_is_stale(name: str) -> None:
    """Of autograd's tests: a step changes its parameters in place, and says so."""
    problem = Problem()
    optimizer = make(name, problem.params())
    loss = problem.weight.square().sum()
    problem.run(optimizer, 1)
    with pytest.raises(RuntimeError, match="inplace operation"):
        loss.backward()


@every_method
def test_no_step_warns(name: str) -> None:
    problem = Problem()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        optimizer = make(name, problem.params())
        schedule = torch.optim.lr_scheduler.StepLR(optimizer, 1)
        problem.run(optimizer, 1)
        schedule.step()


@pytest.mark.slow
@every_method
def test_a_valley_is_followed_to_its_end(name: str) -> None:
    """Rosenbrock's function, on which PyTorch's sparse tests run"""
    x = nn.Parameter(torch.tensor([1.5, 1.5], dtype=torch.float64))
    lr = {"sgd": 1e-3, "sgd_momentum": 1e-4, "sgd_nesterov": 1e-4, "adadelta": 1.0}.get(name, 1e-2)
    optimizer = make(name, [x], {"lr": lr})

    def valley() -> Tensor:
        optimizer.zero_grad()
        loss: Tensor = (1 - x[0]) ** 2 + 100 * (x[1] - x[0] ** 2) ** 2
        loss.backward()
        return loss

    before = valley().item()
    for _ in range(500):
        optimizer.step(valley)
    assert valley().item() < 0.05 * before
