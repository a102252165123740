"""The trials that the merged CSVs hold already: with ``keep=true`` a merge adds to them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from adam_repro.results import provenance, table

if TYPE_CHECKING:
    from adam_repro.figures.plan import PlannedTrial


class CommittedRows:
    """The rows of merged CSVs by trial, and their origins.

    Plotted trials keep all epochs; other grid points keep the last. Figures never share rows, even of
    the same trial.
    """

    def __init__(self, folder: Path, figures: Sequence[str]) -> None:
        found = [table.read_figure_csv(folder, name) for name in figures]
        filled = [rows for rows in found if len(rows)]
        self._rows = pd.concat(filled, ignore_index=True) if filled else table.empty()
        key = ["figure", "identity"]
        self._last = self._rows.sort_values("epoch", kind="stable").groupby(key).tail(1)
        self._last = self._last.drop_duplicates(key).set_index(key)
        self._origins = [
            origin
            for name in figures
            for origin in provenance.origins(provenance.read(folder, name, []))
        ]

    def status(self, entry: PlannedTrial) -> str | None:
        """finished or diverged; ``None`` for a trial that no CSV holds to its end."""
        if _key(entry) not in self._last.index:
            return None
        last = self._last.loc[_key(entry)]
        ended = last["status"] == "finished" and last["epoch"] == entry.trial.epochs - 1
        complete = last["status"] == "diverged" or ended
        return str(last["status"]) if complete else None

    def final_cost(self, entry: PlannedTrial) -> float:
        """The plotted cost of the last epoch: infinite if diverged, NaN if the CSV lacks it."""
        if self.status(entry) == "diverged":
            return float("inf")
        return float(self._last.at[_key(entry), entry.cost])

    def rows(self, entry: PlannedTrial, all_epochs: bool) -> pd.DataFrame | None:
        """A trial's rows in the CSV's columns: every epoch if ``all_epochs``, else the last.

        ``None`` if there are none, or if ``all_epochs`` and some are missing.
        """
        of_series = (self._rows["figure"] == entry.figure) & (self._rows["series"] == entry.series)
        rows = self._rows[of_series & (self._rows["identity"] == entry.trial.identity)]
        rows = rows.drop_duplicates(["panel", "epoch"], keep="last").sort_values("epoch")
        if not all_epochs:
            return rows.tail(1) if len(rows) else None
        is_curve = list(rows["epoch"]) == list(range(len(rows)))
        # Figure 4 has no curves, but one row in each of its panels.
        is_marks = bool(set(rows["panel"]) - {entry.panel})
        return rows if len(rows) and (is_curve or is_marks) else None

    def origins(self, identities: Sequence[str]) -> list[dict[str, Any]]:
        """The origins of these trials. A record that names no trials counts for all that are left."""
        left, found = set(identities), []
        for origin in self._origins:
            named = origin["trials"]
            trials = sorted(left if named is None else left & set(named))
            if trials:
                found.append({**origin, "trials": trials})
            left -= set(trials)
        unknown = {**provenance.UNKNOWN_ORIGIN, "trials": sorted(left)}
        return found + ([unknown] if left else [])


def _key(entry: PlannedTrial) -> tuple[str, str]:
    return entry.figure, entry.trial.identity
