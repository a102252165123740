"""Registers the stacked launcher with Hydra."""

from dataclasses import dataclass

from hydra.core.config_store import ConfigStore

from adam_repro.sweep import launcher
from adam_repro.sweep.workers import Workers

__all__ = ["StackedLauncher"]


class StackedLauncher(launcher.StackedLauncher):
    """The launcher under a name in ``hydra_plugins``: Hydra instantiates launchers only from there."""


@dataclass
class StackedLauncherConf(Workers):
    """``hydra/launcher=stacked``: where the stacks are trained, and by how many workers."""

    _target_: str = "hydra_plugins.adam_repro_launcher.StackedLauncher"


ConfigStore.instance().store(
    group="hydra/launcher", name="stacked", node=StackedLauncherConf, provider="adam_repro"
)
