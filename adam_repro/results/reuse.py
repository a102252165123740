"""Trials of our own optimizers that need no training: rows of the merged CSVs, by identity. No torch.

A schedule depends on the step and the pass alone, so the first epochs of a longer trial are those of a
shorter one of the same settings.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from adam_repro.config.trial import Trial
from adam_repro.figures import load
from adam_repro.files import committed_comparison, committed_folder
from adam_repro.results import provenance, table

COSTS = ("train_cost", "eval_train_cost", "test_cost", "test_error")


@dataclass(frozen=True)
class CommittedTrial:
    """Rows of a merged CSV for one trial: every epoch, or the last. ``identity``: of the trial there."""

    rows: pd.DataFrame  # epoch and `COSTS`
    status: str
    identity: str


class ReusableRows:
    """The trials in the merged CSVs of a folder, as far as their figures train one of ``tasks``.

    Series that are drawn at the average of the iterates are left out: their test costs are the average's.
    ``comparison``: the folder of a comparison whose rows are used too.
    """

    def __init__(
        self, tasks: Iterable[str], folder: Path | None = None, comparison: Path | None = None
    ) -> None:
        self.folder = committed_folder() if folder is None else folder
        self.comparison = committed_comparison() if comparison is None else comparison
        wanted = set(tasks)
        self.figures = [
            name
            for name in load.names()
            if wanted & {task for _, task, _ in load.load(name).panel_tasks}
            and (self.folder / f"{name}.csv").is_file()
        ]
        self._trials = dict(self._read())
        self._epochs = sorted(
            {
                epochs
                for name in self.figures
                for scale in load.load(name).scales.values()
                for epochs in _every(scale.epochs)
            }
        )

    def _read(self) -> Iterable[tuple[str, tuple[pd.DataFrame, str]]]:
        parts = []
        for name in self.figures:
            rows = table.read_figure_csv(self.folder, name)
            averaged = [one.label for one in load.load(name).series if one.quantity == "average"]
            parts.append(rows[~rows["series"].isin(averaged)])
        parts.append(_of_comparison(self.comparison))
        filled = [part for part in parts if len(part)]
        if not filled:
            return
        wanted = ["identity", "epoch", "status", *COSTS]
        rows = pd.concat(filled, ignore_index=True).reindex(columns=wanted)
        rows = rows.drop_duplicates(["identity", "epoch"]).sort_values("epoch", kind="stable")
        for identity, mine in rows.groupby("identity", sort=False):
            yield str(identity), (mine[["epoch", *COSTS]], str(mine["status"].iloc[-1]))

    def find(self, trial: Trial, every_epoch: bool) -> CommittedTrial | None:
        """The rows of a trial as far as its epochs go; ``None`` if no CSV has them.

        ``every_epoch``: the last one alone is too little.
        """
        for epochs in (trial.epochs, *(n for n in self._epochs if n > trial.epochs)):
            identity = replace(trial, epochs=epochs).identity
            if identity in self._trials:
                found = _cut(*self._trials[identity], trial.epochs, every_epoch)
                if found is not None:
                    return CommittedTrial(*found, identity)
        return None

    def origins(self, identities: Iterable[str]) -> list[dict[str, Any]]:
        """Hardware, versions, commits and dates of these trials, as far as records say."""
        left, found = set(identities), []
        for name in self.figures if left else ():
            for origin in provenance.origins(provenance.read(self.folder, name, [])):
                named = left if origin["trials"] is None else left & set(origin["trials"])
                if named:
                    found.append({**origin, "trials": sorted(named)})
                    left -= named
        mine = left & set(_of_comparison(self.comparison)["identity"]) if left else left
        if mine:
            found.append({**_origin(self.comparison), "trials": sorted(mine)})
        return found


def _of_comparison(folder: Path) -> pd.DataFrame:
    """The rows that were trained for a comparison; none where there is no such file."""
    columns = ["identity", "epoch", "status", "source", *COSTS]
    try:
        rows = pd.read_csv(folder / "rows.csv", usecols=columns, dtype={"identity": str})
    except FileNotFoundError:
        return pd.DataFrame(columns=columns)
    return rows[(rows["source"] == "trained") & rows["status"].isin(table.COMPLETE)]


def _origin(folder: Path) -> dict[str, Any]:
    """Where a comparison was trained, as its record says."""
    record = yaml.load((folder / "compare.yaml").read_text(encoding="utf-8"), provenance.Loader)
    found = record["provenance"]
    return {
        "hardware": found["hardware"],
        "versions": {name: [version] for name, version in found["versions"].items()},
        "commits": [found["commit"]] if found["commit"] else [],
        "dates": found["dates"],
    }


def _every(epochs: int | Mapping[str, int]) -> Iterable[int]:
    return [epochs] if isinstance(epochs, int) else epochs.values()


def _cut(
    rows: pd.DataFrame, status: str, epochs: int, every_epoch: bool
) -> tuple[pd.DataFrame, str] | None:
    """The first epochs of a trial, with its status then; ``None`` where they are not all there."""
    mine = rows[rows["epoch"] < epochs]
    if mine.empty:
        return None
    ended = int(mine["epoch"].iloc[-1])
    diverged = status == "diverged" and ended == rows["epoch"].iloc[-1]
    if ended != epochs - 1 and not diverged:
        return None
    whole = list(mine["epoch"]) == list(range(ended + 1))
    if every_epoch and not whole:
        return None
    return (mine if whole else mine.tail(1)), ("diverged" if diverged else "finished")
