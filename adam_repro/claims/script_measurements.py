"""Measure claims from ``claim_<id>.csv`` of ``scripts/claims.py``: no trial's metrics decide them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from adam_repro.claims.model import Evidence, Finding, NotMeasuredError, Unit

VECTORS = 3  # of theta's length in SFO's subspace for each subfunction: K_max = 3 N + 3
FLOAT64 = 8  # bytes
HALF = 0.5


def sfo_memory(evidence: Evidence, folder: Path | None) -> list[Finding]:
    """Bytes that each further subfunction takes, as a multiple of the three vectors it needs.

    Columns: ``n_subfunctions``, ``parameters``, ``bytes`` (resident, after the subspace has been full).
    Memory grows linearly if the multiple is the same between all neighbouring numbers of subfunctions.
    """
    rows = _read(evidence, folder, ("n_subfunctions", "parameters", "bytes"))
    rows = rows.sort_values("n_subfunctions").drop_duplicates("n_subfunctions", keep="last")
    added = np.diff(rows["n_subfunctions"].to_numpy(float))
    growth = np.diff(rows["bytes"].to_numpy(float))
    if not len(added) or (growth <= 0).any():
        raise NotMeasuredError(f"{_name(evidence)}: memory does not grow from row to row")
    each = growth / added / (VECTORS * FLOAT64 * rows["parameters"].to_numpy(float)[1:])
    end = float(np.log1p(evidence.margin))
    counts = f"{rows['n_subfunctions'].min():g} to {rows['n_subfunctions'].max():g} subfunctions"
    what = f"{counts}: bytes of one more / three vectors of theta's length"
    return [Finding(what, np.log(each), -end, end, sample="difference")]


def second_moment(evidence: Evidence, folder: Path | None) -> list[Finding]:
    """The share of parameters with sqrt(v_hat) <= eps after the last pass of all seeds.

    Columns: ``seed``, ``epoch`` (passes done), ``share_below_eps``, ``eps``, and ``root_at_0.01``, the 1 %
    quantile of sqrt(v_hat). ``bounds``: 0, and the passes over which the claim is made. Epsilon
    dominates if sqrt(v_hat) <= eps for more than half of the parameters.
    """
    rows = _read(evidence, folder, ("seed", "epoch", "share_below_eps", "eps", "root_at_0.01"))
    last = int(rows.groupby("seed")["epoch"].max().min())
    final = rows[rows["epoch"] == last].drop_duplicates("seed", keep="last")
    low, eps = final["root_at_0.01"].min(), final["eps"].max()
    what = (
        f"after {last} pass{'es' * (last != 1)}, with 99 % of √v̂ above {low:.2g} and ε = {eps:.2g}, "
        "the share of the parameters with √v̂ ≤ ε"
    )
    shares = final["share_below_eps"].to_numpy(float)
    finding = Finding(what, shares, HALF, np.inf, Unit.DIFFERENCE)
    if last < evidence.bounds[1]:
        raise NotMeasuredError(
            f"measured over {last} of {evidence.bounds[1]:g} passes: {finding}; `python "
            f"scripts/claims.py {evidence.claim}` can go on"
        )
    return [finding]


def rescaling(evidence: Evidence, folder: Path | None) -> list[Finding]:
    """Adam's cost with its gradients times a factor, beside that without.

    Columns: ``factor``, ``eps``, ``train_cost`` (divided by the factor again). The claim assumes eps = 0, as
    section 2.1 does; what the default eps does is told beside it.
    """
    rows = _read(evidence, folder, ("factor", "eps", "train_cost"))
    largest = {}
    for eps, mine in rows.groupby("eps"):
        plain = mine.loc[mine["factor"] == 1, "train_cost"]
        if len(plain) != 1 or len(mine) < 2:
            raise NotMeasuredError(
                f"{_name(evidence)}: no cost at the factors 1 and others, eps={eps:g}"
            )
        largest[eps] = float((mine["train_cost"] / plain.item() - 1).abs().max())
    if 0.0 not in largest:
        raise NotMeasuredError(f"{_name(evidence)}: no cost with eps=0")
    others = [f"with ε = {eps:g} {off:.1g}" for eps, off in largest.items() if eps > 0]
    factors = f"factors from {rows['factor'].min():.1g} to {rows['factor'].max():.1g}"
    what = f"largest relative difference of the cost, {factors}: {largest[0.0]:.1g}"
    sign = 1 if largest[0.0] <= evidence.margin else -1
    text = ", ".join([what, *others])
    return [Finding(text, np.array([largest[0.0]]), unit=Unit.IN_WORDS, sample="factor", sign=sign)]


def state_size(evidence: Evidence, folder: Path | None) -> list[Finding]:
    """How many values Adam keeps for each parameter of a task's network; ``bounds``: from, to.

    Columns: ``task``, ``parameters``, ``state``.
    """
    rows = _read(evidence, folder, ("parameters", "state"))
    each = (rows["state"] / rows["parameters"]).to_numpy()
    sign = 1 if evidence.bounds[0] <= each.min() and each.max() <= evidence.bounds[1] else -1
    told = f"{each.min():g}" if each.min() == each.max() else f"{each.min():g} to {each.max():g}"
    what = f"{told} values kept for each parameter, in {len(each)} networks"
    return [Finding(what, each, unit=Unit.IN_WORDS, sample="network", sign=sign)]


def _name(evidence: Evidence) -> str:
    return f"claim_{evidence.claim}.csv"


def _read(evidence: Evidence, folder: Path | None, columns: Sequence[str]) -> pd.DataFrame:
    """These columns of the claim's CSV, without rows in which one is no number."""
    remedy = f"`python scripts/claims.py {evidence.claim}` measures it"
    if folder is None or not (folder / _name(evidence)).is_file():
        raise NotMeasuredError(f"{_name(evidence)} is not there: {remedy}")
    try:
        raw = pd.read_csv(folder / _name(evidence))
        rows = raw[list(columns)].apply(pd.to_numeric, errors="coerce").dropna()
    except (OSError, ValueError, KeyError) as error:
        raise NotMeasuredError(
            f"{_name(evidence)} is damaged ({type(error).__name__}): {remedy}"
        ) from None
    if rows.empty:
        raise NotMeasuredError(f"{_name(evidence)} has no rows: {remedy}")
    return rows
