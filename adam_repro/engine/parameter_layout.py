"""The layout of a model's parameters in one flat vector, and the segments that are updated at once.

Small neighbouring tensors share a *segment*, so that a tiny model costs one update a step instead of
one per tensor; large tensors are segments of their own, so that their gradients are never copied.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

# Neighbours are joined while their segment stays below this many elements.
JOIN_BELOW = 2**16


@dataclass(frozen=True)
class Segment:
    """Elements ``start:stop`` of the flat vector, made of the parameters ``first:last``."""

    start: int
    stop: int
    first: int
    last: int


class ParameterLayout:
    """Names, shapes and places of a model's parameters in a vector of ``size`` elements."""

    def __init__(self, model: nn.Module) -> None:
        named = list(model.named_parameters())
        self.names = [name for name, _ in named]
        self.shapes = [parameter.shape for _, parameter in named]
        self.sizes = [parameter.numel() for _, parameter in named]
        self.size = sum(self.sizes)
        self.segments = self._segments()

    def _segments(self) -> list[Segment]:
        segments: list[Segment] = []
        start = 0
        for i, size in enumerate(self.sizes):
            last = segments[-1] if segments else None
            if last and start + size - last.start < JOIN_BELOW:
                segments[-1] = Segment(last.start, start + size, last.first, i + 1)
            else:
                segments.append(Segment(start, start + size, i, i + 1))
            start += size
        return segments

    def views(self, flat: Tensor) -> list[Tensor]:
        """The parameters as views of ``flat`` [..., size], each [..., *shape]."""
        pieces = flat.split(self.sizes, dim=-1)
        return [
            piece.unflatten(-1, shape) if len(shape) != 1 else piece
            for piece, shape in zip(pieces, self.shapes, strict=True)
        ]

    def flatten(self, model: nn.Module) -> Tensor:
        """The model's parameters as one new vector [size]."""
        return torch.cat([parameter.detach().reshape(-1) for parameter in model.parameters()])

    def gather(self, gradients: tuple[Tensor, ...]) -> list[Tensor]:
        """Gradients [..., *shape] of all parameters as one tensor [..., length] per segment."""
        joined = []
        for segment in self.segments:
            parts = [
                gradients[i].flatten(start_dim=gradients[i].ndim - len(self.shapes[i]))
                for i in range(segment.first, segment.last)
            ]
            joined.append(parts[0] if len(parts) == 1 else torch.cat(parts, dim=-1))
        return joined

    def weight_decay(self, l2: float, device: torch.device) -> list[float | Tensor] | None:
        """The L2 coefficient of each segment: ``l2`` on weights, zero on biases.

        One number where it is the same throughout, which spares a large segment the reading of as
        many coefficients; else a tensor [length]. The penalty is l2/2 ||W||^2 over all weight tensors
        (two or more axes), so that its gradient is l2 W. ``None`` when ``l2`` is zero.
        """
        if l2 == 0.0:
            return None
        return [self._coefficient(segment, l2, device) for segment in self.segments]

    def _coefficient(self, segment: Segment, l2: float, device: torch.device) -> float | Tensor:
        members = range(segment.first, segment.last)
        each = [l2 if len(self.shapes[i]) >= 2 else 0.0 for i in members]
        if len(set(each)) == 1:
            return each[0]
        sizes = [self.sizes[i] for i in members]
        pieces = [torch.full((n,), value) for n, value in zip(sizes, each, strict=True)]
        return torch.cat(pieces).to(device)
