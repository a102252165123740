"""TensorBoard: a folder of events for each trial, in one folder a sweep below RESULTS_DIR/tensorboard.

``tensorboard --logdir results/tensorboard`` shows them, with the settings under HPARAMS.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from PIL import Image
from tensorboard.plugins.hparams.plugin_data_pb2 import SessionEndInfo
from torch.utils.tensorboard import SummaryWriter
from torch.utils.tensorboard.summary import hparams

from adam_repro.config.trial import Trial
from adam_repro.files import visible
from adam_repro.runs.loggers.base import OpenRun, TrialLogger, settings, title

COSTS = ("train_cost", "test_cost")  # shown beside the settings


class Logger(TrialLogger):
    """Writes event files. Those of a trial that goes on are written anew, from its metrics.csv."""

    name = "tensorboard"

    def begin(self, trial: Trial, sweep: str, key: str | None) -> OpenRun:
        place = key or f"{sweep or 'single_trials'}/{title(trial)}"
        folder = self.results / "tensorboard" / place
        for old in visible(folder, "events.out.tfevents.*"):
            old.unlink()
        writer: Any = SummaryWriter(str(folder))
        found = settings(trial)
        writer.add_text("settings", f"```\n{yaml.safe_dump(found)}```")
        experiment, start, _ = hparams(
            {name: _plain(value) for name, value in found.items()}, dict.fromkeys(COSTS, 0.0)
        )
        writer.file_writer.add_summary(experiment)
        writer.file_writer.add_summary(start)
        return OpenRun(writer, place)

    def log(self, run: OpenRun, epoch: int, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            run.handle.add_scalar(name, value, epoch)
        run.handle.flush()

    def end(self, run: OpenRun, status: str, curve: Path | None) -> None:
        if curve is not None:
            with Image.open(curve) as image:
                pixels = np.asarray(image.convert("RGB"))
            run.handle.add_image("curve", pixels, dataformats="HWC")
        run.handle.add_text("status", status)
        *_, ended = hparams({}, {})
        data = ended.value[0].metadata.plugin_data
        if status == "failed":
            content = type(_hparams_data()).FromString(data.content)
            content.session_end_info.CopyFrom(SessionEndInfo(status="STATUS_FAILURE"))
            data.content = content.SerializeToString()
        run.handle.file_writer.add_summary(ended)
        run.handle.close()


def _hparams_data() -> Any:
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    return HParamsPluginData()


def _plain(value: Any) -> str | int | float | bool:
    return value if isinstance(value, (str, int, float, bool)) else str(value)
