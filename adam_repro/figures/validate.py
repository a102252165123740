"""What the keys of a figure's file may hold."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from itertools import pairwise
from typing import Any

from adam_repro.config.validate import Choice, Flag, Legal, Range, Whole, check, known, option
from adam_repro.errors import UserError
from adam_repro.figures import paper_curves
from adam_repro.figures.spec import (
    KINDS,
    READING_TITLES,
    READINGS,
    SCALES,
    Figure,
    Panel,
    Scale,
    Series,
)


class Text:
    """Any text."""

    def admits(self, value: object) -> bool:
        return isinstance(value, str)

    def __str__(self) -> str:
        return "text (quote what looks like a number)"


class ColumnName:
    """A column of metrics.csv: every trial's, or one of the task's own, which need not be known here."""

    def admits(self, value: object) -> bool:
        return isinstance(value, str) and re.fullmatch(r"[a-z][a-z0-9_]*", value) is not None

    def __str__(self) -> str:
        return "a column of metrics.csv, as train_cost, eval_train_cost, test_cost or test_error"


class Section:
    """A mapping whose keys are texts."""

    def admits(self, value: object) -> bool:
        return isinstance(value, Mapping) and all(isinstance(key, str) for key in value)

    def __str__(self) -> str:
        return "keys with values, as {key: value}"


class Grid:
    """The options that are searched, each with a list of values."""

    def admits(self, value: object) -> bool:
        return isinstance(value, Mapping) and all(
            isinstance(option, str) and isinstance(values, list) and values
            for option, values in value.items()
        )

    def __str__(self) -> str:
        return "options with lists of values, as {optimizer.rho: [0.9]}"


@dataclass(frozen=True)
class ListOf:
    """A list of at least ``least`` items."""

    item: Legal
    least: int = 0

    def admits(self, value: object) -> bool:
        return (
            isinstance(value, list)
            and len(value) >= self.least
            and all(self.item.admits(item) for item in value)
        )

    def __str__(self) -> str:
        return f"a list{' of at least one' if self.least else ''}; every item must be {self.item}"


@dataclass(frozen=True)
class Ascending:
    """A list of numbers, each above the one before."""

    text: str
    most: float = 2  # numbers; two at least
    above: float | None = None

    def admits(self, value: object) -> bool:
        return (
            isinstance(value, list)
            and 2 <= len(value) <= self.most
            and all(Range(gt=self.above).admits(number) for number in value)
            and all(a < b for a, b in pairwise(value))
        )

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class PerTask:
    """One value for all tasks, or a mapping with one for each."""

    value: Legal
    tasks: Sequence[str]

    def admits(self, value: object) -> bool:
        if isinstance(value, Mapping):
            return all(self.value.admits(value.get(task)) for task in self.tasks)
        return self.value.admits(value)

    def __str__(self) -> str:
        return f"{self.value}, or one for each of {', '.join(self.tasks)}"


TEXT, SECTION = Text(), Section()
INTERVAL = Ascending("two numbers, the lower first")
STEPSIZES = Ascending("two or more numbers above 0, the lowest first", most=math.inf, above=0)

#: What a key may hold, by the type of its field in `spec`. Exceptions are listed by key.
BY_TYPE: dict[str, Legal] = {
    "str": TEXT,
    "bool": Flag(),
    "int": Whole(0),
    "float": Range(gt=0),
    "tuple[str, ...]": ListOf(TEXT),
    "tuple[int, ...]": ListOf(Whole(1)),
    "tuple[float, ...]": ListOf(Range(gt=0)),
    "tuple[float, float]": INTERVAL,
    "tuple[Panel, ...]": ListOf(SECTION, 1),
    "tuple[Series, ...]": ListOf(SECTION, 1),
    "Mapping[str, Any]": SECTION,
    "Mapping[str, Scale]": SECTION,
    "Mapping[str, Sequence[Any]]": Grid(),
}
FIGURE: dict[str, Legal] = {
    "kind": Choice(*KINDS),
    "readings": ListOf(
        Choice(*READING_TITLES.values(), *READINGS), 1
    ),  # the latter are older names
    "columns": Whole(1),
}
SERIES: dict[str, Legal] = {"lr": STEPSIZES, "quantity": Choice("last", "average")}


def validate(raw: Any) -> None:
    """Check the content of a figure's file.

    Raises:
        UserError: for the first key or value that is not legal, with what is legal.
    """
    if not SECTION.admits(raw):
        raise UserError(f"must be {SECTION}")
    _check_section(raw, Figure, FIGURE)
    for series in raw["series"]:
        _check_section(series, Series, SERIES, f"{series.get('label', 'a series')}: ")
    _check_unique("series: label", [series["label"] for series in raw["series"]])
    _check_panels(raw)
    _check_scales(raw)
    if raw.get("kind") == "scaling":
        _check_scaling(raw)


def _check_scaling(raw: Mapping[str, Any]) -> None:
    """A figure of kind ``scaling`` has one option on its x axis and a cost that is to be reached."""
    if len(raw.get("search", {})) != 1:
        raise UserError("search: must hold one option, the x of kind=scaling, with its values")
    if not raw.get("targets"):
        raise UserError("targets: missing; kind=scaling counts the steps to the first of them")
    for one in (*raw["panels"], *raw["series"]):
        name = one.get("name", one.get("label"))
        if one.get("search"):
            raise UserError(f"{name}: search: kind=scaling searches lr alone beside its x")
        if "name" in one and (one.get("x"), one.get("quantity")) != ("searched", "step"):
            raise UserError(f"{name}: kind=scaling needs x: searched and quantity: step")


def _check_panels(raw: Mapping[str, Any]) -> None:
    special: dict[str, Legal] = {
        "x": Choice("epoch", "normalised", "lr", "searched"),
        "curves": Choice(*paper_curves.panel_names()),
        "yscale": Choice("linear", "log"),
        "unit": Choice(*(series["label"] for series in raw["series"])),
        "quantity": ColumnName(),
    }
    for panel in raw["panels"]:
        _check_section(panel, Panel, special, f"{panel.get('name', 'a panel')}: ")
        absent = [key for key in ("xzoom", "yzoom") if panel.get(key) is None]
        if len(absent) == 1:
            raise UserError(f"{panel['name']}: {absent[0]}: missing; must be {INTERVAL}")
        _check_references(panel, raw["series"])
    _check_unique("panels: name", [panel["name"] for panel in raw["panels"]])


def _check_scales(raw: Mapping[str, Any]) -> None:
    tasks = sorted({panel.get("task") or raw["task"] for panel in raw["panels"]})
    special: dict[str, Legal] = {
        "epochs": PerTask(Whole(1), tasks),
        "seconds": PerTask(Range(ge=0), tasks),
        "seeds": Whole(1),
    }
    for name, scale in raw["scales"].items():
        check("scales", name, Choice(*SCALES))
        check(f"scales: {name}", scale, SECTION)
        _check_section(scale, Scale, special, f"scales: {name}: ")


def _check_section(
    section: Mapping[str, Any], kind: type, special: Mapping[str, Legal], prefix: str = ""
) -> None:
    """Check keys and values against a dataclass; its defaults say what may be absent, or null."""
    # The file gives a figure its name.
    entries = [entry for entry in fields(kind) if (kind, entry.name) != (Figure, "name")]
    try:
        known(section, [entry.name for entry in entries])
        for entry in entries:
            required = entry.default is MISSING and entry.default_factory is MISSING
            null = entry.default is None and section.get(entry.name) is None
            if required or (entry.name in section and not null):
                field_type = str(entry.type).removesuffix(" | None")
                legal = special[entry.name] if entry.name in special else BY_TYPE[field_type]
                option(section, "", entry.name, legal)
    except UserError as error:
        raise UserError(f"{prefix}{error}") from None


def _check_unique(key: str, values: Sequence[str]) -> None:
    for value, count in Counter(values).items():
        if count > 1:
            raise UserError(f"{key}={value}: is used {count} times; must be unique")


def _check_references(panel: Mapping[str, Any], every: Sequence[Mapping[str, Any]]) -> None:
    """A series' ``reference`` is a line of the paper's panel."""
    if not panel.get("curves"):
        return
    legal = Choice(*sorted(set(paper_curves.points(panel["curves"])["series"])))
    for series in every:
        if series.get("reference") is not None and not legal.admits(series["reference"]):
            raise UserError(
                f"{series['label']}: reference={series['reference']}: "
                f"must be {legal}, the lines of {panel['curves']}"
            )
