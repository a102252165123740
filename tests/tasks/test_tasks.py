"""The tasks: models, costs, draws, checked against independent computations."""

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


def task(trial: Compose, name: str, *words: str) -> Task:
    return build(trial(f"task={name}", *words, tiny=False).task)


def batch(one: Task, name: str, n: int = 6) -> Batch:
    if name == "imdb":
        offsets = torch.arange(0, 5 * n, 5)
        words = torch.randint(10_000, (5 * n,), generator=generator())
        return Batch((words, offsets, torch.ones(5 * n)), torch.arange(n) % 2)
    pixels = torch.randint(256, (n, *SHAPES[name]), dtype=torch.uint8, generator=generator())
    return Batch(one.prepare(pixels), torch.arange(n) % 10)


def output(one: Task, model: torch.nn.Module, b: Batch, noise: tuple[Any, ...]) -> Any:
    inputs = b.inputs if isinstance(b.inputs, tuple) else (b.inputs,)
    return model(*inputs, *noise)


@pytest.mark.parametrize("name", PARAMETERS)
def test_every_task_gives_a_cost_for_each_example_and_its_papers_size(
    trial: Compose, name: str
) -> None:
    one = task(trial, name)
    model = one.model(generator())
    assert sum(p.numel() for p in model.parameters()) == PARAMETERS[name]
    b = batch(one, name)
    costs = one.costs(output(one, model, b, one.noise(b, generator())), b)
    assert costs.shape == (6,)
    assert torch.isfinite(costs).all()
    costs.sum().backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in model.parameters())


@pytest.mark.parametrize(("name", "cost"), [("logreg", np.log(10)), ("imdb", np.log(2))])
def test_zero_weights_cost_the_entropy_of_a_guess(trial: Compose, name: str, cost: float) -> None:
    one = task(trial, name)
    b = batch(one, name)
    costs = one.costs(output(one, one.model(generator()), b, ()), b)
    torch.testing.assert_close(costs, torch.full((6,), float(cost)))


def test_cuda_convnets_first_convolution_starts_a_hundred_times_smaller() -> None:
    for channels, deviation in ((1, 1e-4), (3, 1e-4), (64, 1e-2)):
        layer = initialise(torch.nn.Conv2d(channels, 64, 5), "cuda_convnet", generator())
        assert float(layer.weight.detach().std()) == pytest.approx(deviation, rel=0.05)


@pytest.mark.parametrize("convolutions", ["linear", "relu"])
def test_the_convolutional_network_is_its_layers(trial: Compose, convolutions: str) -> None:
    one = task(trial, "cnn", f"task.convolutions={convolutions}", "task.init=he_normal")
    model = one.model(generator())
    b = batch(one, "cnn")
    x = b.inputs - b.inputs.mean()  # both signs, so that ReLU has something to cut
    expected = x
    for layer in (model.conv1, model.conv2, model.conv3):
        expected = layer(expected)
        if convolutions == "relu":
            expected = torch.relu(expected)
        expected = torch.nn.functional.max_pool2d(expected, 3, 2, ceil_mode=True)
    expected = model.output(torch.relu(model.hidden(expected.flatten(1))))
    torch.testing.assert_close(model(x), expected, rtol=1e-4, atol=1e-4)


def test_logistic_regression_is_softmax_of_a_linear_map(trial: Compose) -> None:
    one = task(trial, "logreg", "task.init=normal_0.05")
    model = one.model(generator())
    b = batch(one, "logreg")
    w, bias = (p.detach().double().numpy() for p in model.parameters())
    z = b.inputs.double().numpy() @ w.T + bias
    expected = np.log(np.exp(z).sum(1)) - z[np.arange(6), b.targets.numpy()]
    costs = one.costs(model(b.inputs), b).detach().numpy()
    np.testing.assert_allclose(costs, expected, rtol=1e-5)
    wrong = z.argmax(1) != b.targets.numpy()
    assert (one.errors(model(b.inputs), b).numpy() == wrong).all()


@pytest.mark.parametrize("rule", ["he_normal", "lecun_uniform", "glorot_uniform", "normal_0.05"])
def test_bag_of_words_starts_as_the_linear_layer_it_is(trial: Compose, rule: str) -> None:
    """10,000 inputs to each output, though the product is written the other way round."""
    (ours, _) = task(trial, "imdb", f"task.init={rule}").model(generator()).parameters()
    (theirs, _) = initialise(nn.Linear(10_000, 1), rule, generator()).parameters()
    torch.testing.assert_close(ours.flatten(), theirs.flatten())


