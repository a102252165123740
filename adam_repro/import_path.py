"""Objects by their import path, as ``torch.optim.NAdam``; and the same from modules executed anew."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from adam_repro.errors import UserError
from adam_repro.wording import suggestion


def find(option: str, path: str | None, what: str, example: str) -> Any:
    """The object at a dotted path.

    ``option``: whose value the path is, as ``optimizer.target``; ``what`` it must lead to, with an
    ``example``, for messages.

    Raises:
        UserError: no path, a module that cannot be imported, or a name it does not hold.
    """
    module_name, _, name = str(path or "").rpartition(".")
    if not module_name or not name:
        raise UserError(f"{option}={path}: give the import path of {what}, e.g. {option}={example}")
    try:
        module = importlib.import_module(module_name)
    except (Exception, SystemExit) as error:  # whatever another person's module raises on import
        absent = isinstance(error, ModuleNotFoundError) and f"{module_name}.".startswith(
            f"{error.name}."
        )
        advice = (
            "check its spelling, and that it is installed or on PYTHONPATH"
            if absent
            else "it is there, but its own code fails"
        )
        raise UserError(
            f"{option}={path}: the module {module_name!r} cannot be imported ({_reason(error)}); {advice}"
        ) from error
    found = getattr(module, name, None)
    if found is None:
        near = suggestion(name, dir(module), f"{module_name}.")
        raise UserError(f"{option}={path}: {module_name} has no {name!r}{near}")
    return found


def _reason(error: BaseException) -> str:
    """The error in a line; a module that ends the process, as a script does, says only a status."""
    if isinstance(error, SystemExit):
        return f"it ends the process with {error.code!r} when it is imported"
    return str(error) or type(error).__name__


def find_anew(path: str, modules: Collection[str]) -> Any:
    """The object at ``path`` as a new process would have it: ``modules`` are executed again for it.

    Its classes and functions are other objects than those of this process, with what their modules,
    classes and closures hold at the start. ``None`` where a module cannot be executed twice.
    """
    module_name, _, name = path.rpartition(".")
    with _set_aside({module_name, *modules}):
        try:
            return getattr(importlib.import_module(module_name), name, None)
        except (Exception, SystemExit):  # as of one that registers something under a fixed name
            return None


@contextmanager
def _set_aside(names: Collection[str]) -> Iterator[None]:
    """Within the block these modules are not loaded; afterwards they are, as they were."""
    before = {name: sys.modules[name] for name in names if name in sys.modules}
    for name in before:
        del sys.modules[name]
    try:
        yield
    finally:
        for name, module in before.items():
            sys.modules[name] = module
            _bind(name, module)


def _bind(name: str, module: ModuleType) -> None:
    """Let the package of a module have it as its attribute, as an import does."""
    package, _, own = name.rpartition(".")
    if package in sys.modules and hasattr(sys.modules[package], own):
        setattr(sys.modules[package], own, module)
