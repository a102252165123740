"""The code that a trial's optimizer and task are from, in its provenance; what of it has changed since."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from adam_repro.config.trial import Trial
from adam_repro.optim import foreign
from adam_repro.source_code import SourceCode, source_code
from adam_repro.tasks import modules

#: Entries of the provenance: a hash of the person's own files, and the versions of packages.
OPTIMIZER, TASK, PACKAGES = "optimizer_source", "task_source", "packages"


def _sources(trial: Trial) -> dict[str, SourceCode]:
    return {
        OPTIMIZER: source_code(foreign.modules(trial.optimizer)),
        TASK: source_code(modules(trial.task)),
    }


def provenance_entries(trial: Trial, before: Mapping[str, Any]) -> dict[str, Any]:
    """The hashes of own files and the versions of packages; nothing for what is ours.

    ``before``: the provenance so far. Its hashes stay, in front of a new one.
    """
    found: dict[str, Any] = {}
    packages: dict[str, str] = {}
    for key, code in _sources(trial).items():
        packages |= code.packages
        if code.digest:
            then = str(before.get(key, "")).split()
            found[key] = " ".join(then if code.digest in then else [*then, code.digest])
    return found | ({PACKAGES: dict(sorted(packages.items()))} if packages else {})


def changes(trial: Trial, before: Mapping[str, Any]) -> Sequence[str]:
    """What has changed since a trial with the provenance ``before`` was trained, each in words."""
    found = []
    then_packages = before.get(PACKAGES)
    for key, code in _sources(trial).items():
        then, now = before.get(key), code.digest
        if then and now and then != now:
            first, *others = code.files.values()
            found.append(f"{first}{', or a file that it imports,' if others else ''} has changed")
        for name, version in code.packages.items():
            old = then_packages.get(name) if isinstance(then_packages, Mapping) else None
            if old is not None and old != version:
                found.append(f"{name} is {version} now, and was {old}, and so has changed")
    return list(dict.fromkeys(found))
