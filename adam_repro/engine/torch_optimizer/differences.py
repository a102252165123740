"""In what an optimizer differs from one that was made from its checkpoint: names, for a message."""

from __future__ import annotations

import hashlib
import io
import itertools
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from adam_repro.engine.torch_optimizer.step import TorchOptimizerStep


def differences(one: TorchOptimizerStep, other: TorchOptimizerStep) -> list[str]:
    """The entries of the state, and the attributes, that are not the same in two optimizers."""
    try:
        return _differences(one, other)
    except Exception:  # whatever an attribute of a foreign object raises: the names only help
        return []


def _differences(one: TorchOptimizerStep, other: TorchOptimizerStep) -> list[str]:
    entries = {
        key
        for mine, theirs in zip(one.parameters, other.parameters, strict=True)
        for key in _differing(
            one.optimizer.state.get(mine, {}), other.optimizer.state.get(theirs, {})
        )
    }
    mine, theirs = _attributes(one), _attributes(other)
    changed = [name for name in mine if mine[name] != theirs.get(name, "")]
    return [*(f"state[{key!r}]" for key in sorted(entries)), *changed]


def _differing(mine: Any, theirs: Any) -> Iterator[str]:
    for key, value in mine.items() if isinstance(mine, Mapping) else ():
        other = theirs.get(key) if isinstance(theirs, Mapping) else None
        if isinstance(value, Tensor) and _digest(value, set(), set()) != _digest(
            other, set(), set()
        ):
            yield str(key)


def _attributes(step: TorchOptimizerStep) -> dict[str, str]:
    """A hash of each attribute that no ``state_dict`` of PyTorch's contains, by name."""
    usual = vars(torch.optim.SGD([torch.zeros(1)]))
    places = {parameter.data_ptr() for parameter in step.parameters}
    own = _content(step.optimizer)
    return {name: _digest(own[name], places, set()) for name in own if name not in usual}


def _content(value: Any) -> dict[str, Any]:
    """The attributes of an object, those in slots too."""
    slots = [getattr(kind, "__slots__", ()) for kind in type(value).__mro__]
    names = itertools.chain.from_iterable([one] if isinstance(one, str) else one for one in slots)
    found = {name: getattr(value, name) for name in names if hasattr(value, name)}
    return {**found, **getattr(value, "__dict__", {})}


def _digest(value: Any, parameters: set[int], seen: set[int]) -> str:
    """A short text that changes when the value changes; empty for code.

    ``parameters``: addresses of the trial's parameters, which are left out. ``seen``: ids of the objects
    that are being read; they may refer to each other.
    """
    if value is None or isinstance(value, (bool, int, float, str, bytes)):
        return repr(value)
    if isinstance(value, Tensor):
        return "" if value.data_ptr() in parameters else _hash(_saved(value.detach().clone()))
    if isinstance(value, np.ndarray):
        return _hash(value.tobytes())
    if isinstance(value, torch.Generator):
        return _hash(value.get_state().numpy().tobytes())
    if isinstance(value, itertools.count):
        return repr(value)
    stateful = isinstance(value, (torch.optim.Optimizer, torch.nn.Module))
    if id(value) in seen or (callable(value) and not stateful):
        return ""
    seen.add(id(value))
    if stateful:
        value = value.state_dict()
    if isinstance(value, Mapping):
        value = [part for pair in value.items() for part in pair]
    if not isinstance(value, (list, tuple, deque, set, frozenset)):
        value = list(_content(value).values())
    return _hash(",".join(_digest(part, parameters, seen) for part in value).encode())


def _saved(value: Tensor) -> bytes:
    content = io.BytesIO()
    torch.save(value, content)
    return content.getvalue()


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
