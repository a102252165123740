"""The one composer: words of a command line become settings, and settings a trial and how it is run.

Only a sweep under ``-m`` composes elsewhere (:mod:`adam_repro.config.sweep_compose`): there Hydra has
begun already.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf

from adam_repro import config_folders
from adam_repro.config.command_words import escaped
from adam_repro.config.trial import Run, Trial, read
from adam_repro.errors import UserError
from adam_repro.files import config_folder
from adam_repro.wording import suggestion

Settings = dict[str, Any]

# Groups in which any key is legal: what a foreign optimizer or sbatch takes is not known here.
OPEN_GROUPS = (r"optimizer\.kwargs", r"hydra\.launcher\.additional_parameters")


def allow_new_keys(words: Iterable[str]) -> list[str]:
    """The overrides with ``++`` before keys of open groups, without which Hydra refuses new keys."""
    return [re.sub(f"^({'|'.join(OPEN_GROUPS)})(?=[.=])", r"++\1", word) for word in words]


def settings(words: Iterable[str]) -> Settings:
    """The resolved settings of ``adam-repro run`` with these words; the caller may change them.

    Raises:
        HydraException, OmegaConfBaseException: what Hydra has to say of the words.
    """
    return copy.deepcopy(_compose(tuple(words), config_folders.own()))


@cache
def _compose(words: tuple[str, ...], own: Path | None) -> Settings:
    search = [f"hydra.searchpath=['file://{escaped(str(own))}']"] if own else []
    # Hydra's state is one of a kind in a process: held for this call only.
    with initialize_config_dir(str(config_folder()), version_base="1.3"):
        return _plain(compose("config", [*search, *allow_new_keys(words)]))


def trial(words: Iterable[str]) -> Trial:
    """The trial of ``adam-repro run`` with these words."""
    return read(settings(words))[0]


def from_hydra(composed: DictConfig) -> tuple[Trial, Run]:
    """The trial and the run of a configuration that Hydra has composed."""
    return read(_plain(composed))


def _plain(composed: DictConfig) -> Settings:
    plain: Any = OmegaConf.to_container(composed, resolve=True, throw_on_missing=True)
    return plain


def set_option(settings: Settings, key: str, value: Any, source: str) -> None:
    """Set a key that the settings already have, as an override on the command line does.

    Below ``optimizer.kwargs`` any key is legal. ``source``: the file that asks for it.

    Raises:
        UserError: for a key that is not there, with the legal ones.
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
                f"{source}: {key}={value}: there is no such option; legal in place of {part}: {legal}"
                f"{suggestion(part, group)}"
            )
        place = group[part]
    group[part] = value
