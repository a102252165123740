"""Trial folders as training leaves them, written in an instant."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from adam_repro.config.trial import identity_of
from adam_repro.results import checksums

SETTINGS: dict[str, Any] = {
    "task": {
        "name": "logreg",
        "model": "logreg",
        "data": {"name": "mnist"},
        "order": "once",
        "epoch_examples": None,
    },
    "optimizer": {"name": "adam", "lr": 0.001},
    "averaging": {"name": "none"},
    "schedule": "constant",
    "seed": 0,
    "epochs": 3,
    "batch_size": 128,
    "eval_train_every": 0,
}


def put(
    results: Path,
    costs: Sequence[float] = (2.0, 1.0, 0.5),
    status: str = "finished",
    seconds: Sequence[float] | None = None,
    columns: Mapping[str, Sequence[float]] | None = None,
    **settings: Any,
) -> Path:
    """Write a trial of these costs; its folder. ``settings``: dotted names with ``__`` for the dot."""
    config = copy.deepcopy(SETTINGS)
    config["epochs"] = len(costs)
    for name, value in settings.items():
        *path, last = name.split("__")
        section = config
        for key in path:
            section = section[key]
        section[last] = value
    identity = identity_of(config)
    folder = results / "runs" / config["task"]["name"] / config["optimizer"]["name"] / identity
    folder.mkdir(parents=True)
    own = dict(columns or {})
    lines = [",".join(["epoch", "step", "train_cost", *own])]
    for i, cost in enumerate(costs):
        lines.append(",".join(map(str, [i, 10 * (i + 1), cost, *(v[i] for v in own.values())])))
    timing = [f"{i},{one}" for i, one in enumerate(seconds or [0.5] * len(costs))]
    contents = {
        "metrics.csv": "\n".join(lines) + "\n",
        "timing.csv": "\n".join(["epoch,seconds", *timing]) + "\n",
    }
    for name, text in contents.items():
        (folder / name).write_text(text, encoding="utf-8")
    record: dict[str, Any] = {"identity": identity, "status": status, "config": config}
    if status in ("finished", "diverged"):
        record["checksums"] = {
            name: checksums.of_columns(text.encode()) for name, text in contents.items()
        }
    record["provenance"] = {"hardware": "a test"}
    text = yaml.safe_dump(record, sort_keys=False)
    (folder / "trial.yaml").write_text(text, encoding="utf-8")
    return folder


def put_sweep(results: Path, trials: Sequence[Path], name: str = "one") -> Path:
    """Write the folder of a sweep of these trials."""
    folder = results / "sweeps" / name
    folder.mkdir(parents=True)
    rows = [f"{path.parts[-3]},{path.name},finished" for path in trials]
    text = "\n".join(["task,identity,status", *rows]) + "\n"
    (folder / "sweep.csv").write_text(text, encoding="utf-8")
    return folder
