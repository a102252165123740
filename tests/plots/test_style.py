"""The same drawing on every machine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import matplotlib
import pytest
from matplotlib.font_manager import findfont, fontManager

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
