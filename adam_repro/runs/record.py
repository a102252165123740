"""trial.yaml, the record of a trial: identity, status, settings, checksums of its CSVs, provenance."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from adam_repro.config.trial import identity_of
from adam_repro.files import set_aside, write_text

COMPLETE = ("finished", "diverged")
STATUSES = ("running", *COMPLETE, "failed")


class Record(NamedTuple):
    """What could be read of a trial.yaml."""

    content: dict[str, Any]
    whole: bool  # false: its last section, the provenance, is damaged or cut


def read(path: Path, identity: str) -> Record | None:
    """The record of the trial ``identity``; ``None`` where its status or its settings are not sure."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return None
    for part in (text, text.partition("\nprovenance:")[0], text.rpartition("\n")[0]):
        with suppress(KeyError, ValueError, TypeError, yaml.YAMLError):
            content = dict(yaml.safe_load(part))
            identities = {content["identity"], identity_of(content["config"])}
            if identities == {identity} and content["status"] in STATUSES:
                return Record(content, part is text and isinstance(content.get("provenance"), dict))
    return None


def write(path: Path, content: Mapping[str, Any]) -> None:
    """Write a record atomically; that of a complete trial survives a power cut."""
    text = yaml.safe_dump(dict(content), sort_keys=False, allow_unicode=True)
    write_text(path, text, sync=content["status"] in COMPLETE)


def mend(path: Path, record: Record) -> str:
    """Write a record without its damaged provenance, and keep the damaged file; what to say of it."""
    kept = set_aside(path)
    write(path, {**record.content, "provenance": {"hardware": f"unknown (see {kept.name})"}})
    return (
        f"{path}: damaged; the trial is {record.content['status']} and its rows stay, but what it was "
        f"trained with is lost. The damaged file is kept as {kept.name}"
    )
