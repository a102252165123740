"""Errors of Hydra and OmegaConf as our messages: which option, which value, what is legal."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from hydra.errors import OverrideParseException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from adam_repro.config.command_words import how_to_quote
from adam_repro.config.trial import within_groups
from adam_repro.wording import suggestion

OPTIONS = re.compile(r"Available options(?: in '[^']*')?:\n((?:\s+\S+\n?)+)")

# A plain group says "not in struct"; one with a dataclass names that.
UNKNOWN = re.compile(r"Key '[^']*' (?:is )?not in (?:struct|'\w+')")

#: Options that an optimizer ignores, and what it does instead.
IGNORED = {
    "sfo": (
        ("batch_size", "task.order", "task.epoch_examples"),
        "its passes are over the whole training set, in optimizer.n_subfunctions fixed parts whose "
        "order it chooses",
    ),
}


#: Groups whose choice ``torch`` is a class by its import path.
BY_IMPORT_PATH = ("task", "optimizer")

#: Hydra's plugins that are not ours, by the choice that asks for them, and where they come from.
PLUGINS = {
    ("hydra/sweeper", "optuna"): "pip install 'hydra-optuna-sweeper>=1.2'",
    ("hydra/sweeper", "ax"): "pip install hydra-ax-sweeper",
    ("hydra/sweeper", "nevergrad"): "pip install hydra-nevergrad-sweeper",
}


def ignored_options(words: Iterable[str], optimizer: str) -> list[str]:
    """A note for each of the ``words`` of a command line that ``optimizer`` ignores.

    ``null`` needs no note: it removes a limit that such an optimizer does not have.
    """
    options, instead = IGNORED.get(optimizer, ((), ""))
    return [
        f"{word.lstrip('+')}: not read by optimizer={optimizer}; {instead}"
        for word in words
        for option, _, value in [word.lstrip("+").partition("=")]
        if option in options and value != "null"
    ]


def explain(error: BaseException) -> str:
    """One message for an error of configuration, without the internals of its libraries."""
    for link in _chain(error):
        if isinstance(link, OmegaConfBaseException) and UNKNOWN.search(str(link)):
            return _unknown_option(str(error), link)
    bare = re.search(r"Error parsing override '([^'=]*)'\s+missing EQUAL", str(error))
    if bare:
        return _no_option(bare[1])
    if isinstance(error, OverrideParseException):
        word = str(error.override)
        return how_to_quote(word) if "=" in word else _no_option(word)
    missing = re.search(r"Could not find '([^']+)/([^'/]+)'", str(error))
    legal = OPTIONS.search(str(error))
    if missing and legal:
        group, value = missing.groups()
        if (group, value) in PLUGINS:
            package = PLUGINS[group, value]
            return f"{group}={value}: needs a plugin of Hydra's that is not installed; {package}"
        message = f"{group}={value}: must be one of {_listed(legal.group(1).split(), value)}"
        path = group in BY_IMPORT_PATH and "." in value
        own = f"; a class by its import path is {group}=torch {group}.target={value}"
        return message + (own if path else "")
    return "\n  ".join(_lines(error))


def _no_option(word: str) -> str:
    return f"{word}: options are given as NAME=VALUE, as task=logreg"


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def _unknown_option(message: str, error: OmegaConfBaseException) -> str:
    key = str(error.key)
    given = re.search(r"Could not override '([^']+)'", message)
    option = given.group(1) if given else str(error.full_key)
    try:
        legal = [str(name) for name in error.parent_node.keys()]  # noqa: SIM118
    except AttributeError:
        return f"{option}: there is no such option"
    parent = option[: -len(key)] if option.endswith(key) else ""
    if not parent and (places := within_groups(_without_hydra(error.parent_node), key)):
        return f"{option}: there is no such option; did you mean {' or '.join(places)}?"
    text = f"{option}: there is no such option; legal here: {_listed(legal, key, parent)}"
    if parent == "optimizer." and "kwargs" in legal:
        return f"{text}; what its target takes is optimizer.kwargs.{key}"
    if parent == "task.data.":
        return f"{text}; an option of the data set that is not among these begins with +"
    if key == "target" and (group := parent.rstrip(".")) in BY_IMPORT_PATH:
        return f"{text}; {group}=torch takes it"
    return text


def _without_hydra(config: Any) -> Any:
    own = [str(name) for name in config if name != "hydra"]
    return OmegaConf.to_container(OmegaConf.masked_copy(config, own))


def _listed(legal: list[str], given: str, prefix: str = "") -> str:
    legal = [name for name in legal if name != "hydra"]
    return ", ".join(prefix + name for name in legal) + suggestion(given, legal, prefix)


def _lines(error: BaseException) -> list[str]:
    kept: list[str] = []
    for link in _chain(error):
        for line in str(link).splitlines():
            text = line.strip()
            noise = text.startswith(
                ("full_key:", "object_type=", "provider=", "Config search path")
            )
            if text and not noise and text not in kept:
                kept.append(text)
    return kept
