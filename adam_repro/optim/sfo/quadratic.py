"""The quadratic models of the subfunctions, and their sum."""

import torch
from torch import Tensor

from adam_repro.optim.sfo.bfgs import fit
from adam_repro.optim.sfo.settings import Settings

TINY = 1e-12  # a change, or a cosine between changes, below this carries no information
MIN_KEPT_LENGTH = 0.9  # a step that keeps less of its length in a collapse leaves the history
TENSORS = (
    "positions",
    "gradients",
    "values",
    "counts",
    "active",
    "diagonal",
    "steps",
    "changes",
    "kept",
    "columns",
    "weights",
    "total",
)


class Quadratics:
    """g_i(x) = f_i(x_i) + (x - x_i)^T f_i'(x_i) + (x - x_i)^T H_i (x - x_i) / 2 for i < N.

    All in subspace coordinates, float64; arrays have length K_max and are zero beyond the K columns
    in use. H_i = columns_i diag(weights_i) columns_i^T + diagonal_i I with weights of either sign.
    `total` [K_max, K_max] is the sum of the first parts over all i. An inactive one is all 0.

    positions, gradients [N, K_max] and values [N]: of the last evaluation; counts [N]: evaluations
    recorded; steps, changes [N, L, K_max]: the history, newest last; kept [N]: its length.
    """

    def __init__(self, N: int, k_max: int, settings: Settings, device: torch.device) -> None:
        L = settings.max_history
        self.N = N
        self.settings = settings

        def zeros(*shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
            return torch.zeros(shape, dtype=dtype, device=device)

        self.positions, self.gradients = zeros(N, k_max), zeros(N, k_max)
        self.values, self.diagonal = zeros(N), zeros(N)
        self.counts = zeros(N, dtype=torch.int64)
        self.kept = zeros(N, dtype=torch.int64)
        self.active = zeros(N, dtype=torch.bool)
        self.steps, self.changes = zeros(N, L, k_max), zeros(N, L, k_max)
        self.columns, self.weights = zeros(N, k_max, 2 * L), zeros(N, 2 * L)
        self.total = zeros(k_max, k_max)

    # -- evaluations ----------------------------------------------------------------------------

    def record(self, i: int, position: Tensor, gradient: Tensor, value: float) -> None:
        """Record an evaluation of f_i; from the second on, also a pair in its history.

        A pair is skipped if the step, the change of gradient or their cosine is below 1e-12.
        """
        if self.counts[i] > 0:
            step, change = position - self.positions[i], gradient - self.gradients[i]
            lengths = float(step.norm()), float(change.norm())
            along = abs(float(torch.dot(step, change)))
            if min(lengths) >= TINY and along >= TINY * lengths[0] * lengths[1]:
                self._push(i, step, change)
        self.positions[i], self.gradients[i] = position, gradient
        self.values[i] = value
        self.counts[i] += 1

    def _push(self, i: int, step: Tensor, change: Tensor) -> None:
        for history, new in ((self.steps, step), (self.changes, change)):
            history[i, :-1] = history[i, 1:].clone()
            history[i, -1] = new
        self.kept[i] = min(int(self.kept[i]) + 1, self.settings.max_history)

    def refit(self, i: int, K: int) -> None:
        """Fit the Hessian of f_i to its history, within the first K coordinates."""
        pairs = int(self.kept[i])
        if pairs == 0:
            empty = self.columns.new_empty(0)
            self._replace(i, empty.expand(K, 0), empty, self._guess(i, K))
            return
        S, Y = self.steps[i, -pairs:, :K].T, self.changes[i, -pairs:, :K].T
        fallback = float(self.diagonal[self.active].max())
        curvature = fit(S, Y, fallback, self.settings.max_condition)
        self._replace(i, curvature.columns, curvature.weights, curvature.diagonal)

    def _replace(self, i: int, columns: Tensor, weights: Tensor, diagonal: float) -> None:
        """Replace H_i, also in the sum."""
        K, q = columns.shape
        old = self.columns[i, :K]
        self.total[:K, :K] -= (old * self.weights[i]) @ old.T
        self.columns[i] = 0.0
        self.weights[i] = 0.0
        self.columns[i, :K, :q] = columns
        self.weights[i, :q] = weights
        self.total[:K, :K] += (columns * weights) @ columns.T
        self.diagonal[i] = diagonal

    def _guess(self, i: int, K: int) -> float:
        """Curvature of an f_i without history: the median eigenvalue of an average H_j.

        Divided by 10 at its third and fourth evaluation: its steps were too short to inform.
        """
        known = self.active & (self.diagonal > 0)
        if not bool(known.any()):
            return self.settings.hessian_init
        median = torch.linalg.eigvalsh(self.hessian(K)).quantile(0.5)
        guess = float(median) / int(known.sum())
        return guess / 10 if 2 < int(self.counts[i]) < 5 else guess

    # -- the sum of the models -------------------------------------------------------------------

    def activate(self, i: int, diagonal: float = 0.0) -> None:
        """Activate f_i; its curvature is 0 (unknown) until it is evaluated, unless given."""
        self.active[i] = True
        self.diagonal[i] = diagonal

    def hessian(self, K: int) -> Tensor:
        """Hessian [K, K] of the sum of the models."""
        H = self.total[:K, :K].clone()
        H.diagonal().add_(self.diagonal.sum())
        return H

    def curve(self, i: int, d: Tensor) -> Tensor:
        """H_i d for one d [K_max]."""
        columns = self.columns[i]
        return columns @ (self.weights[i] * (columns.T @ d)) + self.diagonal[i] * d

    def curve_each(self, D: Tensor) -> Tensor:
        """H_i d_i for the rows d_i of D [N, K], K <= K_max columns in use."""
        columns = self.columns[:, : D.shape[1]]
        inner = self.weights * torch.einsum("nkq,nk->nq", columns, D)
        return torch.einsum("nkq,nq->nk", columns, inner) + self.diagonal[:, None] * D

    def offsets(self, x: Tensor) -> Tensor:
        """x - x_i [N, K] for x [K], zero for a subfunction never evaluated."""
        return torch.where(self.counts[:, None] > 0, x - self.positions[:, : len(x)], 0.0)

    def gradient(self, x: Tensor) -> Tensor:
        """Gradient [K] of the sum of the models at x [K]: sum_i H_i (x - x_i) + f_i'(x_i)."""
        return (self.curve_each(self.offsets(x)) + self.gradients[:, : len(x)]).sum(dim=0)

    def predict(self, i: int, x: Tensor) -> float:
        """g_i(x)."""
        d = x - self.positions[i]
        slope = self.gradients[i] + 0.5 * self.curve(i, d)
        return float(self.values[i] + torch.dot(d, slope))

    # -- change of coordinates -------------------------------------------------------------------

    def essential(self) -> Tensor:
        """Positions and gradients of the subfunctions evaluated so far, as rows [.., K_max]."""
        seen = self.counts > 0
        return torch.cat([self.gradients[seen], self.positions[seen]])

    def transform(self, change: Tensor) -> None:
        """Change every vector from K to K' coordinates, c -> c @ change, and recompute the sum.

        Pairs whose step keeps less than 0.9 of its length are dropped: the change of gradient belongs
        to the whole step, and with a shortened step the pair implies a wrong curvature. (With few
        subfunctions, hence few dimensions, such pairs prevent convergence.)
        """
        lengths = self.steps.norm(dim=2)
        for vectors in (self.positions, self.gradients, self.steps, self.changes):
            change_coordinates(vectors, change)
        self._drop_pairs(self.steps.norm(dim=2) < MIN_KEPT_LENGTH * lengths)
        change_coordinates(self.columns.transpose(1, 2), change)
        scaled = self.columns * self.weights[:, None, :]
        self.total = torch.einsum("nkq,njq->kj", scaled, self.columns)

    def _drop_pairs(self, shortened: Tensor) -> None:
        """Remove the pairs marked in `shortened` [N, L] from the histories."""
        for i in shortened.any(dim=1).nonzero().flatten().tolist():
            kept = ~shortened[i]
            kept[: len(kept) - int(self.kept[i])] = False
            count = int(kept.sum())
            for history in (self.steps, self.changes):
                remaining = history[i, kept]
                history[i].zero_()
                history[i, len(kept) - count :] = remaining
            self.kept[i] = count

    def state_dict(self) -> dict[str, Tensor]:
        """The arrays themselves, not copies."""
        return {name: getattr(self, name) for name in TENSORS}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Copy what `state_dict` returned into arrays of the same shapes."""
        for name in TENSORS:
            getattr(self, name).copy_(state[name])


class Metric:
    """The summed Hessian [K, K], factorised once for all solves of a step."""

    def __init__(self, hessian: Tensor) -> None:
        self.hessian = hessian
        self.factors = torch.linalg.lu_factor(hessian)

    def solve(self, columns: Tensor) -> Tensor:
        """H^-1 columns, for columns [K, n]."""
        return torch.linalg.lu_solve(*self.factors, columns)


def change_coordinates(vectors: Tensor, change: Tensor) -> Tensor:
    """Apply c -> c @ change (K x K', K' <= K) to vectors [.., K_max] in place; zero beyond K'."""
    old, new = change.shape
    inside = vectors[..., :old] @ change
    vectors.zero_()
    vectors[..., :new] = inside
    return vectors
