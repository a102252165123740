"""Which keys a parameter group of ours may have: its own, and what other people's code keeps there."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Collection, Mapping
from typing import Any

from torch import Tensor

from adam_repro.errors import UserError

#: Settings of PyTorch's optimizers that change a step. In a group of a method that has no such
#: hyperparameter they may be there if they are off, as many tools write `weight_decay: 0.0`.
TORCH_SETTINGS = (
    "amsgrad", "betas", "centered", "dampening", "decoupled_weight_decay", "differentiable", "eps",
    "lr_decay", "maximize", "momentum", "momentum_decay", "nesterov", "weight_decay",
)  # fmt: skip
#: What other libraries call a hyperparameter of ours.
OTHER_NAMES = {"learning_rate": "lr", "step_size": "lr", "epsilon": "eps", "alpha": "rho"}
#: Two names are close when they share this part of their letters: beta_1 and beta1, not beta3 and beta1.
CLOSE = 0.8


def misplaced(group: Mapping[str, Any], own: Collection[str]) -> tuple[str, str] | None:
    """A key of the group that its writer took for a setting, and why it is none; `None` if there is none.

    `own`: the method's hyperparameters and options. A setting of PyTorch that is on and a name close to
    one of ours would be ignored in silence. Anything else is left alone: schedulers and wrappers keep
    keys of their own in a group, as `initial_lr` and `max_momentum`.
    """
    for key, value in group.items():
        if key in own or key == "params":
            continue
        if key in TORCH_SETTINGS:
            if not _off(value):
                return key, f"; it has {', '.join(own)}"
        elif meant := _close(key, own):
            return key, f" (did you mean {meant}?)"
    return None


def _off(value: Any) -> bool:
    """Whether a setting of PyTorch does nothing: false, zero or none."""
    if isinstance(value, (tuple, list)):  # betas, which have no such value
        return False
    return value is None or (not isinstance(value, Tensor) and value == 0)


def _close(key: str, own: Collection[str]) -> str | None:
    """The name of ours for which `key` is another spelling."""
    if OTHER_NAMES.get(key) in own:
        return OTHER_NAMES[key]
    letters = _letters(key)
    for name in own:
        if re.search(rf"(^|_){name}(_|$)", key):  # a wrapper's: base_momentum, swa_lr
            continue
        if letters == _letters(name):
            return name
        if difflib.SequenceMatcher(None, letters, _letters(name)).ratio() > CLOSE:
            return name
    return None


def _letters(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


class StateError(UserError, ValueError):
    """A state that a method cannot take up."""


def check_names(method: str, group: Mapping[str, Any], own: Collection[str]) -> None:
    """Check that a saved group has every hyperparameter and option of the method.

    Raises:
        StateError: naming those it has not.
    """
    missing = [name for name in own if name not in group]
    if missing:
        has = ", ".join(name for name in group if name != "params") or "nothing"
        raise StateError(
            f"{method} cannot take up this state: a group has no {', '.join(missing)}: it has {has}; "
            f"load a state that {method} has saved"
        )


def check_state(
    method: str, state: Any, slots: Collection[str], parameter: Tensor, index: int
) -> None:
    """Check what was saved for one parameter, number `index` of its group.

    Raises:
        StateError: it is another method's, damaged, or of a parameter of another shape.
    """
    where = f"{method} cannot take up this state: parameter {index}"
    if not isinstance(state, Mapping):
        raise StateError(f"{where} has a {type(state).__name__}, not a dict of tensors")
    missing = [name for name in ("step", *slots) if name not in state]
    if missing:
        has = ", ".join(map(str, state)) or "nothing"
        raise StateError(
            f"{where} has no {', '.join(missing)}: it has {has}; "
            f"load a state that {method} has saved"
        )
    step = state["step"]
    if isinstance(step, Tensor) and step.numel() != 1:
        raise StateError(f"{where}: step has shape {tuple(step.shape)}: must be one number")
    if type(step) is Tensor and step.is_cpu:
        step = step.item()
    if isinstance(step, bool) or not isinstance(step, (int, float, Tensor)):
        raise StateError(f"{where}: step is a {type(step).__name__}: must be a number of steps")
    if not isinstance(step, Tensor) and not 0 <= step < math.inf:
        raise StateError(f"{where}: step={step}: must be a number of steps, at least 0")
    for name in slots:
        slot = state[name]
        if not isinstance(slot, Tensor) or slot.shape != parameter.shape:
            has = f"shape {tuple(slot.shape)}" if isinstance(slot, Tensor) else f"{slot!r:.60}"
            raise StateError(
                f"{where}: {name} has {has}, and the parameter has shape {tuple(parameter.shape)}"
            )
