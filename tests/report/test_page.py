"""The page: complete without other files, and a person's text is never taken for HTML."""

from __future__ import annotations

import itertools
import re
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest
import yaml

from adam_repro.claims import judge
from adam_repro.claims.model import Source
from adam_repro.figures import load
from adam_repro.report import embed, tables
from adam_repro.report.draw import draw
from tests.merged_csvs import cells, curves, grid, put, rows

VOID = {"meta", "br", "img", "hr", "link", "input"}


class Page(HTMLParser):
    """The elements still open, the addresses that are loaded or linked to, the ids, the text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.addresses: list[str] = []
        self.ids: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)
        self.tags.append((tag, dict(attrs)))
        for key, value in attrs:
            if key in ("src", "href"):
                self.addresses.append(str(value))
            if key == "id":
                self.ids.append(str(value))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def settings(reading: str) -> dict:
    return {
        **{"series": "Adam", "reading": reading, "panel": "", "seeds": 5},
        "settings": {"optimizer.lr": 0.001, "task.l2": 1e-4, "batch_size": 128},
        "inferred": ["task.l2"],
        "searched": ["optimizer.lr"],
        "grid": {"optimizer.lr": [0.001, 0.01]},
        "command": "adam-repro run task=logreg optimizer=adam",
    }


@pytest.fixture
def drawn(folder: Path) -> Path:
    found = pd.concat([curves("fig1_mnist", seeds=5), grid("fig1_mnist", 5)])
    put(folder, "fig1_mnist", found)
    record = {
        "hardware": {"an abacus": 12},
        "versions": {"torch": ["2.7"]},
        "commits": ["0123456789abcdef+"],
        "dates": ["2026-01-02", "2026-01-03"],
        "trials": 12,
        "series": [settings("as_printed"), settings("dense_grid")],
    }
    (folder / "fig1_mnist.provenance.yaml").write_text(yaml.safe_dump(record))
    draw(["fig1_mnist"], folder)
    return folder


@pytest.mark.slow
def test_the_page_is_well_formed_and_loads_nothing(drawn: Path) -> None:
    """Beside the page lie the CSVs that it links to; it needs none of them."""
    text = (drawn / "index.html").read_text()
    page = Page(text)
    assert page.open == []
    assert len(set(page.ids)) == len(page.ids)
    for tag, attributes in page.tags:
        if "src" in attributes:
            assert str(attributes["src"]).startswith("data:"), tag
    for address in page.addresses:
        if address.startswith("#"):
            assert address[1:] in page.ids
        elif not address.startswith("data:"):
            assert address.endswith(".csv"), address
    assert "@import" not in text
    assert "<script" not in text


@pytest.mark.slow
def test_the_page_can_be_read_by_everyone(drawn: Path) -> None:
    """Headings in order, one main part, tables with captions and columns, images with words."""
    text = (drawn / "index.html").read_text()
    page = Page(text)
    names = [tag for tag, _ in page.tags]
    levels = [int(name[1]) for name in names if name in ("h1", "h2", "h3", "h4", "h5", "h6")]
    assert levels[0] == 1
    assert levels.count(1) == names.count("main") == names.count("nav") == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    assert names.count("table") == names.count("caption") > 3
    assert all(one.get("scope") == "col" for tag, one in page.tags if tag == "th")
    assert all(one.get("alt") for tag, one in page.tags if tag == "img")
    assert not [one for tag, one in page.tags if tag == "details" and "open" in one]
    for words in ("prefers-color-scheme: dark", "@media print", "size: A4", "details-content"):
        assert words in text


@pytest.mark.slow
def test_the_first_screen_has_verdicts_and_a_picture(drawn: Path) -> None:
    (drawn / "overview.md").write_text("- One sentence.\n")
    draw(["fig1_mnist"], drawn)
    text = (drawn / "index.html").read_text()
    first = text[text.index("<main>") : text.index("<h2>")]
    assert "One sentence." in first
    assert first.count("<img") == 1
    counts = [int(n) for n in re.findall(r">(\d+) (?:supported|contradicted|undecided)<", first)]
    assert sum(counts) == text.count('<tr id="')


@pytest.mark.slow
def test_only_claims_whose_figures_are_there_are_shown(drawn: Path) -> None:
    text = (drawn / "index.html").read_text()
    page = Page(text)
    every = {one.id: {piece.figure for piece in one.evidence} for one in judge.load()}
    wanted = {name for name, figures in every.items() if "fig1_mnist" in figures}
    drawings = {  # of the paper itself: they are there on every page
        one.id
        for one in judge.load()
        if any(piece.measure.source is Source.PAPER for piece in one.evidence)
    }
    assert wanted | drawings < set(every)
    shown = {one["id"] for tag, one in page.tags if tag == "tr" and "id" in one}
    assert shown == wanted | drawings
    for name in wanted:
        row = text.split(f'<tr id="{name}">')[1].split("</tr>")[0]
        assert 'href="#fig1_mnist"' in row
        assert 'href="fig1_mnist.csv"' in row
        assert f'href="#{name}"' in row


def test_no_claim_leans_on_the_one_before() -> None:
    """A row is read alone: by its link, or beside others of its verdict."""
    for one in judge.load():
        assert not re.match(r"(The same|That|This|It|Those|These)\b", one.claim), one.claim


@pytest.mark.slow
def test_what_was_not_asked_for_is_not_spoken_of(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(folder, "fig1_mnist", pd.concat([curves("fig1_mnist", seeds=5), grid("fig1_mnist", 5)]))
    put(folder, "fig2a", curves("fig2a", seeds=1).query("series == 'Adam'"))
    draw(["fig2a"], folder)
    assert "fig2a: " in capsys.readouterr().err
    draw(["fig1_mnist"], folder)
    assert "fig2a" not in capsys.readouterr().err


@pytest.mark.slow
def test_the_page_shows_every_part(drawn: Path) -> None:
    page = Page((drawn / "index.html").read_text())
    assert page.text.count("Settings of every series") == 1
    assert len([a for a in page.addresses if a.startswith("data:image/svg")]) == 2  # readings
    assert len([a for a in page.addresses if a.startswith("data:image/webp")]) == 4
    for text in (
        "Beside the paper's curves",
        "Rank order at the last x that both have",
        "Passes and seconds until a cost is reached",
        "On MNIST logistic regression Adam converges faster than AdaGrad.",
        "task.l2 = 0.0001 †",
        "optimizer.lr = 0.001 ‡",
        "batch_size = 128 ",
        "Grid: optimizer.lr: 0.001, 0.01",
        "an abacus (12 trials)",
        "torch 2.7",
        "0123456789abc",
        "2026-01-02 to 2026-01-03",
    ):
        assert text in page.text, text


@pytest.mark.slow
def test_the_summary_shows_every_drawing_there_is(drawn: Path) -> None:
    text = (drawn / "README.md").read_text()
    for name in ("fig1_mnist_fitted.png", "fig1_mnist_tuned.png"):
        assert f"]({name})" in text
        assert (drawn / name).is_file()
    assert "The claims of the paper" in text
    assert "Beside the paper's curves" in text


@pytest.mark.slow
def test_text_from_a_csv_is_escaped(folder: Path) -> None:
    put(folder, "fig1_mnist", curves("fig1_mnist", seeds=1))
    (folder / "extra").mkdir()
    mine = rows(load.load("fig1_mnist"), "", "<b>mine</b> & | more", 0, range(5), [2.0, 1, 1, 1, 1])
    mine.to_csv(folder / "extra" / "mine.csv", index=False)
    draw(["fig1_mnist"], folder)
    page = Page((folder / "index.html").read_text())
    assert page.open == []
    assert "<b>mine</b> & | more" in page.text
    assert "\\| more" in (folder / "README.md").read_text()


@pytest.mark.slow
def test_a_discussion_is_shown_with_its_figure(folder: Path) -> None:
    put(folder, "fig1_mnist", curves("fig1_mnist", seeds=1))
    put(folder, "fig2a", curves("fig2a", seeds=1))
    text = "AdaGrad's *best* is <i>1 & 2</i>; see `lr`.\n\nAnd [a table](../search/mlp.csv)."
    (folder / "fig2a.md").write_text(text)
    draw(["fig1_mnist", "fig2a"], folder)
    page = Page((folder / "index.html").read_text())
    assert page.open == []
    assert "AdaGrad's best is <i>1 & 2</i>; see lr." in page.text
    assert "../search/mlp.csv" in page.addresses
    assert page.text.index("AdaGrad's best is") > page.text.rindex("Figure 2a: ")
    summary = (folder / "README.md").read_text()
    assert summary.count(text) == 1
    assert summary.index("## Figure 2a") < summary.index(text)


@pytest.mark.slow
def test_a_discussion_loads_no_images(folder: Path) -> None:
    put(folder, "fig1_mnist", curves("fig1_mnist", seeds=1))
    (folder / "fig1_mnist.md").write_text("![a picture](https://example.org/a.png)")
    draw(["fig1_mnist"], folder)
    assert 'src="https' not in (folder / "index.html").read_text()


@pytest.mark.slow
def test_an_unreadable_discussion_gives_a_warning(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(folder, "fig1_mnist", curves("fig1_mnist", seeds=1))
    (folder / "fig1_mnist.md").write_bytes(b"caf\xe9")
    draw(["fig1_mnist"], folder)
    assert "fig1_mnist.md cannot be read (UnicodeDecodeError)" in capsys.readouterr().err
    assert "fig1_mnist.md cannot be read" in (folder / "README.md").read_text()


@pytest.mark.slow
def test_generated_data_are_not_compared_with_the_paper(folder: Path) -> None:
    put(folder, "fig1_mnist", curves("fig1_mnist", seeds=5, scale="smoke"))
    put(folder, "fig4", cells(seeds=1).assign(scale="smoke"))
    draw(["fig1_mnist", "fig4"], folder)
    page = Page((folder / "index.html").read_text())
    assert page.text.count("says nothing about the paper") >= 2
    for text in ("Beside the paper's", "Rank order", "until a cost is reached", "✓ supported"):
        assert text not in page.text


@pytest.mark.slow
def test_the_largest_drawings_are_pngs_if_the_page_would_exceed_its_limit(
    monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    def draw_within(limit: int) -> tuple[int, list[str]]:
        monkeypatch.setattr(embed, "LIMIT", limit)
        draw(["fig1_mnist", "fig4"], folder)
        text = (folder / "index.html").read_text()
        addresses = [a for a in Page(text).addresses if a.startswith("data:image")]
        return len(text.encode()), [a.split(";")[0].split(",")[0][11:] for a in addresses]

    put(folder, "fig1_mnist", curves("fig1_mnist", seeds=1))
    put(folder, "fig4", cells(seeds=1))
    full, forms = draw_within(2 << 20)
    assert (forms[1], forms[-1]) == ("svg+xml", "svg+xml")  # the first screen's picture is webp
    less, forms = draw_within(full)
    assert less < full
    assert (forms[1], forms[-1]) == ("svg+xml", "webp")  # figure 4's is the longest
    least, forms = draw_within(0)
    assert least < less
    assert set(forms) == {"webp"}


@pytest.mark.slow
def test_what_exceeds_the_page_s_limit_is_a_file_beside_it(
    monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    put(folder, "fig1_mnist", pd.concat([curves("fig1_mnist", seeds=1), grid("fig1_mnist")]))
    draw(["fig1_mnist"], folder)
    whole = Page((folder / "index.html").read_text())
    assert not [a for a in whole.addresses if a.endswith(".png")]
    monkeypatch.setattr(embed, "LIMIT", 0)
    draw(["fig1_mnist"], folder)
    page = Page((folder / "index.html").read_text())
    files = [a for a in page.addresses if a.endswith(".png")]
    assert "fig1_mnist_stepsizes.png" in files
    assert not [a for a in files if "as_printed" in a or "dense_grid" in a]  # the figure itself
    assert all((folder / a).is_file() for a in files)


def test_a_difference_above_tenfold_is_shown_as_a_factor() -> None:
    assert tables.relative(63.589, "+") == "× 64.6"
    assert tables.relative(8.9, "+") == "+890.0 %"
    assert tables.relative(-0.073, "+") == "-7.3 %"
    assert tables.relative(0.073) == "7.3 %"