def test_bag_of_words_is_the_dense_product(trial: Compose) -> None:
    one = task(trial, "imdb", "task.init=normal_0.05")
    model = one.model(generator())
    b = batch(one, "imdb")
    (mask,) = one.noise(b, generator(1))
    assert set(mask.tolist()) == {0.0, 2.0}
    words, offsets, values = b.inputs
    dense = torch.zeros(6, 10_000)
    for i, start in enumerate(offsets.tolist()):
        for j in range(start, start + 5):
            dense[i, words[j]] += values[j] * mask[j]
    expected = (dense @ model.weight.T).squeeze(-1) + model.bias
    torch.testing.assert_close(model(words, offsets, values, mask), expected)
    ours = torch.autograd.grad(
        one.costs(model(words, offsets, values, mask), b).sum(), model.weight
    )
    theirs = torch.autograd.grad(one.costs(expected, b).sum(), model.weight, retain_graph=True)
    torch.testing.assert_close(ours, theirs)
    signs = 2.0 * b.targets - 1
    torch.testing.assert_close(
        one.costs(expected, b), torch.log1p(torch.exp(-signs * expected)), rtol=1e-5, atol=1e-6
    )


def test_the_bound_is_reconstruction_plus_divergence(trial: Compose) -> None:
    settings = ("task.init=normal_0.05", "task.pixels=threshold")
    exact = task(trial, "vae", *settings, "task.divergence=exact")
    sampled = task(trial, "vae", *settings, "task.divergence=sampled")
    model = exact.model(generator())
    b = batch(exact, "vae")
    result = model(b.inputs, *exact.noise(b, generator(1)))
    likelihood = Bernoulli(logits=result.logits).log_prob(b.inputs).sum(-1)
    posterior, prior = Normal(result.mean, torch.exp(0.5 * result.log_variance)), Normal(0.0, 1.0)
    torch.testing.assert_close(
        exact.costs(result, b), kl_divergence(posterior, prior).sum(-1) - likelihood
    )
    at_z = (posterior.log_prob(result.latent) - prior.log_prob(result.latent)).sum(-1)
    torch.testing.assert_close(sampled.costs(result, b), at_z - likelihood)


def test_pixels_of_the_vae(trial: Compose) -> None:
    pixels = torch.tensor([[0, 127, 128, 255]], dtype=torch.uint8)
    grey = torch.tensor([[0, 127 / 255, 128 / 255, 1]])
    assert torch.equal(
        task(trial, "vae", "task.pixels=threshold").prepare(pixels)[0], torch.tensor([0.0, 0, 1, 1])
    )
    torch.testing.assert_close(task(trial, "vae", "task.pixels=real").prepare(pixels), grey)
    one = task(trial, "vae", "task.pixels=stochastic")
    b = batch(one, "vae", n=400)
    result = one.model(generator())(b.inputs, *one.noise(b, generator(1)))
    assert set(result.pixels.unique().tolist()) == {0.0, 1.0}
    assert abs(float((result.pixels - b.inputs).mean())) < 0.005


def test_dropout_drops_its_share_and_keeps_the_mean(trial: Compose) -> None:
    one = task(trial, "mlp", "task.dropout_input=0.2")
    b = batch(one, "mlp", n=200)
    masks = one.noise(b, generator())
    assert [tuple(mask.shape) for mask in masks] == [(200, 784), (200, 1000), (200, 1000)]
    for mask, rate in zip(masks, (0.2, 0.5, 0.5), strict=True):
        assert float((mask == 0).float().mean()) == pytest.approx(rate, abs=0.01)
        assert float(mask.mean()) == pytest.approx(1.0, abs=0.02)
    assert one.stochastic
    deterministic = task(trial, "mlp_deterministic")
    assert deterministic.noise(b, generator()) == (None, None, None)
    assert not deterministic.stochastic


def test_a_dropped_unit_passes_nothing_on(trial: Compose) -> None:
    one = task(trial, "mlp")
    model = one.model(generator())
    b = batch(one, "mlp")
    mask = torch.zeros(6, 1000)
    expected = model.output(torch.relu(model.hidden2(torch.zeros(6, 1000))))
    torch.testing.assert_close(model(b.inputs, None, mask, None), expected)


@pytest.mark.parametrize("rule", [*INITIALISATIONS, "normal_0.02"])
def test_initialisations_draw_from_their_generator_alone(rule: str) -> None:
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
def test_initial_deviations(rule: str, deviation: float) -> None:
    weight = initialise(torch.nn.Linear(300, 200), rule, generator()).weight
    assert float(weight.detach().std()) == pytest.approx(deviation, rel=0.02)


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
        task(trial, name, word)
