"""The figures by name: which there are, and each read from its file in ``configs/figure``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from adam_repro import config_folders
from adam_repro.config.validate import Choice, check
from adam_repro.errors import UserError
from adam_repro.figures.spec import Figure, Panel, Scale, Series, reading_of
from adam_repro.files import yaml_flaw
from adam_repro.wording import suggestion

PAPER = ("fig1_mnist", "fig1_imdb", "fig2a", "fig2b", "fig3", "fig4")


def names() -> tuple[str, ...]:
    """Every figure: the paper's in its order, then the others by name, then the user's own."""
    return _names(config_folders.own())


@cache
def _names(own: Path | None) -> tuple[str, ...]:
    found = list(config_folders.names("figure"))
    return (*PAPER, *(name for name in found if name not in PAPER))


def resolve(words: Sequence[str]) -> list[str]:
    """The figures that ``words`` name, each once; ``all`` is every figure.

    Raises:
        UserError: for a name that no figure has.
    """
    found: list[str] = []
    for word in words:
        found += names() if word == "all" else [word]
    for name in found:
        if name not in names():
            legal = [*names(), "all"]
            near = suggestion(name, legal)
            raise UserError(f"there is no figure {name!r}; use one of {', '.join(legal)}{near}")
    return list(dict.fromkeys(found))


def load(name: str) -> Figure:
    """The figure of that name.

    A file may extend another: ``extends: fig4``. Then mappings (``scales``, ``search``, ``printed``)
    are merged key by key, at any depth; every other value, a list too, replaces the other figure's.
    In the lists ``panels`` and ``series`` a name alone stands for the other figure's panel or series.

    Raises:
        UserError: for a file that is not YAML, or a key or value that a figure cannot have.
    """
    return _load(config_folders.find("figure", name), name)


@cache
def _load(path: Path, name: str) -> Figure:
    raw = _read(name)
    panels = tuple(_build(Panel, panel) for panel in raw.pop("panels"))
    series = tuple(_build(Series, series) for series in raw.pop("series"))
    scales = {key: _build(Scale, scale) for key, scale in raw.pop("scales").items()}
    if "readings" in raw:
        raw["readings"] = [reading_of(one) for one in raw["readings"]]
    return _build(
        Figure, {"name": name, **raw, "panels": panels, "series": series, "scales": scales}
    )


def _build(kind: type, section: Mapping[str, Any]) -> Any:
    return kind(**{k: tuple(v) if isinstance(v, list) else v for k, v in section.items()})


def _read(name: str, extended_by: tuple[str, ...] = ()) -> dict[str, Any]:
    """The keys of a figure's file, merged over those of the figure that it extends, validated."""
    from adam_repro.figures.validate import validate  # imports pandas, which --help does not need

    path = config_folders.find("figure", name)
    try:
        raw = _parse(path)
        if isinstance(raw, dict) and "extends" in raw:
            raw = _extend(raw, (*extended_by, name))
        validate(raw)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    return raw


def _parse(path: Path) -> Any:
    import yaml
    from omegaconf import OmegaConf

    try:
        return OmegaConf.to_container(OmegaConf.load(path), resolve=True)
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise UserError(f"cannot be read: {yaml_flaw(error)}") from None


def _extend(raw: dict[str, Any], chain: tuple[str, ...]) -> dict[str, Any]:
    """``raw`` merged over the figure that it extends; ``chain``: the figures that lead to it."""
    name = check("extends", raw.pop("extends"), Choice(*names()))
    if name in chain:
        raise UserError(f"extends={name}: must not be circular: {' -> '.join((*chain, name))}")
    base = _read(name, chain)
    for key, identifier in (("panels", "name"), ("series", "label")):
        if isinstance(raw.get(key), list):
            found = {item[identifier]: item for item in base[key]}
            legal = Choice(*found)
            raw[key] = [
                found[check(key, item, legal)] if isinstance(item, str) else item
                for item in raw[key]
            ]
    return _merge(base, raw)


def _merge(base: Any, own: Any) -> Any:
    if isinstance(base, dict) and isinstance(own, dict):
        return {**base, **{key: _merge(base.get(key), value) for key, value in own.items()}}
    return own
