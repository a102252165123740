"""Clipping of the gradient's norm, for each trial of a stack."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor


def limits(clip_norm: Sequence[float | None], device: torch.device) -> Tensor | None:
    """``clip_norm`` of each trial, [S], infinite where it is null; ``None`` where all are."""
    if all(limit is None for limit in clip_norm):
        return None
    return torch.tensor([math.inf if one is None else one for one in clip_norm], device=device)


def clip_(gradients: Sequence[Tensor], max_norm: Tensor) -> Tensor:
    """Scale each trial's gradient, in place, to a norm of at most ``max_norm`` [S]; the norms before.

    ``gradients``: the parts of the whole gradient, [S, n] each. As
    ``torch.nn.utils.clip_grad_norm_`` does, by min(1, max_norm / (norm + 1e-6)); a norm that is not
    finite makes the gradient so.
    """
    norms = [torch.linalg.vector_norm(part, dim=1) for part in gradients]
    norm = torch.linalg.vector_norm(torch.stack(norms), dim=0)
    scale = (max_norm / (norm + 1e-6)).clamp_(max=1.0)
    for part in gradients:
        part.mul_(scale[:, None])
    return norm
