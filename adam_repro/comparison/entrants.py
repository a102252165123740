"""From what is asked for, a name or an import path with options, to an optimizer that takes part."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from omegaconf import OmegaConf

from adam_repro.comparison.model import Entrant
from adam_repro.config.validate import Range, check, known
from adam_repro.errors import UserError
from adam_repro.files import config_folder, parse_yaml
from adam_repro.optim import OPTIMIZERS, foreign
from adam_repro.wording import suggestion

OURS = (*OPTIMIZERS, "sfo")
LR = Range(gt=0)
DEFAULT_LR = 1e-3  # of a class that does not say
#: What others call a stepsize, the surest first.
LIKELY_LR = (
    "learning_rate",
    "stepsize",
    "step_size",
    "lr0",
    "lr_init",
    "max_lr",
    "alpha",
    "eta",
    "rate",
)
NO_LR = "it has no argument lr, so no stepsize is tuned"


@dataclass(frozen=True)
class Candidate:
    """An optimizer as it is asked for: ``target`` is a name of ours or an import path."""

    target: str
    label: str = ""
    kwargs: Mapping[str, Any] | None = None
    search: Mapping[str, Any] | None = None
    lr: Any = None
    lr_name: str = ""
    create_graph: bool = False


def entrant(asked: Candidate, candidate: bool) -> Entrant:
    """One optimizer that takes part.

    Raises:
        UserError: for a target that does not exist, or an option or value that cannot be.
    """
    ours = "." not in asked.target
    if ours and asked.target not in OURS:
        raise UserError(
            f"{asked.target}: there is no such optimizer; use one of {', '.join(OURS)}, or an import "
            f"path, as torch.optim.NAdam{suggestion(asked.target, OURS)}"
        )
    if ours and asked.create_graph:
        raise UserError(f"create_graph=true: {asked.target} is ours, and first-order; leave it out")
    found = _ours(asked) if ours else _foreign(asked, candidate)
    values = {f"{found.option}{key}": _values(value) for key, value in (asked.search or {}).items()}
    lr, lr_range = _stepsizes(asked.lr)
    if (lr_range or lr) and not found.lr_option:
        name = _likely_lr(asked.target) or ""
        raise UserError(
            f"lr={asked.lr}: {asked.target} has no lr; name its stepsize by lr_name={name}"
        )
    words = [*found.words]
    words += [f"{found.option}{key}={_word(value)}" for key, value in (asked.kwargs or {}).items()]
    return Entrant(
        asked.label or found.label,
        tuple(words),
        candidate,
        found.lr_option,
        found.lr_default,
        lr,
        lr_range,
        values,
        found.notes,
    )


@dataclass(frozen=True)
class _Found:
    """What an optimizer says of itself. ``option``: what its own options begin with."""

    label: str
    words: tuple[str, ...]
    option: str
    lr_option: str
    lr_default: float
    notes: tuple[str, ...] = ()


def _ours(asked: Candidate) -> _Found:
    file = config_folder() / "optimizer" / f"{asked.target}.yaml"
    defaults = parse_yaml(file.read_text(encoding="utf-8"), file)
    for key in (*(asked.kwargs or {}), *(asked.search or {})):
        known([key], [name for name in defaults if name != "name"], f"{asked.target}: ")
    name = asked.lr_name or ("lr" if "lr" in defaults else "")
    if asked.lr_name:
        known([name], [key for key in defaults if key != "name"], f"{asked.target}: ")
    default = float(defaults.get(name, DEFAULT_LR) or DEFAULT_LR)
    option = f"optimizer.{name}" if name else ""
    return _Found(asked.target, (f"optimizer={asked.target}",), "optimizer.", option, default)


def _foreign(asked: Candidate, candidate: bool) -> _Found:
    found = foreign.resolve(asked.target)
    name = asked.lr_name or ("lr" if foreign.takes(found, "lr") else "")
    words = ["optimizer=torch", f"optimizer.target={asked.target}"]
    if asked.lr_name:
        words.append(f"optimizer.lr_name={name}")
    elif not name:
        words.append("optimizer.lr=null")
    if asked.create_graph:
        words.append("optimizer.create_graph=true")
    notes: tuple[str, ...] = () if name else (_untuned(asked.target, candidate),)
    if all(callable(getattr(found, mode, None)) for mode in ("train", "eval")):
        notes += (
            "its gradients, and the training cost, are taken where train() puts the parameters; the "
            "test cost where eval() does",
        )
    return _Found(
        asked.target.rpartition(".")[2],
        tuple(words),
        "optimizer.kwargs.",
        "optimizer.lr" if name else "",
        _default(found, name),
        notes,
    )


def _untuned(target: str, candidate: bool) -> str:
    """The note on an optimizer without ``lr``: what its stepsize may be called, and how to tune it."""
    likely = _likely_lr(target)
    if likely is None:
        return f"{NO_LR}; if another argument is the stepsize, give lr_name= its name"
    where = "" if candidate else ", if it is a candidate"
    return f"{NO_LR}; lr_name={likely} tunes its {likely}{where}"


def _likely_lr(target: str) -> str | None:
    """The argument that is the stepsize by its name; ``None`` if there is none, or no import path."""
    found = foreign.resolve(target) if "." in target else None
    return next((name for name in LIKELY_LR if found and foreign.takes(found, name)), None)


def _default(maker: foreign.Maker, name: str) -> float:
    """The default of an argument; that of most optimizers where it has none above 0."""
    try:
        default = inspect.signature(maker).parameters[name].default
    except (KeyError, TypeError, ValueError):
        return DEFAULT_LR
    number = isinstance(default, (int, float)) and not isinstance(default, bool)
    return float(default) if number and default > 0 else DEFAULT_LR


def _stepsizes(asked: Any) -> tuple[tuple[float, ...] | None, tuple[float, float] | None]:
    """The values, or the two ends, of ``lr=``: LOW..HIGH, values with commas, one value."""
    if asked is None or asked == "":
        return None, None
    text = asked if isinstance(asked, str) else None
    if text is not None and ".." in text:
        low, _, high = text.partition("..")
        ends = (_stepsize(low, text), _stepsize(high, text))
        if ends[0] >= ends[1]:
            raise UserError(f"lr={text}: must be LOW..HIGH, the lower end first, as 1e-5..1")
        return None, ends
    values = text.split(",") if text is not None else asked if isinstance(asked, list) else [asked]
    return tuple(dict.fromkeys(_stepsize(value, asked) for value in values)), None


def _stepsize(value: Any, asked: Any) -> float:
    try:
        found = float(value)
    except (TypeError, ValueError):
        raise UserError(
            f"lr={asked}: must be a range, as 1e-5..1, values, as 1e-3,1e-2, or one value"
        ) from None
    return float(check("lr", found, LR))


def _values(asked: Any) -> tuple[Any, ...]:
    """The values of ``search.X=``: a list, or a text with commas."""
    if isinstance(asked, str):
        pieces = OmegaConf.from_dotlist([f"x{i}={p}" for i, p in enumerate(asked.split(","))])
        asked = list(OmegaConf.to_container(pieces).values())  # type: ignore[union-attr]
    values = asked if isinstance(asked, list) else [asked]
    return tuple(tuple(one) if isinstance(one, list) else one for one in values)


def _word(value: Any) -> str:
    """A value as Hydra's grammar has it."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{key}:{_word(one)}" for key, one in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(map(_word, value)) + "]"
    if isinstance(value, str):
        escaped = re.sub(r"(\\*)'", r"\1\1\\'", value)
        return f"'{escaped}'"
    return str(value)
