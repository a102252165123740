"""The code that a trial's optimizer and task are from, in its provenance; what of it has changed since."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from adam_repro.config.trial import Trial
from adam_repro.optim import OPTIMIZERS, foreign
from adam_repro.source_code import SourceCode, source_code
from adam_repro.tasks import MODELS, modules

#: Entries of the provenance: a hash of the person's own files, the versions of packages, and a hash of each
#: of these files, and of those of our classes, by its module.
OPTIMIZER, TASK, PACKAGES = "optimizer_source", "task_source", "packages"
FILES = "source_files"


def _sources(trial: Trial) -> dict[str, SourceCode]:
    return {
        OPTIMIZER: source_code(foreign.modules(trial.optimizer)),
        TASK: source_code(modules(trial.task)),
    }


def _classes(trial: Trial) -> SourceCode:
    """The files of the rule and the task, where they are in the package."""
    optimizer, task = (
        OPTIMIZERS.get(trial.optimizer["name"]),
        MODELS.get(str(trial.task.get("model"))),
    )
    found = [one.__module__ for one in (optimizer, task) if one is not None]
    files = {name: getattr(sys.modules.get(name), "__file__", None) for name in found}
    return SourceCode({name: Path(file) for name, file in files.items() if file})


def provenance_entries(trial: Trial, before: Mapping[str, Any]) -> dict[str, Any]:
    """The hashes of own files and the versions of packages; nothing for what is ours.

    ``before``: the provenance so far. Its hashes stay, in front of a new one.
    """
    found: dict[str, Any] = {}
    packages: dict[str, str] = {}
    files = _classes(trial).digests
    for key, code in _sources(trial).items():
        files |= code.digests
        packages |= code.packages
        if code.digest:
            then = str(before.get(key, "")).split()
            found[key] = " ".join(then if code.digest in then else [*then, code.digest])
    found |= {FILES: dict(sorted(files.items()))} if files else {}
    return found | ({PACKAGES: dict(sorted(packages.items()))} if packages else {})


def changes(trial: Trial, before: Mapping[str, Any], begun: bool = False) -> Sequence[str]:
    """What has changed since a trial with the provenance ``before`` was trained, each in words.

    ``begun``: the trial is not complete, and what is changed trains the rest of it. Then our files count too.
    """
    found = _changed(_classes(trial), before) if begun else []
    then_packages = before.get(PACKAGES)
    for key, code in _sources(trial).items():
        then, now = before.get(key), code.digest
        if then and now and then != now:
            first, *others = code.files.values()
            some = f"{first}{', or a file that it imports,' if others else ''} has changed"
            found += _changed(code, before) or [some]
        for name, version in code.packages.items():
            old = then_packages.get(name) if isinstance(then_packages, Mapping) else None
            if old is not None and old != version:
                found.append(f"{name} is {version} now, and was {old}, and so has changed")
    return list(dict.fromkeys(found))


def _changed(code: SourceCode, before: Mapping[str, Any]) -> list[str]:
    """Those files that the provenance ``before`` has another hash of."""
    files = before.get(FILES)
    then, now = files if isinstance(files, Mapping) else {}, code.digests
    return [
        f"{code.files[name]} has changed" for name in now if then.get(name, now[name]) != now[name]
    ]
