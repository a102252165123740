"""What the values of a figure's file may be, so that a mistake is told where it was made."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from adam_repro.errors import UserError
from adam_repro.figures import paper_curves
from adam_repro.figures.spec import EVALUATED, READINGS, SCALES, Figure

WHOLE = "a whole number, at least 1"


def check(figure: Figure, path: Path) -> Figure:
    """The figure, if every value of its file is legal.

    Raises:
        UserError: for the first that is not, with the file, the key, the value and what is legal.
    """
    for rule in (_choices, _once, _axes, _searched, _stepsizes, _scales, _references):
        for problem in rule(figure):
            raise UserError(f"{path}: {problem}")
    return figure


def _choices(figure: Figure) -> Iterator[str]:
    costs = ("train_cost", EVALUATED, "test_cost", "test_error")
    choices: list[tuple[str, Any, Sequence[str]]] = [
        ("kind", figure.kind, ("curves", "stepsizes")),
        *(("readings", reading, READINGS) for reading in figure.readings),
        *(("scales", scale, SCALES) for scale in figure.scales),
    ]
    for panel in figure.panels:
        choices += [
            (f"{panel.name}: x", panel.x, ("epoch", "normalised", "lr")),
            (f"{panel.name}: quantity", panel.quantity, costs),
            (f"{panel.name}: yscale", panel.yscale, ("linear", "log")),
            (
                f"{panel.name}: curves",
                panel.curves or paper_curves.panels()[0],
                paper_curves.panels(),
            ),
        ]
    for series in figure.series:
        choices.append((f"{series.label}: quantity", series.quantity, ("last", "average")))
    for key, value, legal in choices:
        if value not in legal:
            yield f"{key}={value}: must be one of {', '.join(legal)}"


def _once(figure: Figure) -> Iterator[str]:
    for key, values in (
        ("panels: name", [panel.name for panel in figure.panels]),
        ("series: label", [series.label for series in figure.series]),
    ):
        for value, times in Counter(values).items():
            if times > 1:
                yield f"{key}={value}: stands there {times} times; must be another for each"


def _axes(figure: Figure) -> Iterator[str]:
    for panel in figure.panels:
        limits: list[tuple[str, Any]] = [("xlim", panel.xlim), ("ylim", panel.ylim)]
        if panel.xzoom is not None or panel.yzoom is not None:
            limits += [("xzoom", panel.xzoom), ("yzoom", panel.yzoom)]
        for key, value in limits:
            if not _rising(value):
                yield f"{panel.name}: {key}={_text(value)}: must be two numbers, the lower first"


def _stepsizes(figure: Figure) -> Iterator[str]:
    for one in figure.series:
        if one.lr is not None and not (_rising(one.lr, more=True) and one.lr[0] > 0):
            yield (
                f"{one.label}: lr={_text(one.lr)}: must be two or more numbers above 0, the lowest first "
                "(1.0e-4; without the point it is text)"
            )


def _searched(figure: Figure) -> Iterator[str]:
    own = [(f"{one.label}: search", one.search) for one in figure.series]
    for key, searched in [("search", figure.search), ("printed", figure.printed), *own]:
        if not isinstance(searched, Mapping):
            yield f"{key}={_text(searched)}: must be options with their values (optimizer.rho: [0.9])"
            return
        for option, values in searched.items():
            if not isinstance(values, list) or not values:
                yield f"{key}: {option}={values}: must be a list of values, as [{values}]"


def _scales(figure: Figure) -> Iterator[str]:
    for name, scale in figure.scales.items():
        at = f"scales: {name}"
        yield from _by_task(figure, f"{at}: epochs", scale.epochs, _count, WHOLE)
        yield from _by_task(figure, f"{at}: seconds", scale.seconds, _number, "a number")
        if not _count(scale.seeds):
            yield f"{at}: seeds={scale.seeds}: must be {WHOLE}"
        if not _number(scale.per_decade) or scale.per_decade <= 0:
            yield f"{at}: per_decade={scale.per_decade}: must be a number above 0"


def _by_task(
    figure: Figure, key: str, value: Any, legal: Callable[[Any], bool], what: str
) -> Iterator[str]:
    tasks = sorted({panel.task or figure.task for panel in figure.panels})
    each = value if isinstance(value, Mapping) else dict.fromkeys(tasks, value)
    if not all(legal(each.get(task)) for task in tasks):
        yield f"{key}={value}: must be {what}, or one for each of {', '.join(tasks)}"


def _references(figure: Figure) -> Iterator[str]:
    for panel in figure.panels:
        legal = sorted(set(paper_curves.table(panel.curves)["series"])) if panel.curves else []
        for one in figure.series:
            if legal and one.reference is not None and one.reference not in legal:
                yield (
                    f"{one.label}: reference={one.reference}: "
                    f"must be one of {', '.join(legal)}, the lines of {panel.curves}"
                )


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _count(value: Any) -> bool:
    return _number(value) and isinstance(value, int) and value >= 1


def _rising(value: Any, more: bool = False) -> bool:
    """Whether this is two numbers, or with ``more`` two at least, each above the one before."""
    if not isinstance(value, tuple) or not all(_number(one) for one in value):
        return False
    enough = len(value) >= 2 if more else len(value) == 2
    return enough and all(a < b for a, b in pairwise(value))


def _text(value: Any) -> str:
    return str(list(value)) if isinstance(value, tuple) else str(value)
