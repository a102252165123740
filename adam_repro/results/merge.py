"""From trial folders to the merged CSV of a figure and its provenance."""

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
from adam_repro.results import provenance, table
from adam_repro.results.committed import CommittedRows
from adam_repro.results.trial_results import AVERAGED, COMPLETE, TrialResults, metrics_column

if TYPE_CHECKING:  # plan imports Hydra, which drawing does not need
    from adam_repro.figures.plan import PlannedSeries, PlannedTrial, SeriesKey


def select_best(
    entries: Sequence[PlannedTrial], trials: TrialResults
) -> dict[SeriesKey, list[dict[str, Any]]]:
    """The setting of each grid with the lowest final cost as plotted; of equals the first.

    In figure 4: the best lr for each combination of the other settings.
    """
    best: dict[tuple[Any, ...], tuple[float, PlannedTrial]] = {}
    for entry in entries:
        cost = trials.final_cost(entry)
        if entry.fitted or np.isnan(cost):
            continue
        if entry.selection_group not in best or cost < best[entry.selection_group][0]:
            best[entry.selection_group] = (cost, entry)
    selected: dict[SeriesKey, list[dict[str, Any]]] = {}
    for _, entry in best.values():
        selected.setdefault(entry.key, []).append(dict(entry.grid_point))
    return selected


def merge(
    figure: Figure,
    scale_name: str,
    lines: Sequence[PlannedSeries],
    results: Path,
    folder: Path,
    keep: bool = False,
) -> list[str]:
    """Write ``<figure>.csv`` and ``<figure>.provenance.yaml``; return what is missing, as messages.

    ``keep``: trials of the plan without a complete folder keep the rows that the CSV has of them.
    """
    trials = TrialResults(results, CommittedRows(folder, [figure.name]) if keep else None)
    first = [entry for line in lines for entry in line.grid_stage()]
    best = select_best(first, trials)
    entries = first + [
        entry
        for line in lines
        for grid in best.get(line.key, [])
        for entry in line.seed_stage(grid)
    ]
    parts: dict[int, list[pd.DataFrame]] = {}
    for i, entry in enumerate(entries):
        selected = entry.fitted or entry.grid_point in best.get(entry.key, [])
        parts[i] = _rows(figure, scale_name, entry, trials, selected)
    present = [entry for i, entry in enumerate(entries) if parts[i]]
    missing = [entry for i, entry in enumerate(entries) if not parts[i]]
    untrained = {entry.reading for entry in entries} - {entry.reading for entry in present}
    hidden = untrained | _incomplete_grid(present, missing)
    shown = [i for i, entry in enumerate(entries) if entry.reading not in hidden]
    folder.mkdir(parents=True, exist_ok=True)
    rows = [part for i in shown for part in parts[i] if len(part)]
    merged = pd.concat(rows, ignore_index=True) if rows else table.empty()
    table.write(merged, folder / f"{figure.name}.csv")
    messages = [not_trained(reading) for reading in sorted(hidden)]
    messages += _missing(missing, [line for line in lines if line.reading not in untrained], best)
    shown_lines = [line for line in lines if line.reading not in hidden]
    shown_trials = [entries[i] for i in shown if parts[i]]
    record = _provenance(figure, scale_name, shown_lines, shown_trials, best, trials, messages)
    text = yaml.safe_dump(record, sort_keys=False, allow_unicode=True, width=100)
    write_text(folder / f"{figure.name}.provenance.yaml", text)
    return messages


def _rows(
    figure: Figure, scale_name: str, entry: PlannedTrial, trials: TrialResults, selected: bool
) -> list[pd.DataFrame]:
    """The rows of one trial: all epochs if it is plotted, else the last; empty if it is missing.

    Of a figure whose every lr is drawn: the rows at its marks, or about its target.
    """
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
        "selected": selected,
    }
    if trials.committed and trials.is_only_committed(entry):
        committed = trials.committed.rows(entry, selected or figure.every_lr_is_drawn)
        return [] if committed is None else [committed.assign(**keys)]
    metrics, status = trials.metrics(entry), trials.status(entry)
    if metrics is None or status not in COMPLETE:
        return []
    rows = pd.DataFrame({"epoch": metrics["epoch"], "train_cost": metrics["train_cost"]})
    own = [name for name in table.columns_of(figure.name) if name not in table.COLUMNS]
    for column in (*AVERAGED, *own):
        rows[column] = metrics.get(metrics_column(entry, column), np.nan)
    rows["seconds"] = metrics["seconds"]
    if figure.every_lr_is_drawn:
        if figure.kind == "scaling":
            rows = _rows_at_target(rows, figure.targets[0]).assign(status=status)
            return [rows.assign(panel=panel.name, **keys) for panel in figure.panels]
        at_marks = _rows_at_marks(figure, figure.scale(scale_name), entry, rows, status)
        return [row.assign(**keys) for row in at_marks]
    rows = rows if selected else rows.tail(1)
    return [rows.assign(panel=entry.panel, status=status, **keys)]


