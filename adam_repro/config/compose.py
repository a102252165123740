"""One composer: words of a command line and Hydra's YAML become a trial and how it is run."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra import compose
from omegaconf import DictConfig, OmegaConf

from adam_repro.config.trial import Run, Trial
from adam_repro.config.trial import read as read_plain
from adam_repro.errors import UserError

# What an optimizer of one's own takes, or sbatch, is not known here: any name is welcome below these.
ANY_NAME = (r"optimizer\.kwargs", r"hydra\.launcher\.additional_parameters")


PACKAGE = Path(__file__).resolve().parents[1]


def config_folder() -> Path:
    """The folder of the configurations: beside the package in a checkout, inside it when installed."""
    inside = PACKAGE / "configs"
    return inside if inside.is_dir() else PACKAGE.parent / "configs"


def welcome(words: Iterable[str]) -> list[str]:
    """Overrides as Hydra takes them, which wants a ``++`` before a name it does not know."""
    return [re.sub(f"^({'|'.join(ANY_NAME)})(?=[.=])", r"++\1", word) for word in words]


def read(composed: DictConfig) -> tuple[Trial, Run]:
    """The trial and the run of a composed configuration."""
    plain: Any = OmegaConf.to_container(composed, resolve=True, throw_on_missing=True)
    return read_plain(plain)


_composed: dict[tuple[str, ...], Mapping[str, Any]] = {}


def _compose(words: Sequence[str]) -> Mapping[str, Any]:
    key = tuple(words)
    if key not in _composed:
        plain: Any = OmegaConf.to_container(compose("config", welcome(words)), resolve=True)
        _composed[key] = plain
    return _composed[key]


def _set(settings: dict[str, Any], key: str, value: Any, file: str) -> None:
    """Set a key the configuration already has, as an override on the command line would.

    What an optimizer by import path takes is not known here: any name will do below its ``kwargs``.
    """
    place: Any = settings
    for part in key.split("."):
        group = place if isinstance(place, dict) else {}
        if key.startswith("optimizer.kwargs.") and group is settings.get("optimizer", {}).get(
            "kwargs"
        ):
            group.setdefault(part, None)
        if part not in group:
            legal = ", ".join(group) or "none"
            raise UserError(
                f"{file}: {key}={value}: there is no such option; legal in place of {part}: {legal}"
            )
        place = group[part]
    group[part] = value
