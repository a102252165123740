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
