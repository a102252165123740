"""Where Hydra looks for launchers: the stacked launcher's entry point and nothing else."""

from dataclasses import dataclass

from hydra.core.config_store import ConfigStore

from adam_repro.sweep import launcher
from adam_repro.sweep.workers import Workers

__all__ = ["StackedLauncher"]


class StackedLauncher(launcher.StackedLauncher):
    """The launcher under a name in ``hydra_plugins``, the only place Hydra instantiates from."""


@dataclass
class StackedLauncherConf(Workers):
    """``hydra/launcher=stacked``: where the stacks are trained, and by how many workers."""

    _target_: str = "hydra_plugins.adam_repro_launcher.StackedLauncher"


ConfigStore.instance().store(
    group="hydra/launcher", name="stacked", node=StackedLauncherConf, provider="adam_repro"
)
