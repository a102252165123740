"""The data that every drawing of a figure is made from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import pandas as pd

from adam_repro.figures.spec import READING_TITLES, READING_WORDS, Figure, Panel
from adam_repro.plots import series, style


@dataclass
class Context:
    """A figure, its merged rows, their provenance, and messages on damaged or missing ones."""

    figure: Figure
    rows: pd.DataFrame
    provenance: Mapping[str, Any]
    problems: list[str] = field(default_factory=list)
    _curves: dict[tuple[str, str, str], series.PanelCurves] = field(default_factory=dict)

    @cached_property
    def _scales(self) -> list[str]:
        """The scales of the figure's own series; if it has no rows, of those that a user added."""
        own = self.rows["series"].isin([one.label for one in self.figure.series])
        rows = self.rows[own] if own.any() else self.rows
        return sorted(set(rows["scale"].unique()) & set(self.figure.scales))

    @cached_property
    def scale(self) -> str:
        """The scale of the rows; if they have several, all are listed."""
        return " and ".join(self._scales) or "unknown"

    @cached_property
    def generated(self) -> bool:
        """Whether any row comes from generated data. Such rows are not compared with the paper."""
        return any(self.figure.scales[name].generated for name in self._scales)

    @property
    def is_paper_scale(self) -> bool:
        """Whether all rows are of the paper's own scale, so that its claims can be judged."""
        return self.scale == "paper"

    @cached_property
    def labels(self) -> list[str]:
        return series.legend_order(self.figure, self.rows)

    @cached_property
    def styles(self) -> dict[str, style.SeriesStyle]:
        return style.series_styles(
            self.labels, {one.label: one.style for one in self.figure.series}
        )

    @property
    def longest_panel(self) -> Panel | None:
        """The panel by epoch that shows most epochs; ``None`` in figure 4."""
        panels = [panel for panel in self.figure.panels if panel.x == "epoch"]
        return max(panels, key=lambda panel: panel.xlim[1], default=None)

    def curves(self, reading: str, panel: Panel) -> series.PanelCurves:
        """The curves of a panel in one reading, cached."""
        # Panels of the same trials have the same curves, unless a user added rows to one panel.
        separate = panel.separate or panel.name in set(self.rows["panel"])
        key = (reading, panel.name if separate else "", panel.quantity)
        if key not in self._curves:
            self._curves[key] = series.panel_curves(self.figure, self.rows, reading, panel)
        return self._curves[key]

    def planned_epochs(self, panel: Panel) -> int | None:
        """The epochs of the scale; ``None`` if the rows have several scales or an unknown one."""
        scale = self.figure.scales.get(self.scale)
        return scale.epochs_of(panel.task or self.figure.task) if scale else None

    def title(self, reading: str) -> str:
        """The line above a drawing: the figure's number, and which reading it is."""
        words = f"{READING_TITLES[reading]}: {READING_WORDS[reading]}"
        return f"{self.figure.number}, {words}" if self.figure.number else words.capitalize()

    def footer(self, seeds: str, reading: str | None, missing: list[str]) -> list[str]:
        """The lines at the foot of a drawing: scale, seeds, hardware; then what is missing."""
        title = f"{READING_TITLES[reading]} · " if reading else ""
        lines = [f"{title}scale: {self.scale} · {seeds} · {self._hardware(reading)}"]
        if self.generated:
            lines.append("GENERATED DATA: shows that everything runs, says nothing about the paper")
        elif not self.is_paper_scale:
            lines.append("REDUCED SCALE: not the paper's experiment in full")
        return lines + wrap(missing)

    def _hardware(self, reading: str | None) -> str:
        """The hardware of a reading's trials; of all trials if the provenance does not name them."""
        rows = self.rows if reading is None else series.rows_of_reading(self.rows, reading)
        identities = set(rows["identity"])
        origins = self.provenance.get("origins", [])
        names = {str(one["hardware"]) for one in origins if identities & set(one["trials"])}
        return ", ".join(sorted(names) or self.provenance.get("hardware", {})) or "hardware unknown"


def wrap(
    items: Sequence[str], heading: str = "Missing: ", width: int = 112, max_lines: int = 3
) -> list[str]:
    """What is missing, or else to be told, in a few lines. Page and stderr have the whole list."""
    if not items:
        return []
    lines = [heading]
    for i, item in enumerate(items):
        word = item + ("" if i == len(items) - 1 else "; ")
        if len(lines[-1]) + len(word) > width and lines[-1] != heading:
            if len(lines) == max_lines:
                lines[-1] += f"… and {len(items) - i} more"
                return lines
            lines.append("   ")
        lines[-1] += word
    return lines


def seed_count(numbers: Iterable[int], spread: str = "") -> str:
    """``n = 5 seeds``, from the n of every curve; ``spread`` explains the band if n > 1."""
    counts = sorted(set(numbers))
    if not counts:
        return "no trials"
    n = f"n = {counts[0]}" if len(counts) == 1 else f"n = {counts[0]} to {counts[-1]}"
    return f"{n} seed{'' if counts == [1] else 's'}{'' if counts[-1] == 1 else spread}"
