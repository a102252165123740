"""Whether a gap between two series is larger in one group of examples than in another."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from adam_repro.claims.model import CONTRADICTED, SUPPORTED, UNDECIDED
from adam_repro.figures import load
from adam_repro.results import table
from tests.merged_csvs import judged_of, put, rows


def made(gaps: dict[str, tuple[float, float]], seeds: int = 5) -> pd.DataFrame:
    """Adam at 1 in every group; the others higher by the gaps (rarest, largest), noise in both alike."""
    figure, parts = load.load("rare_classes"), []
    for label, (rarest, largest) in {"Adam": (0.0, 0.0), **gaps}.items():
        for seed in range(seeds):
            part = rows(figure, "dense_grid", label, seed, range(4), [1.0] * 4)
            noise = 0.1 * seed
            part["group_cost_7"], part["group_cost_1"] = 1 + rarest + noise, 1 + largest + noise
            parts.append(part.assign(group_cost_4=1.0))
    found = pd.concat(parts, ignore_index=True)
    return found[table.columns_of("rare_classes")]


@pytest.mark.parametrize(
    ("gd", "verdict"), [((2.0, 0.5), SUPPORTED), ((0.5, 2.0), CONTRADICTED), ((1, 1), UNDECIDED)]
)
def test_the_larger_gap_decides(gd: tuple[float, float], verdict: str, folder: Path) -> None:
    put(folder, "rare_classes", made({"GD": gd, "GD with momentum": (2.0, 0.5)}))
    one = judged_of(folder, "rare_classes")["rare_classes_gap"]
    assert one.verdict == verdict
    assert one.findings[1].interval.mean == pytest.approx(1.5)


def test_a_series_that_is_missing_leaves_it_undecided(folder: Path) -> None:
    put(folder, "rare_classes", made({"GD": (2.0, 0.5)}))
    one = judged_of(folder, "rare_classes")["rare_classes_gap"]
    assert one.verdict == UNDECIDED
    assert "no data of GD with momentum" in one.why
