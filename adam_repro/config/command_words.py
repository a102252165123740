"""The words of ``adam-repro run`` before Hydra reads them: what it reads otherwise than people mean it.

Hydra's grammar takes a value such as ``Größe``, ``a=b`` or ``my (copy)`` for a mistake and ``1_000`` for
1000. For options whose value is a text that is put right here. Of what Hydra offers by itself, that which
has no meaning for a stack of trials is refused.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterable, Sequence
from typing import Any

from adam_repro.config.validate import Whole
from adam_repro.errors import UserError
from adam_repro.files import config_folder, visible

#: Options whose value is a text, whatever it looks like.
FOLDERS = ("results_dir", "hydra.sweep.dir")
TEXTS = (*FOLDERS, "task.name", "task.target", "optimizer.target")

#: What Hydra offers and we do not, by how the word begins: why, and what to do instead.
REFUSED = {
    "-sc": "there is no shell completion; `adam-repro run --help` lists every option",
    "--shell": "there is no shell completion; `adam-repro run --help` lists every option",
    "--experimental": (
        "it would run code from a pickled file; give the command again: what is finished stays"
    ),
}


def prepare(words: Sequence[str]) -> list[str]:
    """The words as Hydra is to read them.

    Raises:
        UserError: for an option of Hydra's that is not offered, and for a sweep of impossible values.
    """
    for word in words:
        for beginning, reason in REFUSED.items():
            if word.startswith(beginning):
                raise UserError(f"{word}: {reason}")
    refuse_dashes(words, _flags())
    sweeps = bool({"-m", "--multirun"} & set(words))
    if sweeps:
        _check_sweep(words)
    elif any(word.startswith("--resolve") for word in words) and not _shows(words):
        raise UserError("--resolve: only together with --cfg job, which prints the configuration")
    for word in words:
        _check_group(word)
        _check_separators(word)
        if not sweeps and not _shows(words):
            _check_one_value(word)
    first = [word for word in words if word in ("-m", "--multirun")]  # argparse wants them there
    return first + [_as_text(word, sweeps) for word in words if word not in first]


def refuse_dashes(words: Sequence[str], flags: Iterable[str] = ()) -> None:
    """Refuse options with dashes, as ``--task logreg``, but for those of ``flags``.

    Raises:
        UserError: for the first, with the form that an option has here.
    """
    flags = tuple(flags)
    for word, following in itertools.zip_longest(words, words[1:], fillvalue=""):
        name, equals, value = word.partition("=")
        if not re.match("--?[A-Za-z]", name) or name in flags:
            continue
        if name.startswith("--") and any(flag.startswith(name) for flag in flags):
            continue  # argparse takes the beginning of a flag for it
        if not equals and not following.startswith("-") and "=" not in following:
            value = following
        option = name.lstrip("-").replace("-", "_")
        raise UserError(f"{name}: options have no dashes here; give {option}={value or 'VALUE'}")


def _flags() -> list[str]:
    """The words with dashes that Hydra knows."""
    from hydra._internal.utils import get_args_parser

    return [flag for action in get_args_parser()._actions for flag in action.option_strings]


def _check_separators(word: str) -> None:
    """Refuse several values that are not separated by commas, where each is a number."""
    key, _, value = word.partition("=")
    parts = [part.strip() for part in re.split(r"[;|]|\s+", value) if part.strip()]
    if len(parts) > 1 and all(map(_is_number, parts)):
        raise UserError(f"{word}: values are separated by commas: {key}={','.join(parts)}")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _check_one_value(word: str) -> None:
    """Refuse several values, and what belongs to a search, where one trial is trained."""
    key, _, value = word.lstrip("+").partition("=")
    if key == "hydra/sweeper" or key.startswith("hydra.sweeper."):
        raise UserError(f"{word}: belongs to a search, which trains many trials; add -m")
    if not ("," in value or "(" in value) or key in TEXTS:
        return
    override = _parsed(word)
    if override is None or not override.is_sweep_override():
        return
    first = value.split(",")[0] if "(" not in value else ""
    one = f"give {key}={first}, or " if first else ""
    raise UserError(f"{word}: one trial has one value; {one}add -m to train a trial for each")


def _check_group(word: str) -> None:
    """Refuse a number, a truth value or a list where the name of a group's file belongs."""
    key, equals, value = word.lstrip("+").partition("=")
    if not equals or (value.isidentifier() and value.lower() not in ("true", "false", "null")):
        return
    folder = config_folder() / key
    if not key.isidentifier() or not folder.is_dir():
        return
    override = _parsed(word)
    if override is None or override.is_sweep_override() or isinstance(override.value(), str):
        return
    names = [path.stem for path in visible(folder, "*.yaml")]
    raise UserError(f"{word.lstrip('+')}: must be one of {', '.join(names)}")


