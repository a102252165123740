"""Clipping by the norm of each trial's whole gradient."""

from __future__ import annotations

import math

import pytest
import torch

from adam_repro.optim.clipping import clip_, limits


def test_every_trial_is_clipped_as_pytorch_clips_it_alone() -> None:
    source = torch.Generator().manual_seed(0)
    parts = [torch.randn(4, n, generator=source) for n in (7, 100, 1)]
    most = limits([0.5, None, 3.0, 1e6], torch.device("cpu"))
    assert most is not None
    expected = []
    for row, limit in enumerate([0.5, math.inf, 3.0, 1e6]):
        parameters = [torch.nn.Parameter(torch.zeros(part.shape[1])) for part in parts]
        for parameter, part in zip(parameters, parts, strict=True):
            parameter.grad = part[row].clone()
        norm = torch.nn.utils.clip_grad_norm_(parameters, limit)
        expected.append((norm, [parameter.grad for parameter in parameters]))
    norms = clip_(parts, most)
    for row, (norm, gradients) in enumerate(expected):
        assert float(norms[row]) == pytest.approx(float(norm), rel=1e-6)
        for part, gradient in zip(parts, gradients, strict=True):
            torch.testing.assert_close(part[row], gradient)


def test_a_gradient_that_is_not_finite_stays_so_and_leaves_the_others() -> None:
    part = torch.tensor([[math.inf, 1.0], [3.0, 4.0]])
    clip_([part], torch.tensor([1.0, 1.0]))
    assert not part[0].isfinite().all()
    assert part[1].tolist() == pytest.approx([0.6, 0.8])


def test_nothing_to_clip() -> None:
    assert limits([None, None], torch.device("cpu")) is None
