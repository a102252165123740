"""From a setting to its trial: the task, the optimizer, both composed as ``adam-repro run`` composes them."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from adam_repro.comparison.model import Entrant, Setting
from adam_repro.comparison.spec import TaskSpec
from adam_repro.config import compose
from adam_repro.config.hydra_errors import explain
from adam_repro.config.trial import Trial, read
from adam_repro.errors import UserError

NEUTRAL = "rare_classes"  # a task with which no optimizer has settings of the paper's own


@dataclass(frozen=True)
class Composer:
    """The trials of one optimizer on one task.

    ``settings``: of all of them. The optimizer's own are the defaults of its file, not those that
    ``configs/paper`` fits to a curve of the paper: nobody else has such.
    """

    entrant: Entrant
    task: TaskSpec
    scale: str
    settings: Mapping[str, Any] = field(repr=False)

    @classmethod
    def of(cls, entrant: Entrant, task: TaskSpec, scale: str) -> Composer:
        """Compose the settings once.

        Raises:
            UserError: for an option that the optimizer or the task does not have.
        """
        with _as_user_error(entrant.label):
            settings = compose.settings([*task.words(scale), "optimizer=torch"])
            own = compose.settings([f"task={NEUTRAL}", *entrant.words])
        settings["optimizer"] = own["optimizer"]
        return cls(entrant, task, scale, settings)

    def trial(self, setting: Setting, seed: int) -> Trial:
        """The trial of a setting and a seed.

        Raises:
            UserError: for a value that no trial can have.
        """
        settings = copy.deepcopy(dict(self.settings))
        options = {"schedule": setting.schedule, "seed": seed, **dict(setting.others)}
        if setting.lr is not None:
            options[self.entrant.lr_option] = setting.lr
        for key, value in options.items():
            plain = list(value) if isinstance(value, tuple) else value
            compose.set_option(settings, key, plain, self.entrant.label)
        return read(settings)[0]


@contextmanager
def _as_user_error(label: str) -> Iterator[None]:
    try:
        yield
    except UserError as error:
        raise UserError(f"{label}: {error}") from None
    except (HydraException, OmegaConfBaseException) as error:
        raise UserError(f"{label}: {explain(error)}") from None
