"""The figures by name: which there are, and each read from its file in ``configs/figure``."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from adam_repro.errors import UserError
from adam_repro.figures.spec import Figure, Panel, Scale, Series
from adam_repro.files import config_folder

PAPER = ("fig1_mnist", "fig1_imdb", "fig2a", "fig2b", "fig3", "fig4")


def folder() -> Path:
    """The figures' YAML files."""
    return config_folder() / "figure"


@cache
def names() -> tuple[str, ...]:
    """Every figure: the paper's in its order, then the others by name."""
    found = {path.stem for path in folder().glob("*.yaml")}
    return (*(name for name in PAPER if name in found), *sorted(found - set(PAPER)))


def chosen(words: Sequence[str]) -> list[str]:
    """The figures that ``words`` ask for; ``all`` is every figure.

    Raises:
        UserError: for a name that is no figure's.
    """
    wanted: list[str] = []
    for word in words:
        for name in names() if word == "all" else [word]:
            if name not in names():
                legal = [*names(), "all"]
                near = [one for one in legal if one.startswith(name)]
                near = near or difflib.get_close_matches(name, legal, n=1)
                hint = f" (did you mean {' or '.join(near)}?)" if near else ""
                raise UserError(f"there is no figure {name!r}; use one of {', '.join(legal)}{hint}")
            if name not in wanted:
                wanted.append(name)
    return wanted


@cache
def load(name: str) -> Figure:
    """The figure of that name.

    Raises:
        UserError: when its file says something that a figure does not have.
    """
    from adam_repro.figures import check  # reads the paper's curves, which names alone do not need

    path = folder() / f"{name}.yaml"
    try:
        raw: dict[str, Any] = yaml.safe_load(path.read_text())
        raw["panels"] = tuple(_build(Panel, path, item) for item in raw["panels"])
        raw["series"] = tuple(_build(Series, path, item) for item in raw["series"])
        raw["scales"] = {key: _build(Scale, path, item) for key, item in raw["scales"].items()}
    except (OSError, yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path}: not a figure: {type(error).__name__}: {error}") from None
    return check.check(_build(Figure, path, {"name": name, **raw}), path)


def _build(kind: type, path: Path, item: Mapping[str, Any]) -> Any:
    legal = {entry.name: entry for entry in fields(kind)}
    for key in item:
        if key not in legal:
            raise UserError(f"{path}: {key}: a {kind.__name__.lower()} has {', '.join(legal)}")
    for key, entry in legal.items():
        if entry.default is MISSING and entry.default_factory is MISSING and key not in item:
            raise UserError(f"{path}: a {kind.__name__.lower()} needs {key}")
    return kind(**{k: tuple(v) if isinstance(v, list) else v for k, v in item.items()})
