"""Matplotlib is also the user's: no setting of theirs reaches a drawing of ours, and none is changed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import matplotlib
import pandas as pd
import pytest
import yaml
from matplotlib import backend_bases
from matplotlib.figure import Figure

from adam_repro.figures import load
from adam_repro.files import PACKAGE
from adam_repro.plots import curves, style
from adam_repro.plots import trial as trial_plot
from adam_repro.report import figure_report
from tests.helpers import Compose
from tests.merged_csvs import curves as made
from tests.merged_csvs import put

#: Settings of a user, of every part of a drawing: text, ticks, legend, size, colours, saving, paths.
THEIRS = {
    "text.usetex": True,
    "figure.facecolor": "black",
    "savefig.facecolor": "black",
    "savefig.dpi": 31,
    "savefig.bbox": "tight",
    "savefig.transparent": True,
    "axes.facecolor": "navy",
    "axes.prop_cycle": matplotlib.cycler(color=["red", "yellow"]),
    "axes.unicode_minus": False,
    "axes.formatter.use_locale": True,
    "axes.grid": True,
    "axes.xmargin": 0.4,
    "text.color": "white",
    "text.hinting": "none",
    "text.antialiased": False,
    "lines.linestyle": "-.",
    "lines.solid_capstyle": "butt",
    "legend.shadow": True,
    "legend.numpoints": 3,
    "xtick.direction": "in",
    "ytick.minor.visible": True,
    "xtick.labelcolor": "white",
    "path.sketch": (2.0, 50.0, 2.0),
    "path.simplify_threshold": 0.9,
    "figure.autolayout": True,
    "svg.hashsalt": "mine",
    "svg.fonttype": "none",
    "pdf.fonttype": 42,
    "pdf.compression": 0,
    "font.family": ["monospace"],
    "mathtext.fontset": "stix",
}


def draw_series(label: str, folder: Path) -> dict[str, bytes]:
    """Figure 1 with one more series: every file of it."""
    figure = load.load("fig1_mnist")
    put(folder, "fig1_mnist", made("fig1_mnist", seeds=2))
    extra = folder / "extra"
    extra.mkdir(exist_ok=True)
    rows = {"figure": "fig1_mnist", "series": label, "epoch": range(3), "train_cost": 0.3}
    pd.DataFrame(rows).to_csv(extra / "mine.csv", index=False)
    context = figure_report.load_context("fig1_mnist", folder)
    drawing, _ = curves.draw(context, figure.readings[0])
    style.save(drawing, folder, "drawn")
    return {kind: (folder / f"drawn.{kind}").read_bytes() for kind in style.FORMATS}


def finished_trial(trial: Compose, folder: Path, name: str = "logreg") -> Path:
    settings = dict(trial("task=logreg").settings)
    settings["task"] = {**settings["task"], "name": name}
    record = {"status": "finished", "config": settings, "provenance": {"hardware": "a test"}}
    folder.mkdir(exist_ok=True)
    (folder / "trial.yaml").write_text(yaml.safe_dump(record), encoding="utf-8")
    rows = {"epoch": range(3), "train_cost": [90.0, 1.0, 0.3], "test_cost": 0.4}
    pd.DataFrame(rows).to_csv(folder / "metrics.csv", index=False)
    pd.DataFrame({"epoch": range(3), "seconds": 1.0}).to_csv(folder / "timing.csv", index=False)
    return folder


@pytest.mark.slow
def test_their_settings_do_not_reach_a_figure(folder: Path) -> None:
    plain = draw_series("Mine", folder)
    with matplotlib.rc_context(THEIRS):
        before = dict(matplotlib.rcParams)
        assert draw_series("Mine", folder) == plain
        assert dict(matplotlib.rcParams) == before


def test_their_settings_do_not_reach_a_curve(trial: Compose, tmp_path: Path) -> None:
    place = finished_trial(trial, tmp_path / "one")
    plain = trial_plot.draw(place).read_bytes()
    with matplotlib.rc_context(THEIRS):
        assert trial_plot.draw(place).read_bytes() == plain


def test_a_canvas_of_theirs_is_not_taken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    theirs = {kind: "no.such.module" for kind in style.FORMATS}
    monkeypatch.setattr(backend_bases, "_default_backends", theirs)
    with style.own_settings():
        figure = Figure(figsize=(1, 1))
    style.save(figure, tmp_path, "one")
    assert len(list(tmp_path.iterdir())) == len(style.FORMATS)


@pytest.mark.slow
@pytest.mark.parametrize(
    "label",
    ["$5 and $6", r"a $b_{ c$ d", r"$\frac{1$", r"\$ and \$", "$$", r"\textbf{x} 100 %_#&",
     "_hidden", "a^2_b", "<b>&amp;", "{braces} $", "Größe 结果 🙂"],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:Glyph .* missing from font")
def test_a_label_is_drawn_as_it_is_written(
    label: str, folder: Path, trial: Compose, tmp_path: Path
) -> None:
    files = draw_series(label, folder)
    assert files["svg"] != draw_series("Mine", folder)["svg"]
    context = figure_report.load_context("fig1_mnist", folder)
    drawing, _ = curves.draw(context, "as_printed")
    shown = [text.get_text() for text in drawing.legends[0].get_texts()]
    assert "Mine" in shown
    with style.own_settings():
        text = Figure().text(0, 0, label)
    assert text._preprocess_math(label)[1] is False
    place = finished_trial(trial, tmp_path / "trial", label)
    assert trial_plot.draw(place).read_bytes().startswith(b"\x89PNG")


def test_any_number_of_series_has_styles() -> None:
    labels = [f"series {i}" for i in range(250)]
    styles = style.series_styles(labels, {"series 0": 2})
    assert set(styles) == set(labels)
    assert styles["series 0"] == style.series_style(2)
    first = [styles[f"series {i}"] for i in range(10)]
    assert len(set(first)) == 10


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MPLBACKEND", "module://matplotlib_inline.backend_inline"),
        ("MPLBACKEND", "module://no_such_module"),
        ("MPLBACKEND", "nonsense"),
        ("MPLBACKEND", "TkAgg"),
        ("MATPLOTLIBRC", "a file of theirs"),
        ("MPLCONFIGDIR", "/proc/nowhere"),
    ],
)
def test_the_environment_does_not_keep_matplotlib_from_being_imported(
    name: str, value: str, tmp_path: Path
) -> None:
    if name == "MATPLOTLIBRC":
        value = str(tmp_path / "matplotlibrc")
        Path(value).write_bytes(b"text.usetex: True\nfont.family: \xff\xfe\n")
    code = (
        "import os; from adam_repro.plots import style\n"
        f"assert {name!r} == 'MPLCONFIGDIR' or os.environ[{name!r}] == {value!r}\n"
        "with style.own_settings(): figure = style.new_drawing(1.0)\n"
        "figure.text(0, 0, 'text'); from pathlib import Path\n"
        f"style.save(figure, Path({str(tmp_path)!r}), 'one')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(PACKAGE.parent), name: value},
        capture_output=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "one.png").read_bytes().startswith(b"\x89PNG")


def test_a_drawing_outside_our_settings_is_refused() -> None:
    with pytest.raises(RuntimeError, match="own_settings"):
        style.new_drawing(2.0)
    with style.own_settings():
        style.new_drawing(2.0)
    with pytest.raises(RuntimeError, match="own_settings"):
        style.new_drawing(2.0)
