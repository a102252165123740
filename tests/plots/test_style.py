"""The same drawing on every machine."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from matplotlib.font_manager import findfont, fontManager
from PIL import Image

from adam_repro.plots import style


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A machine that has a DejaVu Sans of its own, which Matplotlib would take."""
    own = Path(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf")
    there = tmp_path / own.name
    there.write_bytes(own.read_bytes())
    monkeypatch.setattr(fontManager, "ttflist", [])
    fontManager.addfont(there)
    entries = [replace(one, weight=weight) for one in fontManager.ttflist for weight in (400, 700)]
    monkeypatch.setattr(fontManager, "ttflist", entries)
    style._use_bundled_font.cache_clear()
    assert findfont(style.FONT) == str(there)
    yield str(there)
    style._use_bundled_font.cache_clear()


@pytest.mark.parametrize("weight", ["normal", "bold"])
@style.own_settings()
def test_the_font_is_the_one_that_matplotlib_brings(elsewhere: str, weight: str) -> None:
    style.new_drawing(2.0)
    found = findfont(f"{style.FONT}:{weight}")
    assert found != elsewhere
    assert Path(found).is_relative_to(matplotlib.get_data_path())


@style.own_settings()
def test_every_series_keeps_its_colour_in_a_png(tmp_path: Path) -> None:
    """Thin lines under bands of all series: a palette of 48 means mixes some with others."""
    count = len(style.PALETTE)
    figure = style.new_drawing(2.0)
    axes = figure.subplots()
    x = np.linspace(0, 1, 50)
    for i in range(count):
        one = style.series_style(i)
        y = np.sin(5 * x + i)
        style.fill_band(axes, x, (y - 0.7, y + 0.7), one)
        style.plot_ours(axes, x, y, one)
    figure.text(0.5, 0.5, "grey", color=style.FAINT, fontsize=30)
    drawn = io.BytesIO()
    style.set_canvas(figure, "png")
    figure.savefig(drawn, dpi=style.DPI)
    with Image.open(drawn) as image:
        few = image.convert("RGB").quantize(style.COLORS, dither=Image.Dither.NONE)
    colors = [style._rgb(style.series_style(i).color) for i in range(count)]
    assert not all(style._holds(few.getpalette() or [], color) for color in colors)
    style.save(figure, tmp_path, "bands", ("png",))
    with Image.open(tmp_path / "bands.png") as image:
        pixels = np.asarray(image.convert("RGB")).astype(int)
    for color in colors:
        assert (np.abs(pixels - color).max(axis=2) <= style.NEAR).sum() > 20
    assert (pixels == style._rgb(style.FAINT)).all(axis=2).sum() > 20
