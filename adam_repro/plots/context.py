"""What every drawing of a figure needs to know."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import pandas as pd

from adam_repro.figures.spec import READING_TITLES, Figure, Panel
from adam_repro.plots import series, style


@dataclass
class Context:
    """A figure, its merged rows, where they come from, and what is wrong with them."""

    figure: Figure
    rows: pd.DataFrame
    provenance: Mapping[str, Any]
    problems: list[str] = field(default_factory=list)
    _lines: dict[tuple[str, str, str], series.Lines] = field(default_factory=dict)

    @cached_property
    def _scales(self) -> list[str]:
        """The scales of the figure's own series, or of what a user has added where that is all."""
        own = self.rows["series"].isin([one.label for one in self.figure.series])
        rows = self.rows[own] if own.any() else self.rows
        return sorted(set(rows["scale"].unique()) & set(self.figure.scales))

    @cached_property
    def scale(self) -> str:
        """The scale of the rows; several are named, since none of them speaks for all."""
        return " and ".join(self._scales) or "unknown"

    @cached_property
    def generated(self) -> bool:
        """Whether any row comes from generated data, which nothing of the paper's is comparable to."""
        return any(self.figure.scales[name].generated for name in self._scales)

    @property
    def complete(self) -> bool:
        """Whether this is the paper's own scale, so that its numbers may be held against the paper's."""
        return self.scale == "paper"

    @cached_property
    def labels(self) -> list[str]:
        return series.order(self.figure, self.rows)

    @cached_property
    def looks(self) -> dict[str, style.Look]:
        return style.looks(self.labels, {one.label: one.style for one in self.figure.series})

    @property
    def longest(self) -> Panel | None:
        """The panel by epoch that shows most of them; ``None`` in figure 4."""
        panels = [panel for panel in self.figure.panels if panel.x == "epoch"]
        return max(panels, key=lambda panel: panel.xlim[1], default=None)

    def lines(self, reading: str, panel: Panel) -> series.Lines:
        """The curves of a panel in one reading, reckoned once."""
        # Panels that share their trials share their curves too, but for rows a user added to one alone.
        apart = bool(panel.task) or panel.name in set(self.rows["panel"])
        key = (reading, panel.name if apart else "", panel.quantity)
        if key not in self._lines:
            self._lines[key] = series.lines(self.figure, self.rows, reading, panel)
        return self._lines[key]

    def epochs(self, panel: Panel) -> int | None:
        """How many epochs the scale asks for."""
        scale = self.figure.scales.get(self.scale)
        return scale.epochs_of(panel.task or self.figure.task) if scale else None

    def footer(self, seeds: str, reading: str | None, told: list[str]) -> list[str]:
        """The lines at the foot of a drawing: scale, seeds, hardware; then what is missing."""
        title = f"{READING_TITLES[reading]} · " if reading else ""
        lines = [f"{title}scale: {self.scale} · {seeds} · {self._hardware(reading)}"]
        if self.generated:
            lines.append("GENERATED DATA: shows that everything runs, says nothing about the paper")
        elif not self.complete:
            lines.append("REDUCED SCALE: not the paper's experiment in full")
        return lines + wrapped(told)

    def _hardware(self, reading: str | None) -> str:
        """What the trials of a reading were trained on, or all where none says which it trained."""
        mine = self.rows if reading is None else series.of_reading(self.rows, reading)
        there = set(mine["identity"])
        origins = self.provenance.get("origins", [])
        names = {str(one["hardware"]) for one in origins if there & set(one["trials"])}
        return ", ".join(sorted(names) or self.provenance.get("hardware", {})) or "hardware unknown"


def wrapped(told: list[str], width: int = 112, most: int = 3) -> list[str]:
    """What is missing, in a few lines; the whole list stands on the page and on stderr."""
    if not told:
        return []
    lines = ["Missing: "]
    for i, item in enumerate(told):
        word = item + ("" if i == len(told) - 1 else "; ")
        if len(lines[-1]) + len(word) > width and lines[-1] != "Missing: ":
            if len(lines) == most:
                lines[-1] += f"… and {len(told) - i} more"
                return lines
            lines.append("   ")
        lines[-1] += word
    return lines


def counted(numbers: Iterable[int], spread: str = "") -> str:
    """How many seeds the lines of a drawing have, and what shows their spread where there are several."""
    found = sorted(set(numbers))
    if not found:
        return "no trials"
    n = f"n = {found[0]}" if len(found) == 1 else f"n = {found[0]} to {found[-1]}"
    return f"{n} seed{'' if found == [1] else 's'}{'' if found[-1] == 1 else spread}"
