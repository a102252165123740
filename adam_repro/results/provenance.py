"""``<figure>.provenance.yaml``: where a merged CSV comes from, as far as the file can be trusted."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

KEYS: dict[str, type] = {
    "missing": list,
    "hardware": dict,
    "versions": dict,
    "commits": list,
    "dates": list,
    "series": list,
    "origins": list,
}
ORIGIN_KEYS: dict[str, type] = {
    "hardware": str,
    "versions": dict,
    "commits": list,
    "dates": list,
    "trials": list,
}
SERIES_KEYS: dict[str, type] = {
    "series": str,
    "reading": str,
    "panel": str,
    "seeds": int,
    "settings": dict,
    "inferred": list,
    "searched": list,
    "grid": dict,
    "command": str,
}
UNKNOWN = "hardware, versions and settings are not known"
#: The origin of trials of which no record is left.
NOWHERE: dict[str, Any] = {"hardware": "unknown", "versions": {}, "commits": [], "dates": []}


def read(folder: Path, figure: str, problems: list[str]) -> dict[str, Any]:
    """What the file says; nothing, and a problem more, where it is missing or damaged."""
    path = folder / f"{figure}.provenance.yaml"
    try:
        found = yaml.load(path.read_text(), getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except FileNotFoundError:
        problems.append(f"{path.name} is missing: {UNKNOWN}")
        return {}
    except (OSError, yaml.YAMLError, ValueError):
        problems.append(f"{path.name} cannot be read: {UNKNOWN}")
        return {}
    if not found or not _sound(found):
        problems.append(f"{path.name} is empty or damaged: {UNKNOWN}")
        return {}
    return dict(found)


def origins(record: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The groups of trials that were trained on the same hardware by the same versions and commit.

    A record from before it named its trials is one group, ``trials`` of which is ``None``.
    """
    if "origins" in record or not record:
        return [dict(origin) for origin in record.get("origins", [])]
    return [
        {
            "hardware": " or ".join(map(str, record.get("hardware", {}))) or NOWHERE["hardware"],
            "versions": dict(record.get("versions", {})),
            "commits": list(record.get("commits", [])),
            "dates": list(record.get("dates", [])),
            "trials": None,
        }
    ]


def _sound(found: Any) -> bool:
    """Whether every part that is there has the form it is written in."""
    return (
        _has(found, KEYS)
        and all(isinstance(value, list) for value in found.get("versions", {}).values())
        and all(_has(one, SERIES_KEYS, every=True) for one in found.get("series", []))
        and all(_has(one, ORIGIN_KEYS, every=True) for one in found.get("origins", []))
    )


def _has(found: Any, keys: Mapping[str, type], every: bool = False) -> bool:
    return isinstance(found, dict) and all(
        isinstance(found[key], kind) if key in found else not every for key, kind in keys.items()
    )