def _shows(words: Iterable[str]) -> bool:
    return any(re.match(r"--c(f|fg)?(=|$)|-c|--help$|-h$", word) for word in words)


def _check_sweep(words: Sequence[str]) -> None:
    if _shows(words) and not {"-h", "--help"} & set(words):
        raise UserError("--cfg: prints the configuration of one trial; leave -m and its values out")
    for word in words:
        key, _, value = word.lstrip("+").partition("=")
        if key == "hydra.sweeper.max_batch_size" and value != "null":
            if not (value.isascii() and value.isdigit() and int(value) > 0):
                raise UserError(f"{word}: must be {Whole(1)}, or null for one batch")
        elif key == "hydra.job.chdir" and value.lower() == "true":
            raise UserError(f"{word}: the trials of a sweep share one process; give results_dir")
        elif "interval(" in value:
            _check_interval(key, value, _parsed(word))


def _check_interval(key: str, value: str, override: Any) -> None:
    """Refuse an interval that a search could draw nothing from."""
    if override is None or not override.is_interval_sweep():
        return
    interval = override.value()
    ends = (interval.start, interval.end)
    if not all(isinstance(end, (int, float)) and math.isfinite(end) for end in ends):
        raise UserError(f"{key}={value}: must be an interval between two finite numbers")
    if interval.start > interval.end:
        raise UserError(f"{key}={value}: must be an interval whose first end is the lower one")
    if "log" in interval.tags and interval.start <= 0:
        raise UserError(
            f"{key}={value}: must be an interval above 0, for its logarithm is searched"
        )


def _parsed(word: str) -> Any:
    """The override in a word as Hydra reads it; ``None`` where it cannot."""
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    try:
        return OverridesParser.create().parse_overrides([word])[0]
    except (HydraException, ValueError, RecursionError):  # ValueError: thousands of digits
        return None


def _as_text(word: str, sweeps: bool) -> str:
    """The word with its value in quotes, if it is a text that Hydra would not read as this text."""
    key, equals, value = word.partition("=")
    if not equals or key.lstrip("+") not in TEXTS or value in ("", "null") or "${" in value:
        return word
    override = _parsed(word)
    if override is not None:
        if override.is_sweep_override() and sweeps:
            return word
        read = override.value()
        if read == value or value[0] in "[{'\"":
            return word
        if isinstance(read, bool | float) and key in FOLDERS:
            raise UserError(
                f"{word}: must be the path of a folder, as {key}=results; one that is called so is "
                f"given with both kinds of quotes, as \"{key}='{value}'\""
            )
        if not isinstance(read, str) and key not in FOLDERS:
            return word  # a number is no name: it is refused with what is legal
    return f"{key}='{escaped(value)}'"


def escaped(text: str) -> str:
    """A text for quotes: a backslash is one there, unless it stands before a quote."""
    before_quotes = re.sub(r"(\\*)'", r"\1\1\\'", text)
    return re.sub(r"(\\+)$", r"\1\1", before_quotes)


def how_to_quote(word: str) -> str:
    """The message for a word that Hydra's grammar does not admit."""
    key, _, value = word.partition("=")
    return (
        f"{word}: must be a number, a word, a list [a,b] or a text in quotes; for a text with "
        f"spaces or signs, give \"{key}='{escaped(value)}'\", with both kinds of quotes"
    )
