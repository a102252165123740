"""An unrolled LSTM layer is PyTorch's, and a stack of them can be computed as one batch."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from adam_repro.errors import UserError
from adam_repro.kernels.lstm import keep_in_place, unroll

STEPS, ROWS, WIDTH, HIDDEN = 9, 4, 5, 6


def layer(seed: int = 0) -> nn.LSTM:
    torch.manual_seed(seed)
    return nn.LSTM(WIDTH, HIDDEN)


def draw(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def results(lstm: nn.LSTM, x: Tensor) -> list[Tensor]:
    """Outputs and states, and the gradients of a weighted sum of all of them."""
    state = (draw(1, ROWS, HIDDEN, seed=2), draw(1, ROWS, HIDDEN, seed=3))
    outputs, (h, c) = lstm(x, state)
    total = (outputs * draw(STEPS, ROWS, HIDDEN, seed=4)).sum() + (c * state[1]).sum()
    return [outputs, h, c, *torch.autograd.grad(total, list(lstm.parameters()))]


def test_unrolled_it_gives_the_same_outputs_states_and_gradients() -> None:
    theirs, ours = layer(), layer()
    unroll(nn.ModuleList([ours]))
    x = draw(STEPS, ROWS, WIDTH)
    torch.testing.assert_close(results(ours, x), results(theirs, x), rtol=1e-5, atol=1e-6)


def test_a_stack_is_its_layers() -> None:
    layers = [layer(seed) for seed in range(3)]
    shell = copy.deepcopy(layers[0]).to("meta")
    unroll(shell)
    x = draw(STEPS, ROWS, WIDTH)
    h, c = torch.zeros(3, 1, ROWS, HIDDEN), torch.zeros(3, 1, ROWS, HIDDEN)
    stacked = {
        name: torch.stack([dict(one.named_parameters())[name] for one in layers])
        for name, _ in shell.named_parameters()
    }

    def one(parameters: dict[str, Tensor], h: Tensor, c: Tensor) -> Tensor:
        return functional_call(shell, parameters, (x, (h, c)))[0]

    found = vmap(one)(stacked, h, c)
    torch.testing.assert_close(found, torch.stack([one(x)[0] for one in layers]))


@pytest.mark.parametrize("options", [{"num_layers": 2}, {"batch_first": True}, {"bias": False}])
def test_other_forms_are_refused(options: dict[str, int | bool]) -> None:
    with pytest.raises(UserError, match="engine=batched: only LSTMs of one layer"):
        unroll(nn.LSTM(WIDTH, HIDDEN, **options))


def test_weights_that_are_to_stay_are_not_moved(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a GPU PyTorch moves them when it finds others in their place, as the engine's views are."""
    moved = []
    monkeypatch.setattr(nn.RNNBase, "flatten_parameters", lambda self: moved.append(self))
    network = nn.Sequential(nn.Linear(3, 2), nn.LSTM(WIDTH, HIDDEN), nn.GRU(WIDTH, HIDDEN))
    moved.clear()
    for module in network[1:]:
        module._init_flat_weights()
    assert len(moved) == 2
    keep_in_place(network)
    for module in network[1:]:
        module._init_flat_weights()
    assert len(moved) == 2
