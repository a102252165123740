"""Parameters in one flat vector."""

from __future__ import annotations

import torch
from torch import nn

from adam_repro.engine.parameter_layout import JOIN_BELOW, ParameterLayout


def model() -> nn.Module:
    return nn.Sequential(nn.Linear(784, 1000), nn.ReLU(), nn.Linear(1000, 10), nn.Linear(10, 3))


def test_views_are_the_parameters_in_place() -> None:
    network = model()
    layout = ParameterLayout(network)
    flat = layout.flatten(network)
    for view, parameter in zip(layout.views(flat), network.parameters(), strict=True):
        assert torch.equal(view, parameter)
        assert view.untyped_storage().data_ptr() == flat.untyped_storage().data_ptr()


def test_segments_cover_the_vector_and_join_small_neighbours() -> None:
    layout = ParameterLayout(model())
    assert [s.start for s in layout.segments[1:]] == [s.stop for s in layout.segments[:-1]]
    assert layout.segments[-1].stop == layout.size == 784 * 1000 + 1000 + 10_000 + 10 + 33
    assert len(layout.segments) == 2  # the large matrix alone, everything after it together
    assert layout.segments[1].stop - layout.segments[1].start < JOIN_BELOW


def test_gathered_gradients_line_up_with_the_vector() -> None:
    network = model()
    layout = ParameterLayout(network)
    gradients = tuple(torch.randn(2, *p.shape) for p in network.parameters())
    flat = torch.cat(layout.gather(gradients), dim=-1)
    assert flat.shape == (2, layout.size)
    for view, gradient in zip(layout.views(flat), gradients, strict=True):
        assert torch.equal(view, gradient)


def test_weight_decay_spares_the_biases() -> None:
    layout = ParameterLayout(nn.Linear(3, 2))
    (decay,) = layout.weight_decay(0.1, torch.device("cpu"))
    torch.testing.assert_close(decay, torch.tensor([0.1] * 6 + [0.0] * 2))
    assert layout.weight_decay(0.0, torch.device("cpu")) is None


def test_a_large_weight_has_one_coefficient() -> None:
    layout = ParameterLayout(nn.Linear(300, 300))
    assert len(layout.segments) == 2
    assert layout.weight_decay(0.1, torch.device("cpu")) == [0.1, 0.0]
