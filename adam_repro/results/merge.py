"""From trial folders to the merged CSV of a figure, and to where its numbers come from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import yaml

from adam_repro.config.trial import flat
from adam_repro.figures.spec import Figure, Scale, not_trained
from adam_repro.files import write_text
from adam_repro.results import table
from adam_repro.results.committed import Kept, summary

if TYPE_CHECKING:  # plan composes with Hydra, which drawing has no need of
    from adam_repro.figures.plan import PlannedSeries, PlannedTrial, SeriesKey

Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
SHOWN = ("finished", "diverged")
AVERAGED = ("eval_train_cost", "test_cost", "test_error")  # measured at an average too
VERSIONS = ("adam_repro", "python", "torch", "numpy")


class Trials:
    """The trial folders below a results folder, each read once.

    With ``kept`` the trials that merged CSVs hold are there too, where no folder has them.
    """

    def __init__(self, results: Path, kept: Kept | None = None) -> None:
        self.results = results
        self.kept = kept
        self._records: dict[str, dict[str, Any] | None] = {}
        self._metrics: dict[str, pd.DataFrame | None] = {}

    def record(self, entry: PlannedTrial) -> dict[str, Any] | None:
        """trial.yaml, or ``None`` where it is missing or unreadable."""
        identity = entry.trial.identity
        if identity not in self._records:
            path = entry.trial.folder(self.results) / "trial.yaml"
            try:
                read = yaml.load(path.read_text(), Loader)
                own = read["identity"] == identity and {"status", "provenance"} <= set(read)
                self._records[identity] = read if own else None
            except (OSError, yaml.YAMLError, TypeError, KeyError, ValueError):
                self._records[identity] = None
        return self._records[identity]

    def status(self, entry: PlannedTrial) -> str:
        record = self.record(entry)
        own = str(record["status"]) if record else "missing"
        kept = self.kept.status(entry) if self.kept and own not in SHOWN else None
        return kept or own

    def held(self, entry: PlannedTrial) -> bool:
        """Whether only a merged CSV has this trial."""
        record = self.record(entry)
        trained = record is not None and record["status"] in SHOWN
        in_csv = self.kept is not None and self.kept.status(entry) is not None
        return in_csv and not (trained and self.metrics(entry) is not None)

    def usable(self, entry: PlannedTrial, whole: bool) -> bool:
        """Whether the trial is complete and can be merged, with every epoch if ``whole``."""
        if self.kept and self.held(entry):
            return self.kept.rows(entry, whole) is not None
        return self.status(entry) in SHOWN

    def metrics(self, entry: PlannedTrial) -> pd.DataFrame | None:
        """metrics.csv with ``seconds`` until the end of each epoch.

        ``None`` where it is missing or damaged, or lacks epochs of a finished trial: its last row
        would then be mistaken for its result.
        """
        identity = entry.trial.identity
        if identity not in self._metrics:
            folder = entry.trial.folder(self.results)
            try:
                rows = pd.read_csv(folder / "metrics.csv").apply(pd.to_numeric)
                timing = pd.read_csv(folder / "timing.csv").set_index("epoch")["seconds"]
                rows["seconds"] = timing.cumsum().reindex(rows["epoch"]).to_numpy()
                record = self.record(entry)
                finished = record is not None and record["status"] == "finished"
                wanted = entry.trial.epochs if finished else 1
                whole = len(rows) >= wanted and "train_cost" in rows
                self._metrics[identity] = rows if whole else None
            except (OSError, KeyError, ValueError, TypeError):
                self._metrics[identity] = None
        return self._metrics[identity]

    def final_cost(self, entry: PlannedTrial) -> float:
        """Cost of the last epoch, as drawn; infinite when it diverged, NaN when it is not there."""
        if self.kept and self.held(entry):
            return self.kept.final_cost(entry)
        status, rows = self.status(entry), self.metrics(entry)
        if status not in SHOWN or rows is None:
            return float("nan")
        if status == "diverged":
            return float("inf")
        column = _column(entry, entry.cost)
        return float(rows[column].iloc[-1]) if column in rows else float("nan")


def _column(entry: PlannedTrial, column: str) -> str:
    """The name that a column of the merged CSV has in a trial's metrics."""
    return f"average_{column}" if entry.average and column in AVERAGED else column


