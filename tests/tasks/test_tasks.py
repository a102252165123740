"""The tasks: models, costs and random draws, compared with independent computations."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.distributions import Bernoulli, Normal, kl_divergence

from adam_repro.errors import UserError
from adam_repro.tasks import Batch, Task, build
from adam_repro.tasks.initialise import INITIALISATIONS, initialise
from tests.helpers import Compose

SHAPES = {
    "logreg": (784,), "mlp": (784,), "mlp_deterministic": (784,), "vae": (784,),
    "cnn": (3, 32, 32), "cnn_mnist": (784,),
}  # fmt: skip
PARAMETERS = {
    "logreg": 7_850,
    "mlp": 1_796_010,
    "mlp_deterministic": 1_796_010,
    "imdb": 10_001,
    # 3 or 1 input channels; 4 x 4 or 3 x 3 maps of 128 channels reach the hidden layer
    "cnn": 64 * (3 * 25 + 1) + 64 * (64 * 25 + 1) + 128 * (64 * 25 + 1) + 1000 * 2049 + 10_010,
    "cnn_mnist": 64 * 26 + 64 * (64 * 25 + 1) + 128 * (64 * 25 + 1) + 1000 * 1153 + 10_010,
    "vae": 500 * 785 + 2 * 50 * 501 + 500 * 51 + 784 * 501,
}


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def build_task(trial: Compose, name: str, *words: str) -> Task:
    return build(trial(f"task={name}", *words, tiny=False).task)


def make_batch(task: Task, name: str, n: int = 6) -> Batch:
    if name == "imdb":
        offsets = torch.arange(0, 5 * n, 5)
        words = torch.randint(10_000, (5 * n,), generator=generator())
        return Batch((words, offsets, torch.ones(5 * n)), torch.arange(n) % 2)
    pixels = torch.randint(256, (n, *SHAPES[name]), dtype=torch.uint8, generator=generator())
    return Batch(task.preprocess(pixels), torch.arange(n) % 10)


def output(task: Task, model: torch.nn.Module, batch: Batch, noise: tuple[Any, ...]) -> Any:
    inputs = batch.inputs if isinstance(batch.inputs, tuple) else (batch.inputs,)
    return model(*inputs, *noise)


@pytest.mark.parametrize("name", PARAMETERS)
def test_costs_are_finite_and_models_have_the_papers_size(trial: Compose, name: str) -> None:
    task = build_task(trial, name)
    model = task.model(generator())
    assert sum(p.numel() for p in model.parameters()) == PARAMETERS[name]
    batch = make_batch(task, name)
    costs = task.costs(output(task, model, batch, task.noise(batch, generator())), batch)
    assert costs.shape == (6,)
    assert torch.isfinite(costs).all()
    costs.sum().backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in model.parameters())


@pytest.mark.parametrize(("name", "cost"), [("logreg", np.log(10)), ("imdb", np.log(2))])
def test_zero_weights_cost_a_uniform_guess(trial: Compose, name: str, cost: float) -> None:
    task = build_task(trial, name)
    batch = make_batch(task, name)
    costs = task.costs(output(task, task.model(generator()), batch, ()), batch)
    torch.testing.assert_close(costs, torch.full((6,), float(cost)))


def test_cuda_convnets_first_convolution_starts_a_hundred_times_smaller() -> None:
    for channels, deviation in ((1, 1e-4), (3, 1e-4), (64, 1e-2)):
        layer = initialise(torch.nn.Conv2d(channels, 64, 5), "cuda_convnet", generator())
        assert float(layer.weight.detach().std()) == pytest.approx(deviation, rel=0.05)


@pytest.mark.parametrize("convolutions", ["linear", "relu"])
def test_the_convolutional_network_is_its_layers(trial: Compose, convolutions: str) -> None:
    task = build_task(trial, "cnn", f"task.convolutions={convolutions}", "task.init=he_normal")
    model = task.model(generator())
    batch = make_batch(task, "cnn")
    x = batch.inputs - batch.inputs.mean()  # both signs, so that ReLU matters
    expected = x
    for layer in (model.conv1, model.conv2, model.conv3):
        expected = layer(expected)
        if convolutions == "relu":
            expected = torch.relu(expected)
        expected = torch.nn.functional.max_pool2d(expected, 3, 2, ceil_mode=True)
    expected = model.output(torch.relu(model.hidden(expected.flatten(1))))
    torch.testing.assert_close(model(x), expected, rtol=1e-4, atol=1e-4)


def test_logistic_regression_is_softmax_of_a_linear_map(trial: Compose) -> None:
    task = build_task(trial, "logreg", "task.init=normal_0.05")
    model = task.model(generator())
    batch = make_batch(task, "logreg")
    w, bias = (p.detach().double().numpy() for p in model.parameters())
    z = batch.inputs.double().numpy() @ w.T + bias
    expected = np.log(np.exp(z).sum(1)) - z[np.arange(6), batch.targets.numpy()]
    costs = task.costs(model(batch.inputs), batch).detach().numpy()
    np.testing.assert_allclose(costs, expected, rtol=1e-5)
    wrong = z.argmax(1) != batch.targets.numpy()
    assert (task.errors(model(batch.inputs), batch).numpy() == wrong).all()


@pytest.mark.parametrize("rule", ["he_normal", "lecun_uniform", "glorot_uniform", "normal_0.05"])
def test_imdbs_model_is_initialised_like_a_linear_layer(trial: Compose, rule: str) -> None:
    """The fan-in is 10,000, though the product takes the transposed weights."""
    (weight, _) = build_task(trial, "imdb", f"task.init={rule}").model(generator()).parameters()
    (expected, _) = initialise(nn.Linear(10_000, 1), rule, generator()).parameters()
    torch.testing.assert_close(weight.flatten(), expected.flatten())


def test_imdbs_model_is_the_dense_product(trial: Compose) -> None:
    task = build_task(trial, "imdb", "task.init=normal_0.05")
    model = task.model(generator())
    batch = make_batch(task, "imdb")
    (mask,) = task.noise(batch, generator(1))
    assert set(mask.tolist()) == {0.0, 2.0}
    words, offsets, values = batch.inputs
    dense = torch.zeros(6, 10_000)
    for i, start in enumerate(offsets.tolist()):
        for j in range(start, start + 5):
            dense[i, words[j]] += values[j] * mask[j]
    expected = (dense @ model.weight.T).squeeze(-1) + model.bias
    torch.testing.assert_close(model(words, offsets, values, mask), expected)
    gradient = torch.autograd.grad(
        task.costs(model(words, offsets, values, mask), batch).sum(), model.weight
    )
    reference = torch.autograd.grad(
        task.costs(expected, batch).sum(), model.weight, retain_graph=True
    )
    torch.testing.assert_close(gradient, reference)
    signs = 2.0 * batch.targets - 1
    torch.testing.assert_close(
        task.costs(expected, batch), torch.log1p(torch.exp(-signs * expected)), rtol=1e-5, atol=1e-6
    )


def test_the_vaes_cost_is_reconstruction_plus_kl(trial: Compose) -> None:
    settings = ("task.init=normal_0.05", "task.pixels=threshold")
    exact = build_task(trial, "vae", *settings, "task.divergence=exact")
    sampled = build_task(trial, "vae", *settings, "task.divergence=sampled")
    model = exact.model(generator())
    batch = make_batch(exact, "vae")
    result = model(batch.inputs, *exact.noise(batch, generator(1)))
    likelihood = Bernoulli(logits=result.logits).log_prob(batch.inputs).sum(-1)
    posterior, prior = Normal(result.mean, torch.exp(0.5 * result.log_variance)), Normal(0.0, 1.0)
    torch.testing.assert_close(
        exact.costs(result, batch), kl_divergence(posterior, prior).sum(-1) - likelihood
    )
    at_z = (posterior.log_prob(result.latent) - prior.log_prob(result.latent)).sum(-1)
    torch.testing.assert_close(sampled.costs(result, batch), at_z - likelihood)


def test_the_vaes_pixels(trial: Compose) -> None:
    pixels = torch.tensor([[0, 127, 128, 255]], dtype=torch.uint8)
    grey = torch.tensor([[0, 127 / 255, 128 / 255, 1]])
    assert torch.equal(
        build_task(trial, "vae", "task.pixels=threshold").preprocess(pixels)[0],
        torch.tensor([0.0, 0, 1, 1]),
    )
    torch.testing.assert_close(
        build_task(trial, "vae", "task.pixels=real").preprocess(pixels), grey
    )
    task = build_task(trial, "vae", "task.pixels=stochastic")
    batch = make_batch(task, "vae", n=400)
    result = task.model(generator())(batch.inputs, *task.noise(batch, generator(1)))
    assert set(result.pixels.unique().tolist()) == {0.0, 1.0}
    assert abs(float((result.pixels - batch.inputs).mean())) < 0.005


def test_dropout_has_its_rate_and_does_not_change_the_mean(trial: Compose) -> None:
    task = build_task(trial, "mlp", "task.dropout_input=0.2")
    batch = make_batch(task, "mlp", n=200)
    masks = task.noise(batch, generator())
    assert [tuple(mask.shape) for mask in masks] == [(200, 784), (200, 1000), (200, 1000)]
    for mask, rate in zip(masks, (0.2, 0.5, 0.5), strict=True):
        assert float((mask == 0).float().mean()) == pytest.approx(rate, abs=0.01)
        assert float(mask.mean()) == pytest.approx(1.0, abs=0.02)
    assert task.stochastic
    deterministic = build_task(trial, "mlp_deterministic")
    assert deterministic.noise(batch, generator()) == (None, None, None)
    assert not deterministic.stochastic


def test_a_dropped_unit_has_no_effect(trial: Compose) -> None:
    task = build_task(trial, "mlp")
    model = task.model(generator())
    batch = make_batch(task, "mlp")
    mask = torch.zeros(6, 1000)
    expected = model.output(torch.relu(model.hidden2(torch.zeros(6, 1000))))
    torch.testing.assert_close(model(batch.inputs, None, mask, None), expected)


@pytest.mark.parametrize("rule", [*INITIALISATIONS, "normal_0.02"])
def test_initialisations_draw_from_their_generator_only(rule: str) -> None:
    def weights(seed: int) -> torch.Tensor:
        torch.manual_seed(seed)  # the global generator must not matter
        return initialise(torch.nn.Linear(300, 200), rule, generator()).weight

    assert torch.equal(weights(0), weights(1))
    assert not initialise(torch.nn.Linear(300, 200), rule, generator()).bias.any()


@pytest.mark.parametrize(
    ("rule", "deviation"),
    [
        ("zeros", 0.0),
        ("cuda_convnet", 0.01),
        ("normal_0.001", 0.001),
        ("glorot_uniform", (2 / 500) ** 0.5),
        ("he_normal", (2 / 300) ** 0.5),
        ("lecun_uniform", (1 / 900) ** 0.5),
        ("normal_0.01", 0.01),
        ("normal_0.05", 0.05),
        ("normal_7e-3", 0.007),
    ],
)
def test_standard_deviations_of_initial_weights(rule: str, deviation: float) -> None:
    weight = initialise(torch.nn.Linear(300, 200), rule, generator()).weight
    assert float(weight.detach().std()) == pytest.approx(deviation, rel=0.02)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "word", "message"),
    [
        (
            "mlp",
            "task.dropout_hidden=1",
            r"task\.dropout_hidden=1: must be a finite number, at least 0 and below 1",
        ),
        ("mlp", "task.dropout_input=yes", "must be a finite number"),
        ("vae", "task.pixels=grey", r"task\.pixels=grey: must be one of real"),
        ("cnn", "task.image=[3]", r"task\.image=\[3\]: must be \[channels, side\]"),
        ("cnn", "task.convolutions=tanh", r"task\.convolutions=tanh: must be one of linear, relu"),
        ("imdb", "task.init=none", r"task\.init=none: must be one of zeros"),
        ("cnn", "task.init=normal_0", r"task\.init=normal_0: must be one of .* above zero"),
        ("cnn", "task.init=normal_inf", r"task\.init=normal_inf: .* standard deviation above zero"),
        ("mlp", "task.init=normal_small", r"task\.init=normal_small: .* as normal_0\.01"),
    ],
)
def test_illegal_options_are_named(trial: Compose, name: str, word: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        build_task(trial, name, word)
