"""Several optimizers as one, as Muon for matrices and Adam for the rest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


class Partitioned(torch.optim.Optimizer):
    """Several optimizers as one, each over parameters of its own.

    ``parts``: pairs of a constructor, which is given parameters alone, and the parameters. A part
    without parameters is left out. Each pair may be made by `functools.partial`::

        def muon(params, lr=0.02):
            matrices, rest = [p for p in params if p.ndim == 2], [p for p in params if p.ndim != 2]
            return Partitioned((partial(torch.optim.Muon, lr=lr), matrices), (torch.optim.Adam, rest))

    Raises:
        ValueError: there is no parameter in any part.
    """

    def __init__(self, *parts: tuple[Callable[..., torch.optim.Optimizer], list[Tensor]]) -> None:
        self.parts = [make(list(own)) for make, own in parts if len(own)]
        super().__init__([p for _, own in parts for p in own], {})
        self._share_groups()

    def _share_groups(self) -> None:
        """Let the groups of the parts be the groups of the whole, whose ``lr`` a schedule sets."""
        self.param_groups = [group for part in self.parts for group in part.param_groups]

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """A step of every part; the closure, if there is one, is called once before."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for part in self.parts:
            part.step()
        return loss

    def train(self) -> None:
        """Call ``train()`` of the parts that have it."""
        self._call("train")

    def eval(self) -> None:
        """Call ``eval()`` of the parts that have it."""
        self._call("eval")

    def _call(self, name: str) -> None:
        for part in self.parts:
            method = getattr(part, name, None)
            if callable(method):
                method()

    def state_dict(self) -> dict[str, Any]:
        """The state of every part, in order."""
        return {"parts": [part.state_dict() for part in self.parts]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up what :meth:`state_dict` gave."""
        for part, state in zip(self.parts, state_dict["parts"], strict=True):
            part.load_state_dict(state)
        self._share_groups()
