"""Any optimizer by import path, a class or a function: `optimizer=torch optimizer.target=…`.

A target is given what its first argument asks for by its name: `params`, `named_parameters` or `model`.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from adam_repro import import_path, source_code
from adam_repro.errors import UserError
from adam_repro.wording import suggestion

Maker = Callable[..., Any]  # what a target is: a class, or a function that returns an optimizer

#: `optimizer.lr` in configs/optimizer/torch.yaml, which a target without a stepsize is not given.
DEFAULT_LR = 1e-3
NAMED = ("named_parameters", "named_params")
MODEL = ("model", "module")


class Parameters(NamedTuple):
    """What an optimizer is made for: the parameters with their names, and their model.

    ``model`` is called where a target asks for it.
    """

    named: list[tuple[str, Tensor]]
    model: Callable[[], nn.Module]

    @property
    def tensors(self) -> list[Tensor]:
        return [parameter for _, parameter in self.named]


def resolve(target: str | None) -> Maker:
    """The class or function at a dotted path such as `torch.optim.NAdam`.

    Raises:
        UserError: no path, a module that cannot be imported, a name it does not hold, or a thing
            that is neither a subclass of `torch.optim.Optimizer` nor a function.
    """
    example = "torch.optim.NAdam"
    found = import_path.find("optimizer.target", target, "a torch.optim.Optimizer class", example)
    if inspect.isclass(found) and issubclass(found, torch.optim.Optimizer):
        return found
    if inspect.isclass(found) or not callable(found):
        raise UserError(
            f"optimizer.target={target}: {str(target).rpartition('.')[2]} is not a subclass of "
            f"torch.optim.Optimizer; give one, or a function that returns one"
        )
    maker: Maker = found
    return maker


def construct(
    target: str | None,
    parameters: Parameters,
    kwargs: Mapping[str, Any],
    maker: Maker | None = None,
) -> torch.optim.Optimizer:
    """The optimizer at `target` over `parameters`, with `kwargs` for its constructor.

    ``maker``: what is at `target`, where that is known already.

    Raises:
        UserError: as `resolve`; an option the constructor does not take or a value it refuses; a
            function that returns something else than an optimizer; one without a step.
    """
    maker = resolve(target) if maker is None else maker
    _check_names(target, maker, kwargs)
    given = {name: _instantiated(f"optimizer.kwargs.{name}", kwargs[name]) for name in kwargs}
    try:
        made = maker(_wanted(maker, parameters), **given)
    except Exception as error:  # whatever a foreign constructor raises for a value it refuses
        raise UserError(_refusal(target, error, kwargs)) from error
    if not isinstance(made, torch.optim.Optimizer):
        raise UserError(
            f"optimizer.target={target}: it returned {made!r:.80} of type {type(made).__name__}; "
            "it must return a torch.optim.Optimizer"
        )
    step = inspect.unwrap(getattr(made.step, "__func__", made.step))  # PyTorch wraps it
    if not callable(step) or step is inspect.unwrap(torch.optim.Optimizer.step):
        name = type(made).__name__
        raise UserError(
            f"optimizer.target={target}: {name} has no step(); define step(self, closure=None), which "
            "updates the parameters"
        )
    return made


def _wanted(maker: Maker, parameters: Parameters) -> Any:
    """What the first argument of a target asks for by its name."""
    first = next(iter(_signature(maker)), "")
    if first in MODEL:
        return parameters.model()
    return list(parameters.named) if first in NAMED else parameters.tensors


def _signature(maker: Maker) -> dict[str, inspect.Parameter]:
    try:
        return dict(inspect.signature(maker).parameters)
    except (TypeError, ValueError):  # of something written in C: anything may be right
        return {
            "params": inspect.Parameter("params", inspect.Parameter.POSITIONAL_ONLY),
            "kwargs": inspect.Parameter("kwargs", inspect.Parameter.VAR_KEYWORD),
        }


def takes(maker: Maker, name: str) -> bool:
    """Whether a target has an argument of this name, or takes any."""
    parameters = list(_signature(maker).values())[1:]
    return any(p.name == name or p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters)


def arguments(optimizer: Mapping[str, Any]) -> dict[str, Any]:
    """What a target is given besides parameters: the stepsize under its name, and ``kwargs``.

    A stepsize that is null is left to the target, and so is the default of ours where the target has
    none.

    Raises:
        UserError: a stepsize for a target that has none.
    """
    own = dict(optimizer["kwargs"])
    lr, name, target = optimizer.get("lr"), optimizer.get("lr_name") or "lr", optimizer["target"]
    if lr is None:
        return own
    maker = resolve(target)
    if takes(maker, name):
        return {name: lr, **own}
    legal = ", ".join(list(_signature(maker))[1:]) or "none"
    if name != "lr":
        near = suggestion(name, list(_signature(maker))[1:])
        raise UserError(
            f"optimizer.lr_name={name}: {target} has no such argument; it takes {legal}{near}"
        )
    if lr == DEFAULT_LR:
        return own
    raise UserError(
        f"optimizer.lr={lr}: {target} has no argument lr; it takes {legal}. Leave optimizer.lr out, or "
        "say with optimizer.lr_name which of them it is for"
    )


def _check_names(target: str | None, maker: Maker, kwargs: Mapping[str, Any]) -> None:
    for name, value in kwargs.items():
        if not takes(maker, name):
            legal = list(_signature(maker))[1:]
            raise UserError(
                f"optimizer.target={target} has no option {name!r} (given {name}={value!r}); "
                f"it takes {', '.join(legal) or 'none'}{suggestion(name, legal)}"
            )


def _instantiated(option: str, value: Any) -> Any:
    """``value``, in which what has a ``_target_`` is made, as `hydra.utils.instantiate` does.

    Raises:
        UserError: for one that cannot be made.
    """
    if isinstance(value, list):
        return [_instantiated(option, one) for one in value]
    if not isinstance(value, Mapping):
        return value
    if "_target_" not in value:
        return {key: _instantiated(f"{option}.{key}", one) for key, one in value.items()}
    from hydra.utils import instantiate  # most optimizers have none

    try:
        return instantiate(dict(value), _convert_="all")
    except Exception as error:  # whatever the thing raises that is called
        words = str(error.__cause__ or error).strip().splitlines() or [type(error).__name__]
        raise UserError(f"{option}._target_={value['_target_']}: {words[0]}") from error


def _refusal(target: str | None, error: Exception, kwargs: Mapping[str, Any]) -> str:
    """What a constructor says, and the values that it says it of, or all that it was given."""
    words = " ".join(str(error).split()) or type(error).__name__
    kind = "" if isinstance(error, ValueError) else f"{type(error).__name__}: "
    about = {name: value for name, value in kwargs.items() if _speaks_of(words, name)}
    if about:
        return f"optimizer.target={target}: {kind}{words} (it refuses {listed(about)})"
    given = f" (given {listed(kwargs)})" if kwargs else ""
    return f"optimizer.target={target}: {kind}{words}{given}"


def _speaks_of(words: str, name: str) -> bool:
    other = r"|learning[ _]?rate|step[ _-]?size" if name == "lr" else ""
    return re.search(rf"(?<!\w)({re.escape(name)}{other})(?!\w)", words, re.I) is not None


def groups_of(optimizer: torch.optim.Optimizer) -> list[dict[str, Any]]:
    """The parameter groups; none of a wrapper that does not show those of what it wraps."""
    found: list[dict[str, Any]] = getattr(optimizer, "param_groups", [])
    return found


def listed(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in values.items())


def made_anew(target: str) -> Maker | None:
    """What is at `target` in a new process; ``None`` where its modules cannot be executed again."""
    modules = source_code.loaded_with(target.rpartition(".")[0])
    found: Maker | None = import_path.find_anew(target, modules) if modules else None
    return found


def _paths(value: Any) -> Iterator[str]:
    """The import paths in an ``optimizer`` section: its target, and those below ``kwargs``."""
    if isinstance(value, list):
        for one in value:
            yield from _paths(one)
    elif isinstance(value, Mapping):
        for key, one in value.items():
            if key in ("target", "_target_", "path") and isinstance(one, str) and "." in one:
                yield one
            else:
                yield from _paths(one)


def modules(optimizer: Mapping[str, Any]) -> list[str]:
    """The modules of an optimizer by import path, and of what it is given; none of one of ours."""
    if optimizer["name"] != "torch":
        return []
    named = [path.rpartition(".")[0] for path in _paths(optimizer)]
    return [*named, getattr(resolve(optimizer["target"]), "__module__", "") or named[0]]
