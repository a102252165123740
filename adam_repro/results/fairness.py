"""Whether optimizers are compared alike: notes for the table of a sweep, and for a drawing of any trials."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd


def notes(trials: pd.DataFrame) -> list[str]:
    """What makes the comparison of a task's optimizers an unfair one, a line each.

    ``trials``: a row a trial; columns task, optimizer, and, if they are known, schedule and lr.
    """
    found = []
    for task, rows in trials.groupby("task"):
        by = {name.rsplit(".", 1)[-1]: mine for name, mine in rows.groupby("optimizer")}
        if "schedule" in trials and len(schedules := _values(by, "schedule")) > 1:
            told = "; ".join(
                f"{' and '.join(names)}: {value}" for value, names in schedules.items()
            )
            found.append(
                f"note: on {task} the optimizers have different schedules ({told}); to compare the "
                "optimizers alone, give all of them one, as schedule=constant"
            )
        alone = "lr" in trials and all(mine["lr"].nunique() == 1 for mine in by.values())
        if alone and len(_values(by, "lr")) > 1:
            found.append(
                f"note: on {task} each optimizer has one stepsize, which need not be its best; give "
                "several, as optimizer.lr=1e-4,1e-3,1e-2"
            )
    return found


def _values(by: Mapping[str, pd.DataFrame], column: str) -> dict[str, list[str]]:
    """The optimizers, by the values that their trials have of a column."""
    found: dict[str, list[str]] = {}
    for name, mine in by.items():
        text = " or ".join(sorted(shown(value) for value in mine[column].unique()))
        found.setdefault(text, []).append(name)
    return found


def shown(value: Any) -> str:
    """A setting in a text for people."""
    if pd.isna(value):
        return "null"
    return f"{value:.3g}" if isinstance(value, float) else str(value)
