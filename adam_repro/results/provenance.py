"""``<figure>.provenance.yaml``: where a merged CSV comes from. Read, validated, summarised."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

#: Top-level keys and their types. Older files lack some of them.
SCHEMA: dict[str, type] = {
    "missing": list, "hardware": dict, "versions": dict, "commits": list, "dates": list,
    "series": list, "origins": list,
}  # fmt: skip
#: Keys of every item of ``origins``; all are required.
ORIGIN_SCHEMA: dict[str, type] = {
    "hardware": str, "versions": dict, "commits": list, "dates": list, "trials": list,
}  # fmt: skip
#: Keys of every item of ``series``; all are required.
SERIES_SCHEMA: dict[str, type] = {
    "series": str, "reading": str, "panel": str, "seeds": int, "settings": dict,
    "inferred": list, "searched": list, "grid": dict, "command": str,
}  # fmt: skip
CONSEQUENCE = "hardware, versions and settings are not known"
#: The origin of trials without a record.
UNKNOWN_ORIGIN: dict[str, Any] = {
    "hardware": "unknown", "versions": {}, "commits": [], "dates": [],
}  # fmt: skip
Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read(folder: Path, figure: str, problems: list[str]) -> dict[str, Any]:
    """The content of the file. If it is missing or damaged: nothing, and one more of ``problems``."""
    path = folder / f"{figure}.provenance.yaml"
    try:
        record = yaml.load(path.read_text(encoding="utf-8"), Loader)
    except FileNotFoundError:
        problems.append(f"{path.name} is missing: {CONSEQUENCE}")
        return {}
    except (OSError, yaml.YAMLError, ValueError):
        problems.append(f"{path.name} cannot be read: {CONSEQUENCE}")
        return {}
    if not record or not _is_valid(record):
        problems.append(f"{path.name} is empty or damaged: {CONSEQUENCE}")
        return {}
    return dict(record)


def origins(record: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The trials in groups of the same hardware, versions and commit.

    An older record does not name its trials: it is one group, with ``trials`` ``None``.
    """
    if "origins" in record or not record:
        return [dict(origin) for origin in record.get("origins", [])]
    return [
        {
            "hardware": " or ".join(map(str, record.get("hardware", {})))
            or UNKNOWN_ORIGIN["hardware"],
            "versions": dict(record.get("versions", {})),
            "commits": list(record.get("commits", [])),
            "dates": list(record.get("dates", [])),
            "trials": None,
        }
    ]


def summarise(origins: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """All origins together: trials by hardware, versions, commits, first and last date."""
    hardware: dict[str, int] = {}
    for origin in origins:
        name = str(origin["hardware"])
        hardware[name] = hardware.get(name, 0) + len(origin["trials"])
    dates = sorted(str(date) for origin in origins for date in origin["dates"])
    names = list(dict.fromkeys(name for origin in origins for name in origin["versions"]))
    return {
        "trials": sum(hardware.values()),
        "dates": sorted({dates[0], dates[-1]}) if dates else [],
        "hardware": dict(sorted(hardware.items())),
        "versions": {
            name: sorted({str(v) for origin in origins for v in origin["versions"].get(name, [])})
            for name in names
        },
        "commits": sorted({str(commit) for origin in origins for commit in origin["commits"]}),
    }


def _is_valid(record: Any) -> bool:
    """Whether every key that is present has the form in which the merge writes it."""
    return (
        _has_types(record, SCHEMA)
        and all(isinstance(value, list) for value in record.get("versions", {}).values())
        and all(_has_types(one, SERIES_SCHEMA, required=True) for one in record.get("series", []))
        and all(_has_types(one, ORIGIN_SCHEMA, required=True) for one in record.get("origins", []))
    )


def _has_types(record: Any, schema: Mapping[str, type], required: bool = False) -> bool:
    return isinstance(record, dict) and all(
        isinstance(record[key], kind) if key in record else not required
        for key, kind in schema.items()
    )
