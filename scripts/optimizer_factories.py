"""Functions for optimizers that take something else than parameters: wrappers, parts, models.

Each is a target: ``optimizer.target=optimizer_factories.around``, with this folder on PYTHONPATH.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

from adam_repro.optim import Partitioned

Maker = Callable[..., torch.optim.Optimizer]


def around(
    params: Iterable[Tensor], wrapper: Maker, lr: float = 1e-3, **kwargs: Any
) -> torch.optim.Optimizer:
    """A wrapper, as Lookahead, around Adam."""
    return wrapper(torch.optim.Adam(params, lr=lr), **kwargs)


def matrices(
    params: Iterable[Tensor], kind: Maker, lr: float | None = None, **kwargs: Any
) -> torch.optim.Optimizer:
    """An optimizer of matrices, as Muon, for parameters of two axes, and Adam for the rest."""
    every = list(params)
    two, rest = [p for p in every if p.ndim == 2], [p for p in every if p.ndim != 2]
    own = partial(kind, **kwargs) if lr is None else partial(kind, lr=lr, **kwargs)
    return Partitioned((own, two), (torch.optim.Adam, rest))


def of_model(
    model: nn.Module, kind: Maker, base: Maker, lr: float = 1e-3, **kwargs: Any
) -> torch.optim.Optimizer:
    """An optimizer that takes the model, its parameters and a class to wrap, as WSAM."""
    return kind(model, list(model.parameters()), base, lr=lr, **kwargs)


def split(
    params: Iterable[Tensor], kind: Maker, base: Maker, lr: float = 1e-3
) -> torch.optim.Optimizer:
    """heavyball's SplitOpt: one class for the parameters of two axes, and one for the rest."""
    every = list(params)
    groups = ([p for p in every if p.ndim == 2], [p for p in every if p.ndim != 2])
    return kind([{"params": own, "optimizer": base, "lr": lr} for own in groups])


def flagged(
    params: Iterable[Tensor], kind: Maker, lr: float | None = None, **kwargs: Any
) -> torch.optim.Optimizer:
    """A class that is told in each group whether it holds matrices, as pytorch_optimizer's Muon."""
    every = list(params)
    groups = [
        {"params": [p for p in every if (p.ndim == 2) == flag], "use_muon": flag}
        for flag in (True, False)
    ]
    own = {} if lr is None else {"lr": lr}
    return kind([group for group in groups if group["params"]], **own, **kwargs)


def gsam(model: nn.Module, lr: float = 1e-3) -> torch.optim.Optimizer:
    """pytorch_optimizer's GSAM, whose closure returns two things, with a radius of 0.05."""
    from pytorch_optimizer import GSAM

    class Usual(GSAM):
        def step(self, closure: Callable[[], Any]) -> Any:
            return super().step(lambda: (None, closure()))

    radius = SimpleNamespace(step=lambda: 0.05)
    return Usual(model.parameters(), torch.optim.SGD(model.parameters(), lr=lr), model, radius)


def distributed(
    params: Iterable[Tensor], kind: Maker, flags: bool = False, **kwargs: Any
) -> torch.optim.Optimizer:
    """A class that wants a group of processes, of which there is this one."""
    if not torch.distributed.is_initialized():
        store = torch.distributed.HashStore()
        torch.distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
    return flagged(params, kind, **kwargs) if flags else kind(list(params), **kwargs)
