"""Weights & Biases: a run for each trial, in the sweep's group.

The project is WANDB_PROJECT, else ``adam-repro``. W&B's own variables hold here too:
``WANDB_MODE=offline`` writes to RESULTS_DIR/wandb alone.

Offline, W&B opens no run again: a trial that goes on writes a second folder offline-run-DATE-ID of the
same id, with all its epochs from the first on. The latest folder of an id is the whole run.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping
from pathlib import Path

import wandb

from adam_repro.config.trial import Trial
from adam_repro.runs.loggers.base import OpenRun, TrialLogger, settings, title


class Logger(TrialLogger):
    """Opens a run of its own for each trial of a stack; several may be open at once."""

    name = "wandb"

    def begin(self, trial: Trial, sweep: str, key: str | None) -> OpenRun:
        self.results.mkdir(parents=True, exist_ok=True)
        run = wandb.init(
            project=os.environ.get("WANDB_PROJECT", "adam-repro"),
            group=sweep or None,
            name=title(trial),
            id=key or uuid.uuid4().hex[:12],
            resume="allow",
            config=settings(trial),
            dir=str(self.results),
            reinit="create_new",
            settings=wandb.Settings(silent=True, console="off"),
        )
        # The next step is the number of epochs that are there; what is logged offline is not known.
        return OpenRun(run, run.id, set(range(run.step)))

    def log(self, run: OpenRun, epoch: int, values: Mapping[str, float]) -> None:
        run.handle.log(dict(values), step=epoch)

    def end(self, run: OpenRun, status: str, curve: Path | None) -> None:
        if curve is not None:
            run.handle.log({"curve": wandb.Image(str(curve))}, step=max(run.epochs))
        run.handle.summary["status"] = status
        run.handle.finish(exit_code=1 if status == "failed" else 0)
