"""An update rule tried on a few numbers before it trains: its mistakes in its own words."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor

from adam_repro.errors import UserError
from adam_repro.optim.rule import UpdateRule, init_state, namespace, prepare
from adam_repro.source_code import words
from adam_repro.wording import suggestion

STEPS = (*range(1, 11), 100, 1000)  # a slot may be filled now and then
N = 6  # elements
_tried: set[Any] = set()


class RuleError(UserError, AttributeError):
    """A mistake in a rule; an `AttributeError` too, so that a rule may ask whether there is a name."""


class _Names:
    """Values by name. ``unknown`` ends the sentence on a name that is none of them."""

    def __init__(self, rule: type, what: str, values: dict[str, Any], unknown: str) -> None:
        vars(self).update(values)
        vars(self)["_told"] = rule.__name__, what, unknown, list(values)

    def __getattr__(self, name: str) -> Any:
        rule, what, unknown, known = vars(self)["_told"]
        raise RuleError(f"{rule}: {what}.{name}, which {unknown}{suggestion(name, known)}")

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in vars(self):
            self.__getattr__(name)
        rule, what, _, _ = vars(self)["_told"]
        raise RuleError(
            f"{rule}: {what}.{name} and replaces it; write into it in place, as {name}.copy_(…)"
        )


def try_out(rule: type[UpdateRule], h: Any, theta: Tensor) -> None:
    """Try a few steps of ``rule`` as it is to update theta, [n], or [S, n] with tensors [S, 1] in ``h``.

    Done once for each choice of options.

    Raises:
        UserError: a slot that `update` uses without its being declared, replaces, or never fills; a scalar
            that `scalars` does not return; a hyperparameter that is not declared; a changed gradient; what
            else its code raises, with the line.
    """
    if not isinstance(rule.slots, tuple | list):
        raise UserError(
            f"{rule.__name__}: slots = {rule.slots!r}: must be a tuple of names, as ('m',)"
        )
    if "lr" not in rule.hyperparameters:
        raise UserError(f"{rule.__name__}: hyperparameters has no lr; every rule has a stepsize")
    key = (rule, theta.dim(), theta.device.type, *(getattr(h, name) for name in rule.options))
    if key in _tried:
        return
    try:
        unfilled = _unfilled(rule, h, theta, set(rule.slots))
    except UserError:
        raise
    except Exception as error:  # whatever a rule's code raises
        raise UserError(f"{rule.__name__}: {words(error, rule.__module__)}") from error
    for others in _other_settings(rule, h) if unfilled else ():
        with suppress(Exception):  # not those of this trial
            unfilled = _unfilled(rule, others, theta, unfilled)
    if unfilled:
        raise UserError(
            f"{rule.__name__}: update() leaves the slot {', '.join(sorted(unfilled))} at zero; write into "
            "it in place, as s.m.lerp_(g, c.one_minus_beta1), or leave it out of slots"
        )
    _tried.add(key)


def _unfilled(rule: type[UpdateRule], h: Any, theta: Tensor, slots: set[str]) -> set[str]:
    """Those of ``slots`` that are zero after every step; the steps end when all are filled.

    Raises:
        RuleError: a name that is not there, or a slot that is set anew.
    """
    draws = torch.Generator().manual_seed(0)
    shape = (*theta.shape[:-1], N)
    theta, g = (torch.randn(shape, generator=draws).to(theta) for _ in range(2))
    before = g.clone()
    state = init_state(rule, theta)
    s = _Names(rule, "update() uses the slot s", state, f"is not among its slots: {_listed(state)}")
    names = _listed([*rule.hyperparameters, *rule.options])
    h = _Names(rule, "scalars() uses h", vars(h), f"is no hyperparameter or option: {names}")
    found = rule.scalars(h, 1)
    if not isinstance(found, Mapping):
        raise RuleError(f"{rule.__name__}: scalars() must return a dict; it returned {found!r:.60}")
    for t in STEPS:
        numbers = vars(prepare(rule, h, t, theta.dtype))
        returned = _listed(name for name in numbers if name != "plain")
        c = _Names(rule, "update() uses c", numbers, f"scalars() does not return: {returned}")
        try:
            rule.update(theta, g, s, c)
        finally:  # it fails on a shape that it has given a slot itself
            _check_shapes(rule, state, theta)
        slots = {name for name in slots if not state[name].any()}
        if not torch.equal(g, before):
            raise RuleError(
                f"{rule.__name__}: update() changes the gradient g; work on a copy of it"
            )
        if not slots:
            break
    return slots


def _check_shapes(rule: type[UpdateRule], state: Mapping[str, Tensor], theta: Tensor) -> None:
    for name, slot in state.items():
        if slot.shape != theta.shape:
            raise RuleError(
                f"{rule.__name__}: update() gives the slot {name} the shape {list(slot.shape)}; theta and "
                f"its slots have {list(theta.shape)}"
            )


def _other_settings(rule: type[UpdateRule], h: Any) -> Iterator[Any]:
    """Every choice of the rule's options, with hyperparameters that are not 0: what may need a slot."""
    numbers = {}
    for name, legal in rule.hyperparameters.items():
        value = getattr(h, name)
        zero = not isinstance(value, Tensor) and value == 0
        half = torch.full_like(value, 0.5) if isinstance(value, Tensor) else 0.5
        numbers[name] = half if legal.admits(0.5) and (zero or isinstance(value, Tensor)) else value
    for chosen in itertools.product(*(choice.values for choice in rule.options.values())):
        yield namespace(**numbers, **dict(zip(rule.options, chosen, strict=True)))


def _listed(names: Any) -> str:
    return ", ".join(names) or "none"
