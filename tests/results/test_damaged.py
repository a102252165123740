"""Damaged merged CSVs: valid rows are drawn, and messages say what is missing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from adam_repro.figures import load
from adam_repro.plots import curves as panels
from adam_repro.plots import style
from adam_repro.report import figure_report, pages, theory
from adam_repro.report.draw import draw
from adam_repro.results import provenance, table
from tests.merged_csvs import cells, curves, grid, put, rows

MNIST = load.load("fig1_mnist")

Damage = Callable[[Path], None]


def gone(path: Path) -> None:
    path.unlink()


def empty(path: Path) -> None:
    path.write_bytes(b"")


def head_alone(path: Path) -> None:
    path.write_text(path.read_text(encoding="utf-8").splitlines(keepends=True)[0], encoding="utf-8")


def cut_in_a_line(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-25])


def half(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def no_text(path: Path) -> None:
    path.write_bytes(bytes(range(256)) * 40)


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def of_something_else(path: Path) -> None:
    path.write_text("name,age\nAda,36\n", encoding="utf-8")


def without_a_column(path: Path) -> None:
    pd.read_csv(path).drop(columns="train_cost").to_csv(path, index=False)


def without_what_extra_may_lack(path: Path) -> None:
    pd.read_csv(path)[[*table.REQUIRED, "seed", "lr", "panel"]].to_csv(path, index=False)


def words_for_numbers(path: Path) -> None:
    found = pd.read_csv(path, dtype=str)
    found.loc[::3, "train_cost"] = "low"
    found.to_csv(path, index=False)


def nothing_for_numbers(path: Path) -> None:
    found = pd.read_csv(path)
    found.loc[::2, "train_cost"] = np.nan
    found.to_csv(path, index=False)


def twice(path: Path) -> None:
    found = pd.read_csv(path)
    pd.concat([found, found]).to_csv(path, index=False)


def of_another_figure(path: Path) -> None:
    pd.read_csv(path).assign(figure="fig3").to_csv(path, index=False)


def of_an_unknown_reading(path: Path) -> None:
    pd.read_csv(path).assign(reading="as-printed").to_csv(path, index=False)


@pytest.fixture(autouse=True)
def _one_coarse_format(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything is drawn, once: what is missing is the same in every format."""

    def save(
        figure: Figure,
        folder: Path,
        name: str,
        formats: tuple[str, ...] = ("png",),
        dpi: int = 160,
    ) -> None:
        figure.savefig(folder / f"{name}.png", dpi=30)
        for kind in formats:
            (folder / f"{name}.{kind}").write_bytes((folder / f"{name}.png").read_bytes())

    monkeypatch.setattr(style, "save", save)


MESSAGES = {
    gone: "is missing",
    empty: "is empty",
    head_alone: "has no rows",
    cut_in_a_line: "1 row is incomplete or not numeric: ignored",
    half: "",  # whatever the half lacks: seeds, series or epochs
    no_text: "csv",
    a_folder: "cannot be read as CSV",
    of_something_else: "lacks the columns",
    without_a_column: "lacks the columns train_cost",
    without_what_extra_may_lack: "lacks the columns reading",
    words_for_numbers: "rows are incomplete or not numeric: ignored",
    nothing_for_numbers: "rows are incomplete or not numeric: ignored",
    twice: "duplicate rows; the last of each is used",
    of_another_figure: "rows of another figure are ignored",
    of_an_unknown_reading: "rows with an unknown reading (as-printed) are ignored; legal: ",
}


def whole(name: str) -> pd.DataFrame:
    if name == "fig4":
        return cells(seeds=1)
    return pd.concat([curves(name, seeds=2), grid(name, 5)])