def _rows_at_target(rows: pd.DataFrame, target: float) -> pd.DataFrame:
    """The last row whose test cost is above the target, the next one, and the last of the trial."""
    cost = rows["test_cost"].to_numpy(float)
    above = np.flatnonzero(~(cost <= target))
    settled = int(above[-1]) + 1 if len(above) else 0
    kept = {settled - 1, settled, len(rows) - 1} & set(range(len(rows)))
    return rows.iloc[sorted(kept)]


def _rows_at_marks(
    figure: Figure, scale: Scale, entry: PlannedTrial, rows: pd.DataFrame, status: str
) -> Iterable[pd.DataFrame]:
    """One row for each panel with the trial's settings: the epoch of the panel's mark."""
    for panel in figure.panels:
        in_panel = all(entry.grid_point.get(key) == value for key, value in panel.where.items())
        if not in_panel or panel.mark >= len(scale.marks):
            continue
        at_mark = rows[rows["epoch"] == scale.marks[panel.mark] - 1]
        finite = len(at_mark) > 0 and bool(np.isfinite(at_mark["train_cost"]).all())
        row = at_mark if len(at_mark) else rows.tail(1)
        status_then = "finished" if finite else status
        if status_then in COMPLETE and (finite or status == "diverged"):
            yield row.assign(panel=panel.name, status=status_then)


def _incomplete_grid(present: Sequence[PlannedTrial], missing: Sequence[PlannedTrial]) -> set[str]:
    """``{"dense_grid"}``, if the only trials of that grid are shared with the fitted ones.

    They are too few to pick a best, so the grid is hidden.
    """
    printed = {entry.trial.identity for entry in present if entry.reading == "as_printed"}
    grid = {entry.trial.identity for entry in present if entry.reading == "dense_grid"}
    partial = any(entry.reading == "dense_grid" for entry in missing)
    return {"dense_grid"} if partial and grid and grid <= printed else set()


def _missing(
    missing: Sequence[PlannedTrial], lines: Sequence[PlannedSeries], best: Mapping[SeriesKey, Any]
) -> list[str]:
    """Messages: how many trials of each series are missing, and which grids have no best."""
    counts = Counter(entry.key for entry in missing)
    messages = []
    for line in lines:
        reading, panel, series = line.key
        where = f"{series} ({panel}, {reading})" if panel else f"{series} ({reading})"
        if counts[line.key]:
            count = counts[line.key]
            word = "trials are" if count > 1 else "trial is"
            messages.append(f"{where}: {count} {word} not finished, or damaged")
        if not line.fitted and line.key not in best:
            messages.append(f"{where}: no trial of its grid is finished, so none is selected")
    return messages


def _provenance(
    figure: Figure,
    scale_name: str,
    lines: Sequence[PlannedSeries],
    entries: Sequence[PlannedTrial],
    best: Mapping[SeriesKey, Sequence[Mapping[str, Any]]],
    trials: TrialResults,
    missing: Sequence[str],
) -> dict[str, Any]:
    origins = trials.origins(entries)
    return {
        "figure": figure.name,
        "scale": scale_name,
        "generated_data": figure.scale(scale_name).generated,
        **provenance.summarise(origins),
        "missing": list(missing),
        "series": [_series_record(figure, line, best.get(line.key, [])) for line in lines],
        "origins": origins,
    }


def _series_record(
    figure: Figure, line: PlannedSeries, best: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """The settings of a series, which of them are inferred, and which were searched.

    In figure 4 a series has several ``best``; they are left to the CSV.
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
