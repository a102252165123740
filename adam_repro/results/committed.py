"""The trials that the merged CSVs hold already: what ``keep=true`` adds to instead of replacing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from adam_repro.results import provenance, table

if TYPE_CHECKING:
    from adam_repro.figures.plan import PlannedTrial


class Kept:
    """The rows of merged CSVs, trial by trial, and where they come from.

    Of a trial that is drawn every epoch is there, of the rest of its grid the last one alone. What one
    figure's CSV holds is of no use to another that shares the trial: each is merged with its own.
    """

    def __init__(self, folder: Path, names: Sequence[str]) -> None:
        found = [table.own(folder, name) for name in names]
        filled = [rows for rows in found if len(rows)]
        self._rows = pd.concat(filled, ignore_index=True) if filled else table.empty()
        key = ["figure", "identity"]
        self._last = self._rows.sort_values("epoch", kind="stable").groupby(key).tail(1)
        self._last = self._last.drop_duplicates(key).set_index(key)
        self._origins = [
            origin
            for name in names
            for origin in provenance.origins(provenance.read(folder, name, []))
        ]

    def status(self, entry: PlannedTrial) -> str | None:
        """finished or diverged, or ``None`` for a trial that is in none of the CSVs, or was cut."""
        if _key(entry) not in self._last.index:
            return None
        last = self._last.loc[_key(entry)]
        whole = last["status"] == "diverged" or last["epoch"] == entry.trial.epochs - 1
        return str(last["status"]) if whole else None

    def final_cost(self, entry: PlannedTrial) -> float:
        """Cost of the last epoch as drawn, infinite when it diverged, NaN when the CSV lacks it."""
        if self.status(entry) == "diverged":
            return float("inf")
        return float(self._last.at[_key(entry), entry.cost])

    def rows(self, entry: PlannedTrial, whole: bool) -> pd.DataFrame | None:
        """A trial's rows in the CSV's columns: all of them if ``whole``, else the last.

        ``None`` where all are asked for and the CSV has not the whole curve.
        """
        own = (self._rows["figure"] == entry.figure) & (self._rows["series"] == entry.series)
        mine = self._rows[own & (self._rows["identity"] == entry.trial.identity)]
        mine = mine.drop_duplicates(["panel", "epoch"], keep="last").sort_values("epoch")
        if not whole:
            return mine.tail(1) if len(mine) else None
        curve = list(mine["epoch"]) == list(range(len(mine)))
        # Figure 4 has no curves, but a row in each of its panels.
        marks = bool(set(mine["panel"]) - {entry.panel})
        return mine if len(mine) and (curve or marks) else None

    def origins(self, identities: Sequence[str]) -> list[dict[str, Any]]:
        """Where these trials come from: of a record older than its trials' names, all it names."""
        left, found = set(identities), []
        for origin in self._origins:
            named = origin["trials"]
            mine = sorted(left if named is None else left & set(named))
            if mine:
                found.append({**origin, "trials": mine})
            left -= set(mine)
        return found + ([{**provenance.NOWHERE, "trials": sorted(left)}] if left else [])


def _key(entry: PlannedTrial) -> tuple[str, str]:
    return entry.figure, entry.trial.identity


def summary(origins: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Hardware with its number of trials, versions, commits and first and last date, over all."""
    hardware: dict[str, int] = {}
    for origin in origins:
        name = str(origin["hardware"])
        hardware[name] = hardware.get(name, 0) + len(origin["trials"])
    dates = sorted(str(date) for origin in origins for date in origin["dates"])
    names = list(dict.fromkeys(name for origin in origins for name in origin["versions"]))
    return {
        "trials": sum(hardware.values()),
        "dates": sorted({dates[0], dates[-1]}) if dates else [],
        "hardware": dict(sorted(hardware.items())),
        "versions": {
            name: sorted({str(v) for origin in origins for v in origin["versions"].get(name, [])})
            for name in names
        },
        "commits": sorted({str(commit) for origin in origins for commit in origin["commits"]}),
    }
