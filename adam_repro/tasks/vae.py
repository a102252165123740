"""Variational auto-encoder (section 6.4, figure 4; Kingma & Welling 2013)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, softplus

from adam_repro.config.validate import Choice
from adam_repro.tasks.base import Batch, InputSpec, Task, option
from adam_repro.tasks.initialise import initialisation_name, initialise

PIXELS, HIDDEN, LATENT = 784, 500, 50


class VAEOutput(NamedTuple):
    """The output of the network: decoder logits and pixels [n, 784]; all else [n, 50].

    ``latent``: z = mean + exp(log_variance / 2) epsilon.
    """

    logits: Tensor
    pixels: Tensor
    mean: Tensor
    log_variance: Tensor
    epsilon: Tensor
    latent: Tensor


class _Network(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Linear(PIXELS, HIDDEN)
        self.mean = nn.Linear(HIDDEN, LATENT)
        self.log_variance = nn.Linear(HIDDEN, LATENT)
        self.decoder = nn.Linear(LATENT, HIDDEN)
        self.pixels = nn.Linear(HIDDEN, PIXELS)

    def forward(self, x: Tensor, epsilon: Tensor, uniform: Tensor | None = None) -> VAEOutput:
        x = x if uniform is None else (uniform < x).to(x.dtype)
        h = softplus(self.encoder(x))
        mean, log_variance = self.mean(h), self.log_variance(h)
        z = mean + torch.exp(0.5 * log_variance) * epsilon
        logits = self.pixels(softplus(self.decoder(z)))
        return VAEOutput(logits, x, mean, log_variance, epsilon, z)


class VariationalAutoencoder(Task):
    """500 softplus units on each side, 50 spherical Gaussian latents, Bernoulli decoder.

    The cost is the negative variational bound in nats, with one latent sample z = mu + sigma epsilon.
    ``divergence`` says how KL(q(z|x) || N(0, I)) is computed. ``exact``: in closed form (Kingma &
    Welling 2013, equation 7). ``sampled``: log q(z|x) - log p(z) at the same z (equation 6), which
    has the same mean and more noise. The costs are:

        -log p(x|z) - 1/2 sum_j (1 + log sigma_j^2 - mu_j^2 - sigma_j^2)
        -log p(x|z) + 1/2 sum_j (z_j^2 - epsilon_j^2 - log sigma_j^2)

    ``pixels`` says what the Bernoulli decoder models. ``real``: grey levels in [0, 1]; the cross
    entropy is then no likelihood, but early implementations minimised it. ``threshold``: 1 above one
    half. ``stochastic``: drawn from the grey level at every step.
    """

    input_spec: InputSpec | None = InputSpec(PIXELS, classes=None)

    def __init__(self, config: Mapping[str, Any]) -> None:
        super().__init__(config)
        self.init = initialisation_name(config)
        self.pixels = option(config, "pixels", Choice("real", "threshold", "stochastic"))
        self.kl = option(config, "divergence", Choice("exact", "sampled"))

    @property
    def stochastic(self) -> bool:
        return True

    def model(self, generator: torch.Generator) -> nn.Module:
        return initialise(_Network(), self.init, generator)

    def preprocess(self, inputs: Tensor) -> Tensor:
        inputs = inputs.flatten(1)
        if self.pixels == "threshold":
            return (inputs > 127).float()
        return inputs.float().div_(255.0)

    def noise(self, batch: Batch, generator: torch.Generator) -> tuple[Tensor, ...]:
        n, device = len(batch.targets), generator.device
        epsilon = torch.randn(n, LATENT, generator=generator, device=device)
        if self.pixels != "stochastic":
            return (epsilon,)
        return epsilon, torch.rand(n, PIXELS, generator=generator, device=device)

    def evaluation_noise(self, batch: Batch, generator: torch.Generator) -> tuple[Tensor, ...]:
        return self.noise(batch, generator)

    def costs(self, output: VAEOutput, batch: Batch) -> Tensor:
        reconstruction = binary_cross_entropy_with_logits(
            output.logits, output.pixels, reduction="none"
        ).sum(-1)
        if self.kl == "exact":
            twice_kl = output.mean.square() + output.log_variance.exp() - 1.0 - output.log_variance
        else:
            twice_kl = output.latent.square() - output.epsilon.square() - output.log_variance
        return reconstruction + 0.5 * twice_kl.sum(-1)
