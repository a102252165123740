"""Checks that a figure's merged CSV is not replaced by one that holds less."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from adam_repro.errors import UserError
from adam_repro.figures.spec import SCALES
from adam_repro.results import table
from adam_repro.results.trial_results import TrialResults
from adam_repro.wording import counted

if TYPE_CHECKING:
    from adam_repro.figures.plan import PlannedSeries


def csv_scale(path: Path) -> str | None:
    """The scale of a merged CSV; ``None`` if there is no file, or no row in it."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            header, row = islice(csv.reader(file), 2)
        return row[header.index("scale")]
    except (OSError, ValueError, IndexError, csv.Error):
        return None


def check_scale(path: Path, scale: str, keep: bool) -> None:
    """Check that results at ``scale`` may replace a CSV, or with ``keep`` be added to it.

    Raises:
        UserError: if the CSV's scale is a fuller one, or with ``keep`` any other.
    """
    existing = csv_scale(path)
    if existing in SCALES and SCALES.index(existing) < SCALES.index(scale):
        raise UserError(
            f"scale={scale}: {path} holds results of scale {existing}, which would be replaced; "
            "give another results_dir, or delete that file"
        )
    if keep and existing not in (None, scale):
        raise UserError(
            f"keep=true: {path} holds results of scale {existing}, none of which belong to "
            f"scale={scale}; give scale={existing}, or keep=false"
        )


def check_no_trial_is_lost(
    path: Path, plan: Sequence[PlannedSeries], results: Path, to_train: Sequence[PlannedSeries]
) -> None:
    """Check that every planned trial in the CSV has a trial folder, or is trained before the merge.

    Raises:
        UserError: with the number of trials that only the CSV has.
    """
    lost = identities(path)
    if not lost:
        return
    planned, trials = (
        [trial for series in plan for trial in series.every_trial()],
        TrialResults(results),
    )
    lost &= {one.trial.identity for one in planned if not trials.is_complete(one, all_epochs=True)}
    lost -= {one.trial.identity for series in to_train for one in series.every_trial()}
    if lost:
        raise UserError(
            f"keep=false: {path} holds {counted(len(lost), 'trial')} without a folder in "
            f"{results}/runs, which would be lost; give keep=true, or delete that file"
        )


def identities(path: Path) -> set[str]:
    """The trials of a figure's merged CSV."""
    return set(table.read_figure_csv(path.parent, path.stem)["identity"])
