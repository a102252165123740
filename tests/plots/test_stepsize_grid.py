"""The claim that every curve is drawn at the best stepsize of a dense grid."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from adam_repro.claims.model import CONTRADICTED, SUPPORTED, UNDECIDED
from tests.merged_csvs import LABELS, judged_of, made_at, put

FIGURES = ("fig1_mnist", "fig3")  # the two whose AdaGrad the claim names


@pytest.mark.slow
def test_a_stepsize_far_from_the_best_contradicts_the_dense_grid(folder: Path) -> None:
    for name in FIGURES:
        found = made_at(LABELS, name)
        mine = (found["series"] == "AdaGrad") & (found["reading"] == "as_printed")
        found.loc[mine, "lr"] = 0.001
        found.loc[mine, "train_cost"] *= 1.8
        put(folder, name, found)
    assert judged_of(folder, *FIGURES)["best_stepsize"].verdict == CONTRADICTED
    for name in FIGURES:
        put(folder, name, made_at(LABELS, name))
    assert judged_of(folder, *FIGURES)["best_stepsize"].verdict == SUPPORTED


def test_what_a_stepsize_costs_is_read_at_the_last_epoch_that_is_drawn(folder: Path) -> None:
    for name in FIGURES:
        found = made_at(LABELS, name)
        printed = (found["series"] == "AdaGrad") & (found["reading"] == "as_printed")
        found.loc[printed, "lr"] = 0.001
        found.loc[printed & (found["epoch"] <= 3), "train_cost"] *= 0.5
        found.loc[printed & (found["epoch"] > 3), "train_cost"] *= 1.8
        put(folder, name, found)
    one = judged_of(folder, *FIGURES)["best_stepsize"]
    assert one.verdict == CONTRADICTED
    assert one.findings[0].interval.mean == pytest.approx(np.log(1.8), abs=0.1)


@pytest.mark.parametrize("reading", ["as_printed", "dense_grid"])
def test_a_seed_that_diverged_leaves_the_best_stepsize_unjudged(folder: Path, reading: str) -> None:
    """In its first epoch, which leaves a row without a cost."""
    found = made_at(LABELS)
    mine = (found["series"] == "AdaGrad") & (found["reading"] == reading) & (found["seed"] == 3)
    first = mine & (found["epoch"] == 0)
    found.loc[first, "train_cost"] = np.nan
    found.loc[first, "status"] = "diverged"
    put(folder, "fig1_mnist", found[~mine | first])
    one = judged_of(folder, "fig1_mnist")["best_stepsize"]
    assert one.verdict == UNDECIDED
    assert "AdaGrad: 1 of 6 seeds diverged" in one.why
