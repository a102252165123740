"""What an update rule is: its hyperparameters and their legal values, its state, its equations."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, ClassVar

import torch
from torch import Tensor

from adam_repro.config.validate import Choice, Legal, Range
from adam_repro.errors import UserError
from adam_repro.kernels import fused_update
from adam_repro.wording import suggestion

Scalar = float | Tensor  # one number, or one number a trial as a float64 tensor [S, 1]

KERNELS = ("cpu", "cuda")  # devices on which PyTorch has the kernels of `UpdateRule.kernel`
BLOCK = 262_144  # elements: theta, g, slots and scratch of a block stay in a CPU's last cache
#: Types whose views share their data. A subclass may copy, as a sharded tensor does.
PLAIN = frozenset((Tensor, torch.nn.Parameter))
HALF = (torch.float16, torch.bfloat16)  # dtypes whose update is computed in float32, then rounded


class HyperparameterError(UserError, ValueError):
    """An illegal hyperparameter: a `UserError` to the command line, a `ValueError` to PyTorch."""


class _Values:
    """What `namespace` gives where `torch.compile` reads along, which knows no `SimpleNamespace`."""

    def __init__(self, **values: Any) -> None:
        for name, value in values.items():
            setattr(self, name, value)


def namespace(**values: Any) -> Any:
    """Values by name, as attributes."""
    return _Values(**values) if torch.compiler.is_compiling() else SimpleNamespace(**values)


class UpdateRule:
    """The equations of an optimizer, over one trial or over a stack of S trials.

    A subclass states `hyperparameters` (numbers, one per trial), `options` (structural, the same
    for a whole stack), `slots` (state tensors shaped like theta, zero before the first step), and
    the rule: `scalars`, done once a step in float64, and `update`, elementwise and in place.
    `adam_repro.optim.apply` puts the two together.

    That is all it needs. Two kernels are optional, for speed alone: `kernel` is `update` in one pass
    over contiguous tensors, with floats in `c`; `stack_kernel` is the same on a GPU for whatever
    `adam_repro.kernels.fused_update.suits`.
    """

    hyperparameters: ClassVar[dict[str, Range]] = {}
    options: ClassVar[dict[str, Choice]] = {}
    slots: ClassVar[tuple[str, ...]] = ()
    kernel: ClassVar[Any] = None
    stack_kernel: ClassVar[Any] = None

    @staticmethod
    def scalars(h: Any, t: int | Tensor) -> dict[str, Scalar]:
        """What `update` needs besides tensors, from the hyperparameters and the step count.

        `h` holds Python floats or float64 tensors [S, 1] (`h.lr` is the stepsize of this step) and
        the options; `t` counts steps from 1, an int or a float64 tensor: 0-dim, or [T, 1, 1] for
        the scalars [T, S, 1] of T steps at once. Float64 throughout.
        """
        raise TypeError("UpdateRule is abstract: use one of adam_repro.optim.OPTIMIZERS")

    @staticmethod
    def update(theta: Tensor, g: Tensor, s: Any, c: Any) -> None:
        """One step of the rule, in place on `theta` and the slots `s`; `g` is left as it is.

        All tensors are [n] or [S, n]; `c` holds the scalars as floats or as [S, 1] tensors in
        theta's dtype. Elementwise, so that any block of the tensors can be updated on its own.
        """
        raise TypeError("UpdateRule is abstract: use one of adam_repro.optim.OPTIMIZERS")

    @classmethod
    def check(cls, h: Mapping[str, Any] | SimpleNamespace) -> None:
        """Check names, types and ranges of one trial's hyperparameters and options.

        Raises:
            HyperparameterError: naming the option, its value and what is legal.
        """
        given = dict(h) if isinstance(h, Mapping) else vars(h)
        legal: dict[str, Legal] = {**cls.hyperparameters, **cls.options}
        check_hyperparameters(cls.__name__, given, legal)
        for name in legal:
            if name not in given:
                raise HyperparameterError(f"{cls.__name__} needs {name}: give {legal[name]}")


def check_hyperparameters(name: str, given: Mapping[str, Any], legal: Mapping[str, Legal]) -> None:
    """Check the hyperparameters that are given of the optimizer ``name``.

    Raises:
        HyperparameterError: naming the option, its value and what is legal.
    """
    for key, value in given.items():
        if key not in legal:
            hint = suggestion(key, legal) or f"; it has {', '.join(legal)}"
            raise HyperparameterError(f"{name} has no hyperparameter {key!r}{hint}")
        if isinstance(value, Tensor) and isinstance(legal[key], Range):
            value = _number(name, key, value)
            if value is None:
                continue
        if not legal[key].admits(value):
            raise HyperparameterError(f"{name}: {key}={value!r}: must be {legal[key]}")


def _number(name: str, key: str, value: Tensor) -> bool | float | None:
    """The number in a tensor of one element; `None` for a tensor without data, as a fake one."""
    if value.numel() != 1:
        shape = tuple(value.shape)
        raise HyperparameterError(f"{name}: Tensor {key} must be 1-element: it has shape {shape}")
    if value.is_meta or type(value) is not Tensor:
        return None
    return value.item()


def init_state(rule: type[UpdateRule], theta: Tensor) -> dict[str, Tensor]:
    """The rule's slots before the first step: zeros shaped like `theta`."""
    return {name: torch.zeros_like(theta) for name in rule.slots}