def select(
    entries: Sequence[PlannedTrial], trials: Trials
) -> dict[SeriesKey, list[dict[str, Any]]]:
    """Of each dense grid the setting with the lowest final cost as drawn, ties to the first.

    In figure 4 the best lr of each setting of the others.
    """
    best: dict[tuple[Any, ...], tuple[float, PlannedTrial]] = {}
    for entry in entries:
        cost = trials.final_cost(entry)
        if entry.fitted or np.isnan(cost):
            continue
        if entry.selection_group not in best or cost < best[entry.selection_group][0]:
            best[entry.selection_group] = (cost, entry)
    found: dict[SeriesKey, list[dict[str, Any]]] = {}
    for _, entry in best.values():
        found.setdefault(entry.key, []).append(dict(entry.grid_point))
    return found


def merge(
    figure: Figure,
    scale_name: str,
    lines: Sequence[PlannedSeries],
    results: Path,
    folder: Path,
    keep: bool = False,
) -> list[str]:
    """Write ``<figure>.csv`` and ``<figure>.provenance.yaml``; what of the plan is not there.

    With ``keep`` the trials of the plan that the CSV holds already stay, where no folder has them.
    """
    trials = Trials(results, Kept(folder, [figure.name]) if keep else None)
    first = [entry for line in lines for entry in line.grid_stage()]
    best = select(first, trials)
    entries = first + [
        entry
        for line in lines
        for grid in best.get(line.key, [])
        for entry in line.seed_stage(grid)
    ]
    there: list[PlannedTrial] = []
    missing: list[PlannedTrial] = []
    parts: dict[int, list[pd.DataFrame]] = {}
    for i, entry in enumerate(entries):
        chosen = entry.fitted or entry.grid_point in best.get(entry.key, [])
        parts[i] = _rows(figure, scale_name, entry, trials, chosen)
        (there if parts[i] else missing).append(entry)
    absent = _absent(entries, there)
    hidden = absent | _shared_only(there, missing)
    shown = [i for i, entry in enumerate(entries) if entry.reading not in hidden]
    folder.mkdir(parents=True, exist_ok=True)
    rows = [part for i in shown for part in parts[i] if len(part)]
    merged = pd.concat(rows, ignore_index=True) if rows else table.empty()
    table.write(merged, folder / f"{figure.name}.csv")
    told = [not_trained(reading) for reading in sorted(hidden)]
    told += _told(missing, [line for line in lines if line.reading not in absent], best)
    kept = [line for line in lines if line.reading not in hidden]
    drawn = [entries[i] for i in shown if parts[i]]
    record = _provenance(figure, scale_name, kept, drawn, best, trials, told)
    text = yaml.safe_dump(record, sort_keys=False, allow_unicode=True, width=100)
    write_text(folder / f"{figure.name}.provenance.yaml", text)
    return told


def _rows(
    figure: Figure, scale_name: str, entry: PlannedTrial, trials: Trials, chosen: bool
) -> list[pd.DataFrame]:
    """The rows of one trial: all its epochs where it is drawn, else the last; none if not there."""
    lr = entry.trial.optimizer.get("lr")
    others = {k: v for k, v in entry.grid_point.items() if k != "optimizer.lr"}
    keys: dict[str, Any] = {
        "figure": figure.name,
        "reading": entry.reading,
        "series": entry.series,
        "scale": scale_name,
        "lr": np.nan if lr is None else float(lr),
        "grid": " ".join(f"{key}={value}" for key, value in others.items()),
        "seed": entry.trial.seed,
        "identity": entry.trial.identity,
        "selected": chosen,
    }
    if trials.kept and trials.held(entry):
        kept = trials.kept.rows(entry, chosen or figure.every_lr_is_drawn)
        return [] if kept is None else [kept.assign(**keys)]
    metrics, status = trials.metrics(entry), trials.status(entry)
    if metrics is None or status not in SHOWN:
        return []
    rows = pd.DataFrame({"epoch": metrics["epoch"], "train_cost": metrics["train_cost"]})
    for column in AVERAGED:
        rows[column] = metrics.get(_column(entry, column), np.nan)
    rows["seconds"] = metrics["seconds"]
    if figure.every_lr_is_drawn:
        marked = _marked(figure, figure.scale(scale_name), entry, rows, status)
        return [row.assign(**keys) for row in marked]
    rows = rows if chosen else rows.tail(1)
    return [rows.assign(panel=entry.panel, status=status, **keys)]


def _marked(
    figure: Figure, scale: Scale, entry: PlannedTrial, rows: pd.DataFrame, status: str
) -> Iterable[pd.DataFrame]:
    """One row for each panel a trial stands in: the epoch of the panel's mark."""
    for panel in figure.panels:
        here = all(entry.grid_point.get(key) == value for key, value in panel.where.items())
        if not here or panel.mark >= len(scale.marks):
            continue
        at = rows[rows["epoch"] == scale.marks[panel.mark] - 1]
        alive = len(at) > 0 and bool(np.isfinite(at["train_cost"]).all())
        row = at if len(at) else rows.tail(1)
        state = "finished" if alive else status
        if state in SHOWN and (alive or status == "diverged"):
            yield row.assign(panel=panel.name, status=state)


