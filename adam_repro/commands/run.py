"""``adam-repro run``: Hydra composes the configuration, the engine trains it, a summary closes it."""

from __future__ import annotations

import errno
import os
import secrets
import sys
import traceback
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from adam_repro.config.command_words import prepare
from adam_repro.config.compose import allow_new_keys, from_hydra
from adam_repro.config.hydra_errors import explain, ignored_options
from adam_repro.config.sweep_compose import allow_for_all
from adam_repro.config.trial import Run, Trial
from adam_repro.errors import UserError
from adam_repro.files import PACKAGE, config_folder, visible, yaml_flaw
from adam_repro.sweep import launcher

# Groups that compose by themselves: not for the command line.
INTERNAL = ("paper", "figure", "hydra")


class HydraPassThrough(BaseException):
    """Carries an error through Hydra, which would print any Exception with a traceback."""

    def __init__(self, error: UserError | OSError) -> None:
        super().__init__(str(error))
        self.error = error


def main(arguments: list[str]) -> int:
    """Run Hydra on ``arguments``; the exit status.

    Raises:
        UserError: for anything wrong with the configuration.
    """
    # Hydra then raises its errors instead of printing them, so that they become our messages.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    sys.argv = ["adam-repro run", *allow_for_all(allow_new_keys(prepare(arguments)))]
    token = secrets.token_hex(3)  # sweeps that begin in the same second have folders of their own
    OmegaConf.register_new_resolver("unique", lambda: token, replace=True)
    if {"--help", "-h"} & set(arguments):
        _list_groups_quickly()
    launcher.started.clear()
    try:
        status = _compose_and_train()
        for sweep in launcher.started:
            sweep.conclude()
    except UserError:
        for sweep in launcher.started:
            sweep.discard()
        raise
    return status


def _compose_and_train() -> int:
    """Hand over to Hydra; the exit status.

    Raises:
        UserError: for anything wrong with the configuration, or with what a plugin makes of it.
    """
    try:
        hydra.main(version_base="1.3", config_path=str(config_folder()), config_name="config")(
            train_composed
        )()
    except HydraPassThrough as carrier:
        raise carrier.error from None
    except SystemExit as finished:  # how Hydra ends --help and its own complaints
        if isinstance(finished.code, str):
            raise UserError(finished.code) from None
        return 2 if finished.code else 0
    except (HydraException, OmegaConfBaseException) as error:
        raise UserError(explain(error)) from None
    except (UserError, OSError, MemoryError):
        raise
    except Exception as error:
        if hasattr(error, "problem_mark"):  # of YAML
            raise UserError(yaml_flaw(error, named=True)) from None
        if _is_ours(error):
            raise
        # Hydra and its plugins raise whatever their libraries do: ValueError, KeyError, SQL errors.
        kind = type(error).__name__
        reason = (str(error).strip() or "no reason given").splitlines()[0]
        raise UserError(
            f"Hydra cannot carry out this command: {kind}: {reason}{_in_plugin(error)}"
        ) from None
    return 0


def _in_plugin(error: Exception) -> str:
    """The line of a plugin in which an error was raised: Hydra imports all that it finds, for any command."""
    frames = traceback.extract_tb(error.__traceback__)
    lines = [
        f"{one.filename}, line {one.lineno}" for one in frames if "hydra_plugins" in one.filename
    ]
    return f" ({lines[-1]})" if lines else ""


def _is_ours(error: Exception) -> bool:
    """Whether an error comes from our code, or from what that called, and not from Hydra or a plugin."""
    files = [Path(frame.filename) for frame in traceback.extract_tb(error.__traceback__)]
    callers = (Path(__file__), PACKAGE / "cli.py", PACKAGE / "__main__.py")
    return any(file.is_relative_to(PACKAGE) and file not in callers for file in files)


def _list_groups_quickly() -> None:
    """Let Hydra's help list the configuration groups from our folder.

    Hydra copies all configurations once for each group: `run --help` takes 0.9 s of CPU time then, 0.3 s so.
    It would also list the groups that compose by themselves.
    """
    from hydra._internal.hydra import Hydra

    def groups(self: Hydra, predicate: Callable[[str], bool], compact: bool = True) -> str:
        folders = [path for path in visible(config_folder(), "*") if path.is_dir()]
        shown = [path for path in folders if predicate(path.name) and path.name not in INTERNAL]
        options = {path.name: [file.stem for file in visible(path, "*.yaml")] for path in shown}
        return "\n".join(f"{name}: {', '.join(names)}" for name, names in options.items())

    Hydra.format_config_groups = groups  # type: ignore[method-assign]


def train_composed(composed: DictConfig) -> float | None:
    """Train the trial of one composed configuration; its final training cost."""
    try:
        executor = OmegaConf.select(HydraConfig.get().launcher, "executor", default="here")
        if executor != "here":
            raise UserError(f"hydra.launcher.executor={executor}: sends out a sweep; add -m")
        trial, run = from_hydra(composed)
        for note in ignored_options(HydraConfig.get().overrides.task, trial.optimizer["name"]):
            print(note, file=sys.stderr)
        return train_one(trial, run)
    except (UserError, OSError) as error:
        raise HydraPassThrough(error) from None


def train_one(trial: Trial, run: Run) -> float:
    """Train one trial unless it is finished, draw its curve, print its summary; its last cost."""
    from adam_repro.plots.trial import draw, read, summary
    from adam_repro.runs import loggers
    from adam_repro.runs.callbacks import ProgressBar
    from adam_repro.runs.execute import execute
    from adam_repro.runs.folder import TrialFolder

    if run.engine == "auto":  # alone, a model called as it is costs half of a stack of one
        run = replace(run, engine="looped")
    bar = ProgressBar(run.progress)
    folder = trial.folder(run.results_dir)
    try:
        status = execute([trial], run, [bar, *loggers.make(run)])[trial.identity]
    finally:
        bar.close()
    if status == "running":
        holder = TrialFolder(trial, run.results_dir).holder()
        raise UserError(
            f"{folder}: another process is training this trial; wait for it"
            + (f" ({holder})" if holder else "")
        )
    try:
        draw(folder)
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise
        print(f"{folder}: cannot be written to, so the curve is not drawn", file=sys.stderr)
    print(summary(folder))
    if bar.bar is None:  # no stack began
        print(
            "  it was there already, and nothing was trained; to train it again, delete that folder"
        )
    return float(read(folder)[1]["train_cost"].iloc[-1])