def apply(
    rule: type[UpdateRule],
    theta: Tensor,
    g: Tensor,
    state: Mapping[str, Tensor],
    h: Any,
    t: int | Tensor,
) -> None:
    """Step `t` of `rule`, in place on `theta` and `state`; to be called under `torch.no_grad()`.

    `theta`, `g` and the tensors of `state` (see `init_state`) are [n], with floats in `h`, or
    [S, n], with float64 tensors [S, 1] in `h`. `h` also holds the rule's options; `h.lr` is the
    stepsize of this step. `t` counts from 1: an int, or a 0-dim float64 tensor on theta's device.
    """
    update_in_blocks(rule, theta, g, namespace(**state), prepare(rule, h, t, theta.dtype))


def prepare(rule: type[UpdateRule], h: Any, t: int | Tensor, dtype: torch.dtype) -> Any:
    """The scalars of step `t` for a theta of `dtype`, with the rule's options beside them.

    `plain` says that every scalar is a Python float: one trial, its step counted on the host.
    """
    dtype = torch.float32 if dtype in HALF else dtype
    numbers = rule.scalars(h, t)
    plain = not any(isinstance(x, Tensor) for x in numbers.values())
    if not plain:
        numbers = {k: x.to(dtype) if isinstance(x, Tensor) else x for k, x in numbers.items()}
    options = {name: getattr(h, name) for name in rule.options}
    return namespace(plain=plain, **numbers, **options)


def update_whole(rule: type[UpdateRule], theta: Tensor, g: Tensor, s: Any, c: Any) -> None:
    """The rule's update of whole tensors of any kind, by the operations of `update` alone.

    Half precision is computed in float32 and rounded once. In float16 the constant of `ops.TINY`
    would be 0, and a coordinate whose gradient was always zero 0/0.
    """
    if theta.dtype not in HALF:
        rule.update(theta, g, s, c)
        return
    wide_theta, slots = theta.float(), {name: getattr(s, name).float() for name in rule.slots}
    rule.update(wide_theta, g.float(), namespace(**slots), c)
    theta.copy_(wide_theta)
    for name in rule.slots:
        getattr(s, name).copy_(slots[name])


def update_in_blocks(rule: type[UpdateRule], theta: Tensor, g: Tensor, s: Any, c: Any) -> None:
    """The rule's update: by a one-pass kernel, if it has one that suits, else on a CPU in blocks.

    A stack that is not contiguous, and a GPU's without a kernel, are updated whole; so are tensors of a
    type whose views may be copies, and all while `torch.compile` traces. One trial's strides do not matter:
    it gets the bits that it would get if it were contiguous.
    """
    if torch.compiler.is_compiling():
        update_whole(rule, theta, g, s, c)
        return
    tensors = (theta, g, *vars(s).values())
    if not PLAIN.issuperset(map(type, tensors)):
        update_whole(rule, theta, g, s, c)
        return
    contiguous = all(x.is_contiguous() for x in tensors)
    if contiguous and c.plain and rule.kernel is not None and theta.device.type in KERNELS:
        rule.kernel(theta, g, s, c)
        return
    if c.plain and not contiguous:
        _update_as_contiguous(rule, theta, g, s, c)
        return
    if c.plain and theta.dim() != 1:  # one trial: its tensors' shape does not matter
        theta, g, *flat = tensors = tuple(x.view(-1) for x in tensors)
        s = namespace(**dict(zip(vars(s), flat, strict=True)))
    if rule.stack_kernel is not None and fused_update.suits(theta, g, s):
        rule.stack_kernel(theta, g, s, c)
    elif not contiguous or theta.device.type != "cpu" or theta.numel() <= BLOCK:
        update_whole(rule, theta, g, s, c)
    else:
        rows = tensors[0].shape[:-1].numel()
        width = max(1, BLOCK // rows)
        for block in zip(*(x.split(width, -1) for x in tensors), strict=True):
            slots = namespace(**dict(zip(vars(s), block[2:], strict=True)))
            update_whole(rule, block[0], block[1], slots, c)


def _update_as_contiguous(rule: type[UpdateRule], theta: Tensor, g: Tensor, s: Any, c: Any) -> None:
    """Update one trial's tensors, of which some are not contiguous: views of them, or copies."""
    order = sorted(range(theta.dim()), key=theta.stride, reverse=True)
    views = [x.permute(order) for x in (theta, g, *vars(s).values())]  # channels_last: contiguous
    flat = [x.contiguous().view(-1) for x in views]
    slots = namespace(**dict(zip(vars(s), flat[2:], strict=True)))
    update_in_blocks(rule, flat[0], flat[1], slots, c)
    for i, (view, new) in enumerate(zip(views, flat, strict=True)):
        if i != 1 and not view.is_contiguous():  # 1: the gradient is left as it is
            view.copy_(new.view(view.shape))
