"""MLflow: a run for each trial, with the tag ``sweep`` to group by.

They are written to MLFLOW_TRACKING_URI, else to RESULTS_DIR/mlflow.db, which ``mlflow ui
--backend-store-uri sqlite:///results/mlflow.db`` shows. The experiment is MLFLOW_EXPERIMENT_NAME, else
``adam-repro``.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import Metric, Param
from mlflow.exceptions import MlflowException

from adam_repro.config.trial import Run, Trial
from adam_repro.runs.loggers.base import OpenRun, TrialLogger, settings, title

LONGEST = 500  # characters of a parameter that every version of MLflow takes


class Logger(TrialLogger):
    """Writes through a client of its own: MLflow's active run, which may be the caller's, stays."""

    name = "mlflow"

    def __init__(self, run: Run) -> None:
        super().__init__(run)
        results = self.results.absolute()
        given = os.environ.get("MLFLOW_TRACKING_URI")
        if not given:
            results.mkdir(parents=True, exist_ok=True)
        self.client = MlflowClient(given or f"sqlite:///{results / 'mlflow.db'}")
        self.artifacts = None if given else (results / "mlartifacts").as_uri()

    def _experiment(self) -> str:
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME", "adam-repro")
        found = self.client.get_experiment_by_name(name)
        if found is None:
            try:
                return str(self.client.create_experiment(name, self.artifacts))
            except MlflowException:  # another worker has created it in between
                found = self.client.get_experiment_by_name(name)
        return str(found.experiment_id)

    def begin(self, trial: Trial, sweep: str, key: str | None) -> OpenRun:
        if key is not None:
            self.client.update_run(key, status="RUNNING")
            history = self.client.get_metric_history(key, "train_cost")
            return OpenRun(key, key, {metric.step for metric in history})
        tags = {"sweep": sweep or "single trials", "identity": trial.identity, "status": "running"}
        run = self.client.create_run(self._experiment(), tags=tags, run_name=title(trial))
        params = [Param(name, str(value)[:LONGEST]) for name, value in settings(trial).items()]
        self.client.log_batch(run.info.run_id, params=params)
        return OpenRun(run.info.run_id, run.info.run_id)

    def log(self, run: OpenRun, epoch: int, values: Mapping[str, float]) -> None:
        now = int(1000 * time.time())
        metrics = [Metric(name, value, now, epoch) for name, value in values.items()]
        self.client.log_batch(run.handle, metrics=metrics)

    def end(self, run: OpenRun, status: str, curve: Path | None) -> None:
        if curve is not None:
            self.client.log_artifact(run.handle, str(curve))
        self.client.set_tag(run.handle, "status", status)
        self.client.set_terminated(run.handle, "FAILED" if status == "failed" else "FINISHED")
