"""Where the package's own files are."""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).resolve().parent


def config_folder() -> Path:
    """The folder of the configurations: beside the package in a checkout, inside it when installed."""
    inside = PACKAGE / "configs"
    return inside if inside.is_dir() else PACKAGE.parent / "configs"
