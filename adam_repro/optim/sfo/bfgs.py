"""Estimates the Hessian of one subfunction from its positions and gradients by BFGS."""

from dataclasses import dataclass

import torch
from torch import Tensor

TINY = 1e-12


@dataclass(frozen=True)
class Curvature:
    """H = columns diag(weights) columns^T + diagonal I.

    columns: [K, q] orthonormal; weights: [q], of either sign; maximum: the largest curvature.
    """

    columns: Tensor
    weights: Tensor
    diagonal: float
    maximum: float


def curvature_range(S: Tensor, Y: Tensor) -> tuple[float, float]:
    """Smallest and largest curvature along the pairs.

    S, Y: [q, p], changes of position and of gradient as columns. With A = Y pinv(S), these are the
    extreme ones of the rank(S) largest singular values of A, equal to the singular values of
    Y V / sigma for S = U sigma V^T. A smallest one below 1e-12 of the largest is rounding, and 0 is
    returned (changes of gradient can be dependent although the steps are not).
    """
    _, sizes, directions = torch.linalg.svd(S, full_matrices=False)
    known = sizes > sizes[0] * max(S.shape) * torch.finfo(S.dtype).eps
    values = torch.linalg.svdvals(Y @ (directions[known].T / sizes[known]))
    least, most = float(values[-1]), float(values[0])
    return (least if least > TINY * most else 0.0), most


def update(H: Tensor, S: Tensor, Y: Tensor) -> Tensor:
    """BFGS over the columns of S and Y, oldest first.

    H <- H + y y^T / (y^T s) - (H s)(H s)^T / (s^T H s). A pair with negative curvature makes
    H indefinite; see `repair_eigenvalues`. A pair with s^T H s = 0 is skipped.
    """
    for s, y in zip(S.T, Y.T, strict=True):
        Hs = H @ s
        sHs = torch.dot(s, Hs)
        if float(sHs.abs()) <= TINY * float(Hs.norm() * s.norm()):
            continue
        H = H + torch.outer(y, y) / torch.dot(y, s) - torch.outer(Hs, Hs) / sHs
    return H


def repair_eigenvalues(eigenvalues: Tensor, maximum: float, max_condition: float) -> Tensor:
    """Replace eigenvalues that are negative or too small.

    One below max|eigenvalue| / max_condition becomes the median of the positive ones. If none is
    positive, all become `maximum`.
    """
    positive = eigenvalues[eigenvalues > 0]
    if positive.numel() == 0:
        return torch.full_like(eigenvalues, maximum)
    floor = eigenvalues.abs().max() / max_condition
    return eigenvalues.where(eigenvalues >= floor, positive.quantile(0.5))


def fit(S: Tensor, Y: Tensor, fallback: float, max_condition: float) -> Curvature:
    """The Hessian from the pairs: BFGS within their span, started at the smallest curvature.

    S, Y: [K, p], oldest first, p >= 1. `fallback` (> 0) replaces a curvature that is 0 or not
    finite.
    """
    norms = S.norm(dim=0)
    S, Y = S / norms, Y / norms
    Q = torch.linalg.qr(torch.cat([S, Y], dim=1))[0]
    S, Y = Q.T @ S, Q.T @ Y
    least, most = (v if 0 < v < float("inf") else fallback for v in curvature_range(S, Y))
    most = max(least, most)
    least = max(least, most / max_condition)
    start = least * torch.eye(len(S), dtype=S.dtype, device=S.device)
    values, vectors = torch.linalg.eigh(update(start, S, Y))
    values = repair_eigenvalues(values, most, max_condition)
    return Curvature(Q @ vectors, values - least, least, most)
