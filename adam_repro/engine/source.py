"""Which version of a foreign optimizer's code a trial was trained with."""

from __future__ import annotations

import hashlib
import sys
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adam_repro.optim.foreign import resolve

if TYPE_CHECKING:
    from adam_repro.engine.folder import TrialFolder

KEY = "optimizer_source"  # in the provenance of a trial


def file_of(optimizer: Mapping[str, Any]) -> Path | None:
    """The file an optimizer by import path is in; ``None`` for ours and PyTorch's, and without a file."""
    if optimizer["name"] != "torch":
        return None
    module = resolve(optimizer["target"]).__module__
    file = getattr(sys.modules[module], "__file__", None)
    return Path(file) if file and not module.startswith("torch.") else None


def version(optimizer: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, str]:
    """What a trial's provenance says of that file: a hash of its bytes, or nothing.

    ``before``: what it said when the trial was begun; its hashes stay, in front of another one.
    """
    file = file_of(optimizer)
    if file is None or not file.is_file():
        return {}
    now = hashlib.sha256(file.read_bytes()).hexdigest()[:12]
    then = str(before.get(KEY, "")).split()
    return {KEY: " ".join(then if now in then else [*then, now])}


def warn_of_others(folders: Sequence[TrialFolder]) -> None:
    """Tell of trials, finished or begun, that were trained before their optimizer's file was changed.

    They keep their rows: what changed may be a comment, or the mending of what ended them.
    """
    older: dict[Path, list[TrialFolder]] = {}
    for folder in folders:
        file = file_of(folder.trial.optimizer)
        if file is None:
            continue
        then = folder.provenance().get(KEY)
        if then and version(folder.trial.optimizer, {}).get(KEY) != then:
            older.setdefault(file, []).append(folder)
    for file, those in older.items():
        rest = f" and {len(those) - 1} more" if len(those) > 1 else ""
        warnings.warn(
            f"{file} has changed since {those[0].path}{rest} was trained; what is there is kept. To "
            "train with the file as it is now, delete the folder, or give another results_dir",
            RuntimeWarning,
            stacklevel=2,
        )
