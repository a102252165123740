"""Estimates the memory of SFO before it is allocated."""

import math

from adam_repro.errors import UserError
from adam_repro.optim.sfo.settings import DTYPES

BLOCK = 1 << 22  # entries of the basis rewritten at once
COPIES = 3  # of the low-rank factors, while the coordinates change
FULL_VECTORS = 6  # theta, the previous theta, a gradient at each of the two, their residuals


def subspace_sizes(M: int, N: int) -> tuple[int, int]:
    """(K_min, K_max): columns after a collapse, and the number that triggers one.

    K_min = min(2N + 2, M) has room for a position and a gradient of every subfunction and the last
    two iterates; K_max = min(ceil(1.5 K_min), M).
    """
    k_min = min(2 * N + 2, M)
    return k_min, min(math.ceil(1.5 * k_min), M)


def basis_bytes(M: int, N: int, dtype: str = "float64") -> int:
    """Bytes of the M x K_max basis; 0 where the subspace would be the whole space."""
    k_max = subspace_sizes(M, N)[1]
    return 0 if k_max >= M else M * k_max * DTYPES[dtype].itemsize


def model_bytes(M: int, N: int, max_history: int = 10) -> int:
    """Bytes of the models of N subfunctions, and of the temporaries of a step or a collapse."""
    k_max = subspace_sizes(M, N)[1]
    per_subfunction = k_max * (2 + (4 + 2 * COPIES) * max_history) + 2 * max_history
    return 8 * (N * per_subfunction + 5 * k_max * k_max)


def required_bytes(M: int, N: int, dtype: str = "float64", max_history: int = 10) -> int:
    """Peak memory of SFO in bytes, for M parameters and N subfunctions.

    It excludes the evaluation of the gradient.
    """
    basis = basis_bytes(M, N, dtype)
    block = min(basis, BLOCK * DTYPES[dtype].itemsize)
    return basis + block + model_bytes(M, N, max_history) + FULL_VECTORS * 8 * M


def require_memory(
    M: int, N: int, dtype: str = "float64", max_history: int = 10, available: int | None = None
) -> None:
    """Raise UserError if SFO needs more than `available` bytes (None: unknown)."""
    needed = required_bytes(M, N, dtype, max_history)
    if available is None or needed <= available:
        return
    half = "" if dtype == "float32" else ", dtype=float32 (half of it)"
    raise UserError(
        f"SFO: n_subfunctions={N} needs {needed / 1e9:.1f} GB for {M} parameters, "
        f"{available / 1e9:.1f} GB are free; use fewer subfunctions (memory grows linearly with "
        f"their number; the author's rule is sqrt(examples)/10, 24 for MNIST){half}, "
        "or a machine with more memory"
    )
