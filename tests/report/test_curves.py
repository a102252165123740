"""The axes of a figure's drawing."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from adam_repro.report import figures, work
from adam_repro.report.panels import curves
from tests.report.conftest import put, rows


@pytest.mark.parametrize(("epochs", "right"), [(26, 25.0), (201, 200.0), (1, 1.0)])
def test_a_panel_that_the_paper_has_not_ends_where_ours_does(
    epochs: int, right: float, tmp_path: Path
) -> None:
    figure = figures.load("averaging")
    part = rows(figure, "as_printed", "last iterate", 0, range(epochs), 0.1, scale="short")
    put(tmp_path, "averaging", pd.concat([part.assign(panel=p.name) for p in figure.panels]))
    drawing, _ = curves.draw(work.context("averaging", tmp_path), "as_printed")
    _, mlp = drawing.axes[:2]
    assert mlp.get_xlim() == (0.0, right)


def test_a_panel_of_the_papers_has_its_axes_however_short_ours_is(tmp_path: Path) -> None:
    figure = figures.load("fig2a")
    put(tmp_path, "fig2a", rows(figure, "as_printed", "Adam", 0, range(26), 0.1, scale="short"))
    drawing, _ = curves.draw(work.context("fig2a", tmp_path), "as_printed")
    assert drawing.axes[0].get_xlim() == (0.0, 200.0)
