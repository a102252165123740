"""Words of a command line, as ``scale=short fig1_mnist``, read into a dataclass of options."""

from __future__ import annotations

import types
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException, ValidationError
from yaml import YAMLError

from adam_repro.config.command_words import refuse_dashes
from adam_repro.config.trial import Run, home_expanded
from adam_repro.config.validate import known
from adam_repro.errors import UserError

Options = TypeVar("Options")

CONFIG_DIR = ("--config-dir", "-cd")
KINDS = {bool: "true or false", int: "a whole number", float: "a number", list: "a list, as [a,b]"}


def parse(arguments: Sequence[str], options: type[Options]) -> tuple[Options, list[str]]:
    """The options among ``arguments`` as ``options``, and the words without ``=``.

    A group, whose type is a mapping, takes ``group.KEY=VALUE`` with any key.

    Raises:
        UserError: for an unknown option, or a value of another type than the option's.
    """
    if "config_dir" in get_type_hints(options):
        arguments = _config_dir(arguments)
    refuse_dashes(arguments)
    hints = get_type_hints(options)
    own = list(vars(options)["__annotations__"])  # before those it shares with other commands
    names = own + [field.name for field in fields(options) if field.name not in own]  # type: ignore[arg-type]
    found, words = OmegaConf.structured(options), []
    for argument in arguments:
        key, equals, text = argument.partition("=")
        if not equals:
            words.append(argument)
            continue
        name = key.split(".")[0]
        known([name if "." in key and get_origin(hints.get(name)) is dict else key], names)
        kind = _kind(hints[name])
        # A path or a name is not YAML: 2026_11 and 1e-3 are folders.
        plain = kind in (str, Path, bool)
        if kind is Path:
            text = str(home_expanded(key, text))
        try:
            value = {key: text} if plain else OmegaConf.from_dotlist([argument])
            if kind is bool and text.lower() not in ("true", "false"):
                raise ValidationError
            found = OmegaConf.merge(found, value)
            OmegaConf.to_container(found, resolve=True)  # ${NAME} may lead nowhere
        except (OmegaConfBaseException, YAMLError, ValueError, RecursionError):
            raise UserError(f"{argument}: must be {KINDS.get(kind, 'a value')}") from None
    read: Any = OmegaConf.to_object(found)
    return read, words


def _config_dir(arguments: Sequence[str]) -> list[str]:
    """The words with ``--config-dir FOLDER``, as Hydra has it, in the form of our own options.

    Raises:
        UserError: the folder is missing.
    """
    words, rest = [], iter(arguments)
    for word in rest:
        name, equals, value = word.partition("=")
        if name in CONFIG_DIR:
            value = value if equals else next(rest, "")
            if not value:
                raise UserError(f"{name}: give a folder, as {name} my_configs")
            word = f"config_dir={value}"
        words.append(word)
    return words


def run_of(options: Any, **others: Any) -> Run:
    """How trials are to be executed, by a command's options of the same names; ``others``: the rest."""
    shared = ("device", "engine", "tf32", "results_dir", "progress")
    return Run(**{name: getattr(options, name) for name in shared}, **others)


def _kind(hint: Any) -> Any:
    """The type behind ``X | None`` and ``list[X]``."""
    if get_origin(hint) in (Union, types.UnionType):
        hint = next(one for one in get_args(hint) if one is not type(None))
    return get_origin(hint) or hint
