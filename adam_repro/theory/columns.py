"""What theory's tasks add to metrics.csv, after the columns every trial has."""

from __future__ import annotations

#: R(T), R(T)/T, the bound of the method's theorem, and the bound's terms: the one with the distance
#: from the comparator, the one with the norms of the gradients, the one beta1_t's decay leaves.
_REGRET = ("regret", "average_regret", "bound", "bound_distance", "bound_gradients", "bound_decay")

#: What the terms are made of: see `adam_repro.theory.ledger`.
_QUANTITIES = ("d_2", "d_inf", "g_2", "g_inf", "sum_root_v_hat", "sum_gradient_norms")

#: Columns by `task.model`.
EXTRA: dict[str, tuple[str, ...]] = {
    "regret": (
        *_REGRET,
        *_QUANTITIES,
        "comparator_cost",  # min over the set of (1/T) sum f_t
        "comparator_slope",  # its projected gradient, largest coordinate
        "comparator_gap",  # at most so far from the true minimum
        "falls",  # share of the coordinate steps at which sqrt(v_hat_t)/alpha_t fell
    ),
    "counterexample": ("x", *_REGRET, *_QUANTITIES),
}
