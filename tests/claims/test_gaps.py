"""In which panel a gap is wider, and claims about several panels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from adam_repro.claims.model import CONTRADICTED, SUPPORTED, UNDECIDED
from adam_repro.figures import load
from tests.merged_csvs import judged_of, put, rows

BATCHES = ("batch_32", "batch_256", "batch_4096")


def by_batch(gaps: tuple[float, ...], clipped: float = 0.0, seeds: int = 6) -> pd.DataFrame:
    """Series of lm_batch whose gap, in nats, differs between the panels; seeds share their noise."""
    figure, rng, parts = load.load("lm_batch"), np.random.default_rng(4), []
    for panel, gap in zip(BATCHES, gaps, strict=True):
        shared = 0.2 * rng.standard_normal((seeds, 1))
        levels = {
            "Adam": 6.0, "SGDNesterov": 6.0 + gap,
            "Adam, clipped": 6.0, "SGDNesterov, clipped": 6.0 + clipped,
        }  # fmt: skip
        for label, level in levels.items():
            for seed in range(seeds):
                cost = level + shared[seed] + 0.001 * rng.standard_normal(3)
                key = f"{panel}-{label}-{seed}"
                parts.append(
                    rows(
                        figure, "dense_grid", label, seed, range(3), cost, panel=panel, identity=key
                    )
                )
    return pd.concat(parts, ignore_index=True)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("gaps", "verdict"),
    [((0.1, 0.5, 1.0), SUPPORTED), ((0.5, 0.1, 1.0), CONTRADICTED), ((0.5, 0.5, 0.5), UNDECIDED)],
)
def test_a_gap_that_widens_does_so_from_every_panel_to_the_next(
    gaps: tuple[float, ...], verdict: str, folder: Path
) -> None:
    put(folder, "lm_batch", by_batch(gaps))
    one = judged_of(folder, "lm_batch")["lm_gap_batch"]
    assert one.verdict == verdict
    assert len(one.findings) == 2
    assert one.findings[0].interval.mean == pytest.approx(gaps[1] - gaps[0], abs=0.01)
    assert "batch 256 minus batch 32" in one.findings[0].what


@pytest.mark.slow
@pytest.mark.parametrize(
    ("gaps", "verdict"),
    [
        ((0.1, 0.5, 1.0), SUPPORTED),
        ((-0.1, -0.5, -1.0), CONTRADICTED),
        ((0.1, -0.5, 1.0), UNDECIDED),
    ],
)
def test_lower_in_several_panels_means_in_each(
    gaps: tuple[float, ...], verdict: str, folder: Path
) -> None:
    put(folder, "lm_batch", by_batch(gaps))
    one = judged_of(folder, "lm_batch")["lm_adam_sgd"]
    assert one.verdict == verdict
    assert one.findings[0].what == "Adam / SGDNesterov (batch 32)"


@pytest.mark.parametrize(("clipped", "verdict"), [(0.02, SUPPORTED), (0.2, CONTRADICTED)])
def test_clipping_closes_the_gap_where_one_percent_is_left(
    clipped: float, verdict: str, folder: Path
) -> None:
    put(folder, "lm_batch", by_batch((0.1, 0.5, 1.0), clipped))
    assert judged_of(folder, "lm_batch")["lm_clipping"].verdict == verdict
