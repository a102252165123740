"""Section 7.2: averages of the iterates."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from adam_repro.optim.averaging import corrected, exponential_, polyak_

ITERATES = torch.randn(60, 3, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("as_tensor", [False, True])
def test_polyak_ruppert_is_the_mean_of_all_iterates(as_tensor: bool) -> None:
    average = torch.zeros(3, 7, dtype=torch.float64)
    for k, theta in enumerate(ITERATES, start=1):
        polyak_(average, theta, torch.tensor(float(k), dtype=torch.float64) if as_tensor else k)
        torch.testing.assert_close(average, ITERATES[:k].mean(0), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("beta", [0.0, 0.9, 0.9999])
def test_the_exponential_average_is_its_sum_and_its_correction_the_weights_sum(beta: float) -> None:
    average = torch.zeros(3, 7, dtype=torch.float64)
    for t, theta in enumerate(ITERATES, start=1):
        exponential_(average, theta, beta)
        weights = (1 - beta) * beta ** np.arange(t - 1, -1, -1.0)
        expected = np.tensordot(weights, ITERATES[:t].numpy(), 1)
        np.testing.assert_allclose(average.numpy(), expected, rtol=1e-9, atol=1e-12)
        hat = corrected(average, beta, t)
        np.testing.assert_allclose(hat.numpy(), expected / weights.sum(), rtol=1e-8, atol=1e-12)
        torch.testing.assert_close(hat, average / (1 - beta**t), rtol=1e-9, atol=0)


def test_the_corrected_average_of_a_point_is_the_point() -> None:
    point, average = torch.tensor([3.0, -2.0]), torch.zeros(2)
    for t in range(1, 50):
        exponential_(average, point, 0.999)
        torch.testing.assert_close(corrected(average, 0.999, t), point, rtol=1e-5, atol=0)


def test_a_stack_has_a_decay_for_each_trial() -> None:
    betas, average = [0.5, 0.9, 0.99], torch.zeros(3, 7)
    stacked = torch.tensor(betas, dtype=torch.float64)[:, None]
    alone = torch.zeros(3, 7)
    for theta in ITERATES.float():
        exponential_(average, theta, stacked)
        for row, beta in enumerate(betas):
            exponential_(alone[row], theta[row], beta)
    torch.testing.assert_close(average, alone)
    hats = corrected(average, stacked, 60)
    for row, beta in enumerate(betas):
        torch.testing.assert_close(hats[row], corrected(alone[row], beta, 60))
    assert hats.dtype == torch.float32