def _absent(entries: Sequence[PlannedTrial], there: Sequence[PlannedTrial]) -> set[str]:
    """The readings of which no trial is there."""
    return {entry.reading for entry in entries} - {entry.reading for entry in there}


def _shared_only(there: Sequence[PlannedTrial], missing: Sequence[PlannedTrial]) -> set[str]:
    """The dense grid, where all that is there of it belongs to the settings as printed too.

    A point or two are no grid, and the best of them is not its best: it is not to be drawn.
    """
    printed = {entry.trial.identity for entry in there if entry.reading == "as_printed"}
    grid = {entry.trial.identity for entry in there if entry.reading == "dense_grid"}
    partial = any(entry.reading == "dense_grid" for entry in missing)
    return {"dense_grid"} if partial and grid and grid <= printed else set()


def _told(
    missing: Sequence[PlannedTrial], lines: Sequence[PlannedSeries], best: Mapping[SeriesKey, Any]
) -> list[str]:
    """The trials of these lines that are not there, counted by series, in words."""
    counts = Counter(entry.key for entry in missing)
    told = []
    for line in lines:
        reading, panel, series = line.key
        where = f"{series} ({panel}, {reading})" if panel else f"{series} ({reading})"
        if counts[line.key]:
            count = counts[line.key]
            word = "trials are" if count > 1 else "trial is"
            told.append(f"{where}: {count} {word} not finished, or damaged")
        if not line.fitted and line.key not in best:
            told.append(f"{where}: no trial of its grid is finished, so none is selected")
    return told


def _provenance(
    figure: Figure,
    scale_name: str,
    lines: Sequence[PlannedSeries],
    entries: Sequence[PlannedTrial],
    best: Mapping[SeriesKey, Sequence[Mapping[str, Any]]],
    trials: Trials,
    missing: Sequence[str],
) -> dict[str, Any]:
    origins = _origins(entries, trials)
    return {
        "figure": figure.name,
        "scale": scale_name,
        "generated_data": figure.scale(scale_name).generated,
        **summary(origins),
        "missing": list(missing),
        "series": [_settings(figure, line, best.get(line.key, [])) for line in lines],
        "origins": origins,
    }


def _origins(entries: Sequence[PlannedTrial], trials: Trials) -> list[dict[str, Any]]:
    """The trials in groups of the same hardware and precision, versions and commit."""
    groups: dict[tuple[str, ...], dict[str, Any]] = {}
    held = []
    for entry in {entry.trial.identity: entry for entry in entries}.values():
        record, identity = trials.record(entry), entry.trial.identity
        if trials.held(entry):
            held.append(identity)
        elif record:
            made = record["provenance"]
            hardware = f"{made.get('hardware')}{' in TF32' if made.get('tf32') else ''}"
            key = (hardware, *(str(made.get(name)) for name in ("commit", *VERSIONS)))
            empty: dict[str, Any] = {
                "hardware": key[0],
                "versions": {name: [str(made.get(name))] for name in VERSIONS},
                "commits": [key[1]],
                "dates": [],
                "trials": [],
            }
            group = groups.setdefault(key, empty)
            group["dates"] += [str(made["date"])[:10]] if made.get("date") else []
            group["trials"].append(identity)
    for group in groups.values():
        group["dates"] = sorted(set(group["dates"]))
        group["trials"].sort()
    kept = trials.kept.origins(held) if trials.kept else []
    return [groups[key] for key in sorted(groups)] + kept


def _settings(
    figure: Figure, line: PlannedSeries, best: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """What a series was trained with, which of it is inferred, which searched.

    In figure 4 that has several ``best``: the CSV tells them.
    """
    grid = best[0] if len(best) == 1 else {}
    entry = line.trial_at(dict(grid), 0)
    settings = flat({**entry.trial.settings, "seed": None})
    settings.pop("seed")
    searched = [] if line.fitted else list(grid)
    inferred = [key for key in figure.inferred if key in settings and key not in searched]
    words = [f"{key}={value}" for key, value in grid.items()]
    return {
        "series": line.series.label,
        "reading": line.reading,
        "panel": line.panel,
        "seeds": line.seeds,
        "settings": settings,
        "inferred": inferred,
        "searched": searched,
        "grid": {key: list(values) for key, values in line.axes().items()},
        "command": " ".join(["adam-repro run", *line.overrides, *words]),
    }