CASES = [("fig1_mnist", damage) for damage in MESSAGES]
CASES += [("fig4", damage) for damage in (gone, cut_in_a_line, half, nothing_for_numbers, twice)]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "damage"), CASES)
def test_a_damaged_csv_is_drawn_and_reported(
    name: str, damage: Damage, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(folder, name, whole(name))
    damage(folder / f"{name}.csv")
    draw([name], folder)
    err = capsys.readouterr().err
    assert MESSAGES[damage] in err
    assert all(line.startswith(f"{name}: ") for line in err.splitlines())
    page = (folder / "index.html").read_text(encoding="utf-8")
    for line in err.splitlines():
        assert line.removeprefix(f"{name}: ").split("<")[0][:40] in page
    assert (folder / f"{name}_fitted.png").read_bytes().startswith(b"\x89PNG")


def test_the_drawing_itself_says_what_is_missing(folder: Path) -> None:
    found = curves("fig1_mnist", seeds=2)
    put(folder, "fig1_mnist", found[found["series"] != "AdaGrad"])
    drawing, _ = panels.draw(figure_report.load_context("fig1_mnist", folder), "as_printed")
    assert any("Missing: AdaGrad: no data" in text.get_text() for text in drawing.texts)


@pytest.mark.slow
def test_a_reading_that_was_not_trained_is_not_drawn(folder: Path) -> None:
    found = curves("fig1_mnist", seeds=2)
    put(folder, "fig1_mnist", found)
    figure_report.make_report("fig1_mnist", folder)
    assert (folder / "fig1_mnist_tuned.png").exists()
    put(folder, "fig1_mnist", found[found["reading"] == "as_printed"])
    report = figure_report.make_report("fig1_mnist", folder)
    assert report.warnings == ["tuned: not trained"]
    assert not list(folder.glob("fig1_mnist_tuned.*"))
    names = [name for name, _ in report.drawings]
    assert names[0] == "fig1_mnist_fitted"
    assert "fig1_mnist_time" in names
    assert all((folder / f"{name}.png").exists() for name in names)


@pytest.mark.slow
def test_what_is_not_there_is_in_no_table(folder: Path) -> None:
    """Half a CSV: no number on the page is of a series or an epoch that the half lacks."""
    found = curves("fig1_mnist", seeds=2)
    kept = found[(found["series"] == "Adam") & (found["epoch"] < 20)]
    put(folder, "fig1_mnist", kept)
    report = figure_report.make_report("fig1_mnist", folder)
    assert {one.series for one in report.differences} == {"Adam"}
    assert {one.covered for one in report.differences} == {(0.0, 19.0)}
    assert report.ranks == []
    assert {one.label for _, one in report.times_to_target} == {"Adam"}
    assert all(not one.epochs > 20 for _, one in report.times_to_target)
    assert "Adam: 20 of 46 epochs" in report.warnings


@pytest.mark.parametrize(
    "text",
    [b"", b"\xff\xfe\x00", b"- a\n- list", b"{unclosed", b"series: 3", b"hardware: [a]",
     b"series: [{series: Adam}]", b"versions: {torch: 2.7}"],
)  # fmt: skip
def test_a_damaged_provenance_is_reported(text: bytes, folder: Path) -> None:
    (folder / "fig1_mnist.provenance.yaml").write_bytes(text)
    problems: list[str] = []
    assert provenance.read(folder, "fig1_mnist", problems) == {}
    assert len(problems) == 1
    assert problems[0].endswith("hardware, versions and settings are not known")


@pytest.mark.slow
def test_a_figure_without_provenance_says_so(folder: Path) -> None:
    put(folder, "fig1_mnist", curves("fig1_mnist", seeds=1))
    (folder / "fig1_mnist.provenance.yaml").write_text("series: [{series: Adam}]")
    draw(["fig1_mnist"], folder)
    assert "Hardware, versions and settings are not known." in (folder / "index.html").read_text(
        encoding="utf-8"
    )


@pytest.mark.parametrize("damage", [empty, no_text, of_something_else, head_alone])
@pytest.mark.parametrize("csv", ["theory_regret", "theory_counterexample", "theory_demonstrations"])
def test_damaged_csvs_of_theory_are_reported(csv: str, damage: Damage, folder: Path) -> None:
    path = folder / f"{csv}.csv"
    path.write_text("place,method,step\nsparse,adam,1\nsparse,adam,2\n")
    damage(path)
    section = theory.load(folder)
    assert section is not None
    assert section.warning.startswith("theory: its CSVs are damaged")
    pages.write([], [], section, folder)
    for name in ("index.html", "README.md"):
        assert "theory: its CSVs are damaged" in (folder / name).read_text()


@pytest.mark.slow
def test_the_figures_do_not_wait_for_theory(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(folder, "fig1_mnist", curves("fig1_mnist", seeds=1))
    (folder / "theory_regret.csv").write_text("place\n")
    draw(["fig1_mnist"], folder)
    assert "theory: its CSVs are damaged" in capsys.readouterr().err
    assert 'id="fig1_mnist"' in (folder / "index.html").read_text(encoding="utf-8")


class TestExtra:
    """A CSV of a user's own beside the figures."""

    @pytest.fixture
    def extra(self, folder: Path) -> Path:
        put(folder, "fig1_mnist", curves("fig1_mnist", seeds=2))
        (folder / "extra").mkdir()
        return folder / "extra"

    @pytest.mark.slow
    def test_four_columns_are_enough(self, extra: Path, folder: Path) -> None:
        lines = [f"fig1_mnist,Mine,{epoch},{1 / (epoch + 1)}" for epoch in range(46)]
        (extra / "mine.csv").write_text("\n".join(["figure,series,epoch,train_cost", *lines]))
        report = figure_report.make_report("fig1_mnist", folder)
        assert report.warnings == []
        for reading in MNIST.readings:
            curve = report.context.curves(reading, MNIST.panels[0]).curve("Mine")
            assert curve is not None
            assert curve.mean[:3] == pytest.approx([1, 1 / 2, 1 / 3])
        look = report.context.styles
        assert len(set(look.values())) == 4

    def test_the_rows_a_run_leaves_are_enough(self, extra: Path, folder: Path) -> None:
        """metrics.csv with two columns in front, as the README does it."""
        text = "epoch,step,examples,train_cost,train_error,eval_train_cost,test_cost\n"
        text += "0,390,50000,0.71,0.1,,0.4\n1,780,100000,0.38,0.1,,0.3\n"
        first, *rest = text.splitlines()
        lines = [f"figure,series,{first}", *(f"fig1_mnist,Mine,{line}" for line in rest)]
        (extra / "mine.csv").write_text("\n".join(lines))
        context = figure_report.load_context("fig1_mnist", folder)
        curve = context.curves("as_printed", MNIST.panels[0]).curve("Mine")
        assert curve is not None
        assert list(curve.mean) == [0.71, 0.38]

    def test_a_label_that_is_taken_overrides_nothing(self, extra: Path, folder: Path) -> None:
        before = table.read(folder, "fig1_mnist").rows
        rows(MNIST, "", "Adam", 0, range(46), np.full(46, 0.01)).to_csv(extra / "me.csv")
        merged = table.read(folder, "fig1_mnist")
        assert merged.rows[merged.rows["series"] == "Adam"].equals(
            before[before["series"] == "Adam"]
        )
        assert len(merged.rows[merged.rows["series"] == "Adam (me)"]) == 46
        assert merged.problems == ["extra/me.csv: Adam is a series already; drawn as Adam (me)"]

    @pytest.mark.parametrize("scale", ["smoke", "short"])
    def test_an_added_line_of_another_scale_changes_not_the_figures(
        self, scale: str, extra: Path, folder: Path
    ) -> None:
        mine = rows(MNIST, "", "Mine", 0, range(46), np.ones(46), scale=scale)
        mine.to_csv(extra / "mine.csv", index=False)
        context = figure_report.load_context("fig1_mnist", folder)
        assert (context.scale, context.is_paper_scale, context.generated) == ("paper", True, False)
        assert context.problems == [
            f"extra/mine.csv: has rows of scale {scale}; the figure is at scale paper"
        ]

    def test_added_lines_alone_have_their_own_scale(self, extra: Path, folder: Path) -> None:
        (folder / "fig1_mnist.csv").unlink()
        mine = rows(MNIST, "", "Mine", 0, range(46), np.ones(46), scale="smoke")
        mine.to_csv(extra / "mine.csv", index=False)
        context = figure_report.load_context("fig1_mnist", folder)
        assert (context.scale, context.generated) == ("smoke", True)

    @pytest.mark.parametrize("value", ["true", "TRUE", "True"])
    def test_selected_in_any_spelling(self, value: str, extra: Path, folder: Path) -> None:
        mine = rows(MNIST, "", "Mine", 0, range(46), np.ones(46)).astype({"selected": object})
        mine.assign(selected=value).to_csv(extra / "mine.csv", index=False)
        assert table.read(folder, "fig1_mnist").problems == []

    @pytest.mark.slow
    def test_a_misspelt_figure_is_reported(
        self, extra: Path, folder: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (extra / "mine.csv").write_text("figure,series,epoch,train_cost\nfig1,Mine,0,1\n")
        draw(["fig1_mnist"], folder)
        err = capsys.readouterr().err
        meant = "(did you mean fig1_mnist or fig1_imdb?); legal: fig1_mnist, fig1_imdb"
        assert f"extra/mine.csv: unknown figure 'fig1' {meant}" in err

    def test_a_misspelt_panel_is_reported(self, extra: Path, folder: Path) -> None:
        mine = rows(MNIST, "", "Mine", 0, [0], [1.0], panel="middle")
        mine.to_csv(extra / "mine.csv", index=False)
        assert table.read(folder, "fig1_mnist").problems == [
            "extra/mine.csv: 1 row with an unknown panel (middle) is ignored; legal: left"
        ]

    @pytest.mark.slow
    @pytest.mark.parametrize("damage", [empty, no_text, of_something_else, cut_in_a_line])
    def test_a_damaged_one_leaves_the_others(
        self, damage: Damage, extra: Path, folder: Path
    ) -> None:
        for name in ("good", "bad"):
            mine = rows(MNIST, "", name, 0, range(46), np.ones(46))
            mine.to_csv(extra / f"{name}.csv", index=False)
        damage(extra / "bad.csv")
        report = figure_report.make_report("fig1_mnist", folder)
        assert report.context.curves("as_printed", MNIST.panels[0]).curve("good") is not None
        assert any("extra/bad.csv" in told for told in report.warnings)
