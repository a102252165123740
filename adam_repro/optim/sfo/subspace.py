"""The low-dimensional subspace in which SFO keeps every position and gradient."""

import torch
from torch import Tensor

from adam_repro.optim.sfo.memory import BLOCK, subspace_sizes
from adam_repro.optim.sfo.settings import DTYPES

INDEPENDENT = 0.1  # a longer residual of a unit vector is orthogonal up to rounding
PROJECTIONS = 3


class Subspace:
    """An orthonormal basis of K of the M dimensions, growing to K_max and collapsing to K_min.

    The paper's P (M x K) is `basis[:K]` transposed. Basis vectors are contiguous, so adding one is a
    single contiguous write and a product with P reads memory once. Coordinates are float64 vectors
    of length K_max, zero from K on. If K_max = M, the basis is the identity and is not stored.
    """

    def __init__(self, start: Tensor, N: int, dtype: str, generator: torch.Generator) -> None:
        """Span theta0 (float64 [M]), or a random direction if theta0 = 0."""
        M = start.numel()
        self.k_min, self.k_max = subspace_sizes(M, N)
        self.whole = self.k_max >= M
        self.epsilon = 1e-12 if dtype == "float64" else 1e-6
        self.basis = start.new_empty((0 if self.whole else self.k_max, M), dtype=DTYPES[dtype])
        self.K = M if self.whole else 0
        if not self.whole:
            seeded = start
            if not bool(start.any()):
                random = torch.randn(M, generator=generator, dtype=torch.float64)
                seeded = random.to(start.device)
            self.project(seeded)

    def project(self, vector: Tensor) -> Tensor:
        """Coordinates [K_max] of `vector` [M], after adding its part outside the span, if any.

        Gram-Schmidt on the normalised vector, repeated until more than 0.1 of the norm remains,
        at most three times. The caller ensures a free column (`has_room`).
        """
        if self.whole:
            return vector.clone()
        coordinates = vector.new_zeros(self.k_max, dtype=torch.float64)
        norm = vector.norm()
        if not bool(norm > 0):
            return coordinates
        residual = (vector / norm).to(self.basis.dtype)
        length = 1.0  # of the residual, relative to the vector
        for _ in range(PROJECTIONS):
            basis = self.basis[: self.K]
            inside = basis @ residual
            residual.addmv_(basis.T, inside, alpha=-1.0)
            coordinates[: self.K] += length * inside.double()
            kept = float(residual.norm())
            length *= kept
            if length <= self.epsilon:
                return coordinates * norm
            residual /= kept
            if kept > INDEPENDENT:
                break
        self.basis[self.K] = residual
        coordinates[self.K] = length
        self.K += 1
        return coordinates * norm

    def has_room(self, columns: int) -> bool:
        """Whether that many vectors can still be added."""
        return self.whole or self.K + columns <= self.k_max

    def add_to(self, theta: Tensor, coordinates: Tensor) -> None:
        """theta += P coordinates, in place; theta [M], coordinates [K_max]."""
        if self.whole:
            theta += coordinates
        elif self.basis.dtype == theta.dtype:
            theta.addmv_(self.basis[: self.K].T, coordinates[: self.K])
        else:
            theta += self.basis[: self.K].T @ coordinates[: self.K].to(self.basis.dtype)

    def gram(self) -> Tensor:
        """P^T P [K, K] in float64: the identity up to rounding."""
        total = self.basis.new_zeros((self.K, self.K), dtype=torch.float64)
        for block in self.basis[: self.K].split(self._width(), dim=1):
            total += (block @ block.T).double()
        return total

    def collapse(self, keep: Tensor, generator: torch.Generator) -> Tensor:
        """Shrink the basis to K_min columns that span `keep`; return the change of coordinates.

        keep: [n, K_max], the coordinates to preserve, n <= K_min; random directions of the old span
        fill the rest. Returns change [K, K_min]: old coordinates c (rows, [.., K]) become c @ change.
        The basis is orthonormalised again: with G = P^T P and Q from the QR of keep, the new basis is
        P Q R^-1, R^T R = Q^T G Q (Cholesky).
        """
        old, new = self.K, self.k_min
        scale = keep.norm(dim=1, keepdim=True)
        columns = (keep / scale.where(scale > 0, 1.0))[:, :old]
        random = torch.randn((new - len(keep), old), generator=generator, dtype=torch.float64)
        columns = torch.cat([columns, random.to(columns.device)])
        gram = self.gram()
        Q = torch.linalg.qr(columns.T)[0]
        R = torch.linalg.cholesky(Q.T @ gram @ Q, upper=True)
        mix = torch.linalg.solve_triangular(R, Q, upper=True, left=False)
        self._rewrite(mix.T.to(self.basis.dtype), old, new)
        self.K = new
        return gram @ mix

    def _rewrite(self, mix: Tensor, old: int, new: int) -> None:
        """basis[:new] = mix @ basis[:old], block by block, without a second basis in memory."""
        for block in self.basis.split(self._width(), dim=1):
            block[:new] = mix @ block[:old]

    def _width(self) -> int:
        """Entries of every basis vector in a block of BLOCK entries."""
        return max(1, BLOCK // self.k_max)
