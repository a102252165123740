"""Two claims that no trial's metrics decide: measured by ``scripts/claims.py``, a CSV for each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from adam_repro.claims.measures import Finding, NotMeasuredError, similar
from adam_repro.statistics import t_interval

if TYPE_CHECKING:
    from adam_repro.claims.judge import Claim

VECTORS = 3  # of theta's length that SFO's subspace takes for each subfunction: K_max = 3 N + 3
FLOAT64 = 8  # bytes
HALF = 0.5


def memory(claim: Claim, folder: Path | None) -> list[Finding]:
    """Bytes that each further subfunction takes, as a multiple of the three vectors it needs.

    ``claim_sfo_memory.csv`` has ``n_subfunctions``, ``parameters`` and ``bytes`` (resident, once the
    subspace has been full). Memory is linear where the multiple is the same from every number of
    subfunctions to the next.
    """
    rows = _read(claim, folder, ("n_subfunctions", "parameters", "bytes"))
    rows = rows.sort_values("n_subfunctions").drop_duplicates("n_subfunctions", keep="last")
    more = np.diff(rows["n_subfunctions"].to_numpy(float))
    grown = np.diff(rows["bytes"].to_numpy(float))
    if not len(more) or (grown <= 0).any():
        raise NotMeasuredError(f"{_name(claim)}: memory does not grow from row to row")
    each = grown / more / (VECTORS * FLOAT64 * rows["parameters"].to_numpy(float)[1:])
    result = t_interval(np.log(each))
    sign = similar(result, claim.margin)
    counts = f"{rows['n_subfunctions'].min():g} to {rows['n_subfunctions'].max():g} subfunctions"
    what = f"{counts}: bytes of one more / three vectors of theta's length"
    return [Finding(what, result, sign, over="difference")]


def second_moment(claim: Claim, folder: Path | None) -> list[Finding]:
    """The share of parameters with sqrt(v_hat) <= eps after the last pass that all seeds have.

    ``claim_cnn_second_moment.csv`` has a row for every ``seed`` and ``epoch`` (passes done), with
    ``share_below_eps``, ``eps`` and ``root_at_0.01``, which a hundredth of sqrt(v_hat) is below.
    Epsilon dominates where more than half of the parameters are below it.
    """
    rows = _read(claim, folder, ("seed", "epoch", "share_below_eps", "eps", "root_at_0.01"))
    last = int(rows.groupby("seed")["epoch"].max().min())
    ended = rows[rows["epoch"] == last].drop_duplicates("seed", keep="last")
    result = t_interval(ended["share_below_eps"].to_numpy(float))
    sign = int(result.low > HALF) - int(result.high < HALF)
    low, eps = ended["root_at_0.01"].min(), ended["eps"].max()
    what = (
        f"after {last} pass{'es' * (last != 1)}, with 99 % of √v̂ above {low:.2g} and ε = {eps:.2g}, "
        "the share of the parameters with √v̂ ≤ ε"
    )
    return [Finding(what, result, sign, ratio=False)]


def _name(claim: Claim) -> str:
    return f"claim_{claim.id}.csv"


def _read(claim: Claim, folder: Path | None, columns: Sequence[str]) -> pd.DataFrame:
    """The numbers of a claim's CSV; rows that lack one are left out."""
    remedy = f"`python scripts/claims.py {claim.id}` measures it"
    if folder is None or not (folder / _name(claim)).is_file():
        raise NotMeasuredError(f"{_name(claim)} is not there: {remedy}")
    try:
        raw = pd.read_csv(folder / _name(claim))
        rows = raw[list(columns)].apply(pd.to_numeric, errors="coerce").dropna()
    except (OSError, ValueError, KeyError) as error:
        raise NotMeasuredError(
            f"{_name(claim)} is damaged ({type(error).__name__}): {remedy}"
        ) from None
    if rows.empty:
        raise NotMeasuredError(f"{_name(claim)} has no rows: {remedy}")
    return rows
