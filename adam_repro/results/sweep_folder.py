"""A sweep's folder, as Hydra's multirun makes it: which trials the sweep has, and where they are."""

from __future__ import annotations

import csv
import glob
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from adam_repro.files import visible

SWEEP = "sweep.csv"  # the closing table of a sweep: a row a trial


def trials_of_sweep(folder: Path) -> tuple[list[Path], list[str]]:
    """The folders of a sweep's trials, and a message on each trial that is not found.

    The table has each trial's identity. Its folder is below the results folder that the sweep was
    given: one above the sweep, as a rule, else the one that ``multirun.yaml`` names.
    """
    try:
        with (folder / SWEEP).open(newline="", encoding="utf-8") as file:
            lines = list(csv.reader(file))
        at = [lines[0].index(name) for name in ("task", "identity", "status")]
        names = [tuple(line[i] for i in at) for line in lines[1:]]
    except (OSError, ValueError, IndexError, csv.Error):
        return [], [f"{folder / SWEEP}: is damaged; left out"]
    places = [place for place in _results_folders(folder) if (place / "runs").is_dir()]
    found, missing = [], []
    for task, identity, status in names:
        pattern = f"runs/{glob.escape(task)}/*/{glob.escape(identity)}"
        match = next((path for place in places for path in visible(place, pattern)), None)
        if match is not None:
            found.append(match)
        elif status != "failed":  # one that fails before its first row leaves no folder
            missing.append(identity)
    if not missing:
        return found, []
    more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
    return found, [f"{folder}: its trials {', '.join(missing[:3])}{more} are not there; left out"]


def _results_folders(sweep: Path) -> Iterator[Path]:
    yield from sweep.resolve().parents
    try:
        record: Any = yaml.safe_load((sweep / "multirun.yaml").read_text(encoding="utf-8"))
        yield Path(record["hydra"]["runtime"]["cwd"], str(record["results_dir"])).expanduser()
    except (OSError, ValueError, TypeError, KeyError, yaml.YAMLError):
        return
