"""The configurations of many jobs, each distinct choice of groups composed once."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, OverrideType
from hydra.types import HydraContext
from omegaconf import DictConfig, OmegaConf, open_dict

from adam_repro.config.trial import LATER_OPTIONS

#: Options of the optimizer section that only ``optimizer=torch`` has.
FOREIGN = ("optimizer.target", "optimizer.kwargs", *(f"optimizer.{name}" for name in LATER_OPTIONS))


def allow_for_all(words: Iterable[str]) -> list[str]:
    """The words of a sweep over ``optimizer=torch`` and others, with ``++`` before options of the former.

    Hydra composes every job before the launcher has it, and refuses an option that a job has not. Here
    the others' jobs get it, until :func:`for_each_optimizer` takes it from them.
    """
    words = list(words)
    choices = [word.partition("=")[2].split(",") for word in words if word.startswith("optimizer=")]
    if not any("torch" in names and len(names) > 1 for names in choices):
        return words
    return [f"++{word}" if is_foreign_option(word) and word[0] != "+" else word for word in words]


def for_each_optimizer(jobs: Sequence[Sequence[str]]) -> list[list[str]]:
    """The overrides of each job, without those that only an optimizer by import path has if it is ours.

    So ``optimizer=adam,torch optimizer.target=…`` is a sweep over both. A sweep without any
    ``optimizer=torch`` keeps them, to be refused.
    """
    foreign = ["optimizer=torch" in job for job in jobs]
    chosen = [any(word.startswith("optimizer=") for word in job) for job in jobs]
    if not any(foreign):
        return [list(job) for job in jobs]
    return [
        [word for word in job if is_foreign or not ours or not is_foreign_option(word)]
        for job, is_foreign, ours in zip(jobs, foreign, chosen, strict=True)
    ]


def is_foreign_option(word: str) -> bool:
    """Whether a word sets an option that only an optimizer by import path has."""
    key = word.lstrip("+").partition("=")[0]
    return any(key == name or key.startswith(f"{name}.") for name in FOREIGN)


class Composer:
    """Composes as ``load_sweep_config`` does, which takes a third of a second for every job.

    Jobs of a sweep mostly differ in plain values (``optimizer.lr=1e-3``). Those are set on a copy of
    the first composition with the same choices of groups; all else goes through Hydra.
    """

    def __init__(self, context: HydraContext, config: DictConfig) -> None:
        self.loader = context.config_loader
        self.config = config
        self.groups = set(self.loader.list_groups(""))
        self.parser = OverridesParser.create()
        self.bases: dict[tuple[str, ...], DictConfig] = {}

    def __call__(self, overrides: Sequence[str], number: int) -> DictConfig:
        """The configuration of the job ``number`` with these overrides."""
        parsed = self.parser.parse_overrides(list(overrides))
        plain = [override for override in parsed if self._is_plain(override)]
        choices = tuple(
            override.key_or_group if override in plain else str(override.input_line)
            for override in parsed
        )
        if choices not in self.bases:
            self.bases[choices] = self.loader.load_sweep_config(self.config, list(overrides))
        config = copy.deepcopy(self.bases[choices])
        for override in plain:
            OmegaConf.update(config, override.key_or_group, override.value(), merge=False)
        with open_dict(config):
            config.hydra.job.id = str(number)
            config.hydra.job.num = number
            config.hydra.overrides.task = [word for word in overrides if "hydra." not in word]
        return config

    def _is_plain(self, override: Override) -> bool:
        """Whether an override only replaces a value that the composition already has.

        A dictionary does not: Hydra merges it with the one that is there.
        """
        simple = override.type is OverrideType.CHANGE and override.package is None
        simple = simple and not isinstance(override.value(), dict)
        top = override.key_or_group.split(".")[0].split("/")[0]
        return simple and override.key_or_group not in self.groups and top != "hydra"
