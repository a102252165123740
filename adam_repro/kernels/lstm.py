"""PyTorch's LSTM in a stack of trials, and on a GPU with parameters that are views of one vector."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from adam_repro.errors import UserError

State = tuple[Tensor, Tensor]
PARAMETERS = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")


def unroll(model: nn.Module) -> None:
    """Let the model's LSTM layers compute by plain operations, as ``torch.nn.LSTM`` has no ``vmap`` rule.

    Raises:
        UserError: a form of LSTM that this does not compute.
    """
    for lstm in _layers(model):
        options = (lstm.batch_first, lstm.bidirectional, lstm.proj_size, lstm.num_layers, lstm.bias)
        if options != (False, False, 0, 1, True):
            raise UserError(
                "engine=batched: only LSTMs of one layer in one direction, with biases and the steps as "
                "first axis, have a stacked form; use engine=looped (or auto)"
            )
        lstm.forward = partial(_unrolled, lstm)  # type: ignore[method-assign, assignment]


def keep_in_place(model: nn.Module) -> None:
    """Let PyTorch's recurrent layers leave their parameters where they are.

    On a GPU they would move them into one piece of memory of their own, out of the vector that the
    optimizer updates. cuDNN then copies them at every call.
    """
    for module in model.modules():
        if isinstance(module, nn.RNNBase):
            module.flatten_parameters = _nothing  # type: ignore[method-assign]


def _nothing() -> None:
    pass


def _unrolled(lstm: nn.LSTM, x: Tensor, state: State) -> tuple[Tensor, State]:
    """The outputs [steps, n, hidden] for x [steps, n, in], and the state [1, n, hidden] twice.

    c' = sigmoid(f) c + sigmoid(i) tanh(g) and h' = sigmoid(o) tanh(c'), where i, f, g, o are four
    affine maps of x and h, in the order of the rows of PyTorch's weights.
    """
    h, c = (one.squeeze(0) for one in state)
    of_inputs, of_outputs, bias1, bias2 = (getattr(lstm, name) for name in PARAMETERS)
    from_inputs = linear(x, of_inputs, bias1 + bias2)
    outputs = []
    for gates in from_inputs.unbind(0):
        i, f, g, o = (gates + linear(h, of_outputs)).chunk(4, -1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        outputs.append(h)
    return torch.stack(outputs), (h[None], c[None])


def _layers(model: nn.Module) -> Iterator[nn.LSTM]:
    return (module for module in model.modules() if isinstance(module, nn.LSTM))
