"""Any `torch.optim.Optimizer` class by import path: `optimizer=torch optimizer.target=…`."""

from __future__ import annotations

import difflib
import hashlib
import importlib
import inspect
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from adam_repro.errors import UserError


def resolve(target: str | None) -> type[torch.optim.Optimizer]:
    """The optimizer class at a dotted path such as `torch.optim.NAdam`.

    Raises:
        UserError: no path, a module that cannot be imported, a name it does not hold, or a thing
            that is not a subclass of `torch.optim.Optimizer`.
    """
    module_name, _, class_name = str(target or "").rpartition(".")
    if not module_name or not class_name:
        raise UserError(
            f"optimizer.target={target}: give the import path of a torch.optim.Optimizer class, "
            f"e.g. optimizer.target=torch.optim.NAdam"
        )
    try:
        module = importlib.import_module(module_name)
    except (Exception, SystemExit) as error:  # whatever a foreign module raises on import
        raise UserError(
            f"optimizer.target={target}: the module {module_name!r} cannot be imported ({_reason(error)}); "
            f"check its spelling, and that it is installed or on PYTHONPATH"
        ) from error
    found = getattr(module, class_name, None)
    if found is None:
        near = difflib.get_close_matches(class_name, dir(module), n=1)
        hint = f"; did you mean {module_name}.{near[0]}?" if near else ""
        raise UserError(f"optimizer.target={target}: {module_name} has no {class_name!r}{hint}")
    if not (inspect.isclass(found) and issubclass(found, torch.optim.Optimizer)):
        raise UserError(
            f"optimizer.target={target}: {class_name} is not a subclass of torch.optim.Optimizer"
        )
    return found


def _reason(error: BaseException) -> str:
    """The error in a line; a module that ends the process, as a script does, says only a status."""
    if isinstance(error, SystemExit):
        return f"it ends the process with {error.code!r} when it is imported"
    return str(error) or type(error).__name__


def construct(target: str | None, params: Any, kwargs: Mapping[str, Any]) -> torch.optim.Optimizer:
    """The optimizer at `target` over `params`, with `kwargs` (lr among them) for its constructor.

    Raises:
        UserError: as `resolve`; an option the constructor does not take or a value it refuses; an
            optimizer whose step needs a closure, which a trial does not give.
    """
    cls = resolve(target)
    _check_names(target, cls, kwargs)
    step = inspect.signature(cls.step).parameters.get("closure")
    if step is not None and step.default is inspect.Parameter.empty:
        raise UserError(
            f"optimizer.target={target}: its step needs a closure that computes the cost again, "
            f"and a trial computes each minibatch's gradient once; choose a first-order optimizer"
        )
    try:
        return cls(params, **kwargs)
    except Exception as error:  # whatever a foreign constructor raises for a value it refuses
        given = ", ".join(f"{name}={value!r}" for name, value in kwargs.items())
        raise UserError(f"optimizer.target={target} refuses {given}: {error}") from error


def _check_names(
    target: str | None, cls: type[torch.optim.Optimizer], kwargs: Mapping[str, Any]
) -> None:
    parameters = dict(inspect.signature(cls).parameters)
    if any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values()):
        return
    legal = [name for name in parameters if name != "params"]
    for name, value in kwargs.items():
        if name not in legal:
            raise UserError(
                f"optimizer.target={target} has no option {name!r} (given {name}={value!r}); "
                f"it takes {', '.join(legal)}"
            )


SOURCE_HASH = "optimizer_source"  # in the provenance of a trial


def source_file(optimizer: Mapping[str, Any]) -> Path | None:
    """The file an optimizer by import path is in; ``None`` for ours and PyTorch's, and without a file."""
    if optimizer["name"] != "torch":
        return None
    module = resolve(optimizer["target"]).__module__
    file = getattr(sys.modules[module], "__file__", None)
    return Path(file) if file and not module.startswith("torch.") else None


def source_hash(optimizer: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, str]:
    """The provenance entry of that file: a hash of its bytes; empty without a file.

    ``before``: the provenance so far. Its hashes stay, in front of a new one.
    """
    file = source_file(optimizer)
    if file is None or not file.is_file():
        return {}
    now = hashlib.sha256(file.read_bytes()).hexdigest()[:12]
    then = str(before.get(SOURCE_HASH, "")).split()
    return {SOURCE_HASH: " ".join(then if now in then else [*then, now])}
