"""The results of planned trials: from their folders, or from the merged CSVs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import yaml

from adam_repro.results import checksums, provenance
from adam_repro.results.committed import CommittedRows

if TYPE_CHECKING:  # plan imports Hydra, which drawing does not need
    from adam_repro.figures.plan import PlannedTrial

COMPLETE = ("finished", "diverged")
AVERAGED = ("eval_train_cost", "test_cost", "test_error")  # also measured at the average iterate
VERSIONS = ("adam_repro", "python", "torch", "numpy")


class TrialResults:
    """The trial folders below a results folder, each read once.

    ``committed``: where a trial that has no folder is looked up.
    """

    def __init__(self, results: Path, committed: CommittedRows | None = None) -> None:
        self.results = results
        self.committed = committed
        self._metadata: dict[str, dict[str, Any] | None] = {}
        self._metrics: dict[str, pd.DataFrame | None] = {}

    def metadata(self, entry: PlannedTrial) -> dict[str, Any] | None:
        """trial.yaml; ``None`` if it is missing, unreadable or of another trial."""
        identity = entry.trial.identity
        if identity not in self._metadata:
            path = entry.trial.folder(self.results) / "trial.yaml"
            try:
                found = yaml.load(path.read_text(encoding="utf-8"), provenance.Loader)
                valid = found["identity"] == identity and "status" in found
                if not isinstance(found.get("provenance"), dict):  # cut off, as by a full disk
                    found["provenance"] = {}
                self._metadata[identity] = found if valid else None
            except (OSError, yaml.YAMLError, TypeError, KeyError, ValueError):
                self._metadata[identity] = None
        return self._metadata[identity]

    def status(self, entry: PlannedTrial) -> str:
        metadata = self.metadata(entry)
        status = str(metadata["status"]) if metadata else "missing"
        if self.committed and status not in COMPLETE:
            return self.committed.status(entry) or status
        return status

    def is_only_committed(self, entry: PlannedTrial) -> bool:
        """Whether a merged CSV has this trial, and no folder has it complete."""
        metadata = self.metadata(entry)
        trained = metadata is not None and metadata["status"] in COMPLETE
        in_csv = self.committed is not None and self.committed.status(entry) is not None
        return in_csv and not (trained and self.metrics(entry) is not None)

    def is_complete(self, entry: PlannedTrial, all_epochs: bool) -> bool:
        """Whether the trial can be merged, with every epoch if ``all_epochs``."""
        if self.committed and self.is_only_committed(entry):
            return self.committed.rows(entry, all_epochs) is not None
        return self.status(entry) in COMPLETE

    def metrics(self, entry: PlannedTrial) -> pd.DataFrame | None:
        """metrics.csv, with ``seconds`` of training until the end of each epoch.

        ``None`` if it is missing, damaged or changed, or if a finished trial lacks epochs: its last row would
        be mistaken for its result.
        """
        identity = entry.trial.identity
        if identity not in self._metrics:
            folder = entry.trial.folder(self.results)
            try:
                rows = pd.read_csv(folder / "metrics.csv").apply(pd.to_numeric)
                timing = pd.read_csv(folder / "timing.csv").set_index("epoch")["seconds"]
                rows["seconds"] = timing.cumsum().reindex(rows["epoch"]).to_numpy()
                metadata = self.metadata(entry)
                if checksums.changed_csvs(folder, (metadata or {}).get(checksums.CHECKSUMS)):
                    raise ValueError("not as it was when the trial ended")
                finished = metadata is not None and metadata["status"] == "finished"
                expected = entry.trial.epochs if finished else 1
                complete = len(rows) >= expected and "train_cost" in rows
                self._metrics[identity] = rows if complete else None
            except (OSError, KeyError, ValueError, TypeError):
                self._metrics[identity] = None
        return self._metrics[identity]

    def final_cost(self, entry: PlannedTrial) -> float:
        """The plotted cost of the last epoch: infinite if diverged, NaN if it is missing."""
        if self.committed and self.is_only_committed(entry):
            return self.committed.final_cost(entry)
        status, rows = self.status(entry), self.metrics(entry)
        if status not in COMPLETE or rows is None:
            return float("nan")
        if status == "diverged":
            return float("inf")
        column = metrics_column(entry, entry.cost)
        return float(rows[column].iloc[-1]) if column in rows else float("nan")

    def origins(self, entries: Sequence[PlannedTrial]) -> list[dict[str, Any]]:
        """The trials in groups of the same hardware and precision, versions and commit."""
        groups: dict[tuple[str, ...], dict[str, Any]] = {}
        committed = []
        for entry in {entry.trial.identity: entry for entry in entries}.values():
            metadata, identity = self.metadata(entry), entry.trial.identity
            if self.is_only_committed(entry):
                committed.append(identity)
            elif metadata:
                starts = _starts(metadata["provenance"])
                new_group: dict[str, Any] = {
                    "hardware": " and ".join(_distinct(map(_hardware, starts))),
                    "versions": {name: _of_all(starts, name) for name in VERSIONS},
                    "commits": _of_all(starts, "commit"),
                    "dates": [],
                    "trials": [],
                }
                key = (
                    new_group["hardware"],
                    *(" ".join(_of_all(starts, name)) for name in ("commit", *VERSIONS)),
                )
                group = groups.setdefault(key, new_group)
                group["dates"] += [str(run["date"])[:10] for run in starts if run.get("date")]
                group["trials"].append(identity)
        for group in groups.values():
            group["dates"] = sorted(set(group["dates"]))
            group["trials"].sort()
        older = self.committed.origins(committed) if self.committed else []
        return [groups[key] for key in sorted(groups)] + older


def _starts(provenance: Any) -> list[Mapping[str, Any]]:
    """Every start of a trial, the first first: it may have gone on elsewhere, or with other versions."""
    record = provenance if isinstance(provenance, Mapping) else {}
    earlier = record.get("earlier")
    found = [*(earlier if isinstance(earlier, list) else []), record]
    return [start for start in found if isinstance(start, Mapping)]


def _hardware(start: Mapping[str, Any]) -> str:
    return f"{start.get('hardware')}{' in TF32' if start.get('tf32') else ''}"


def _of_all(starts: Sequence[Mapping[str, Any]], name: str) -> list[str]:
    return _distinct(str(start.get(name)) for start in starts)


def _distinct(words: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(words))


def metrics_column(entry: PlannedTrial, column: str) -> str:
    """The column of metrics.csv from which a column of the merged CSV is taken."""
    return f"average_{column}" if entry.average and column in AVERAGED else column
