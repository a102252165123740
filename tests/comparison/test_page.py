"""The page of a comparison and the files beside it: complete, well formed, nothing taken for markup."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest

from adam_repro import __version__
from adam_repro.comparison import page, spec, store, summary
from adam_repro.comparison.model import (
    HIGHER,
    LOWER,
    SAME,
    UNDECIDED,
    Comparison,
    Setting,
    TuningTrial,
)
from adam_repro.comparison.page import tables, texts
from adam_repro.plots import style
from tests.comparison import synthetic
from tests.comparison.synthetic import RIVALS, comparison, score

VOID = {"meta", "br", "img", "hr", "link", "input"}
ODD = 'a<b>&"c"_$%#|{}'


class Page(HTMLParser):
    """The elements still open, the addresses that are loaded and linked to, the ids, the text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.loaded: list[str] = []
        self.links: list[str] = []
        self.ids: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag not in VOID:
            self.open.append(tag)
        for key, value in attrs:
            if key in ("src", "data"):
                self.loaded.append(str(value))
            if key == "href":
                self.links.append(str(value))
            if key == "id":
                self.ids.append(str(value))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A comparison of two tasks, written once."""
    path = tmp_path_factory.mktemp("compare")
    two = comparison()
    first = replace(two.entrants[0], notes=("its gradients are taken elsewhere",))
    notes = {"adam": ("its best stepsize, 0.01, is the largest of those tried",)}
    tasks = (replace(two.tasks[0], notes=notes), two.tasks[1])
    page.write(replace(two, entrants=(first, *two.entrants[1:]), tasks=tasks), path)
    return path


@pytest.fixture
def without_drawings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages of text alone, in an instant."""
    monkeypatch.setattr(page, "_drawings", lambda comparison, styles: {})


def index(folder: Path) -> Page:
    return Page((folder / "index.html").read_text(encoding="utf-8"))


@pytest.mark.slow
def test_the_page_needs_no_other_file(folder: Path) -> None:
    found = index(folder)
    assert found.open == []
    assert len(found.loaded) == 9  # the profile, four drawings a task
    assert all(address.startswith("data:image/") for address in found.loaded)
    assert "script" not in found.tags
    css = (folder / "index.html").read_text(encoding="utf-8").partition("</style>")[0]
    assert "url(" not in css
    assert "prefers-color-scheme: dark" in css
    assert "@media print" in css


@pytest.mark.slow
def test_links_lead_somewhere(folder: Path) -> None:
    found = index(folder)
    made_by_store = {"scores.csv", "rows.csv"}
    for link in found.links:
        if link.startswith("#"):
            assert link[1:] in found.ids
        else:
            assert (folder / link).is_file() or link in made_by_store, link


@pytest.mark.slow
def test_every_drawing_is_a_file_of_each_kind(folder: Path) -> None:
    names = {path.stem for path in folder.glob("*.png")}
    kinds = ("cost", "stepsizes", "tuning", "test_error")
    assert names == {"profile", *(f"{t}_{kind}" for t in ("logreg", "mlp") for kind in kinds)}
    for kind in style.FORMATS:
        assert {path.stem for path in folder.glob(f"*.{kind}")} == names
    summary = (folder / "summary.md").read_text(encoding="utf-8")
    assert {name for name in re.findall(r"\]\((\w+)\.png\)", summary)} == names


@pytest.mark.slow
def test_the_page_says_what_a_reader_needs(folder: Path) -> None:
    text = index(folder).text
    for expected in (
        "↓ lower", "↑ higher", "= the same within 1 %", "? undecided",  # every verdict, in words
        "× 0.833 [0.810, 0.860]",
        "the interval is too wide",
        "adam-repro compare my_module.Mine",
        "its gradients are taken elsewhere",
        "adam, logreg: its best stepsize, 0.01, is the largest of those tried",
        "a machine", "my_module 1.0", "0123456789ab", "12 committed trials trained on another machine",
        "target: my_module.Mine",  # every setting
        "constant, inv_sqrt_pass",
        "1 of 5",  # diverged
        "that stepsize alone",
        "2 (× 1)", "1 (× 0.5)",  # ms a step, beside Adam's
        "Scale: short",
        "Multinomial logistic regression with L2 regularization on MNIST; an epoch is a pass over the "
        "training set in minibatches of 128. 12 epochs",
    ):  # fmt: skip
        assert expected in text, expected


@pytest.mark.slow
def test_the_methods_have_everything_to_repeat_it(folder: Path) -> None:
    text = (folder / "methods.md").read_text(encoding="utf-8")
    for expected in (
        "got 5 tuning trials", "4 other seeds", "`adam-repro compare my_module.Mine`", "torch 2.7.0",
        "in minibatches of 128 | 12 |", "optimizer.target=my_module.Mine", "Holm",
        "@article{dolan2002benchmarking", "@software{adam_repro", "its gradients are taken elsewhere",
    ):  # fmt: skip
        assert expected in text, expected
    bibtex = text.partition("```bibtex")[2]
    assert bibtex.count("{") == bibtex.count("}")


@pytest.mark.slow
def test_a_page_that_would_be_too_large_keeps_to_its_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit = 60_000
    monkeypatch.setattr(page.embed, "LIMIT", limit)
    page.write(comparison(("logreg",)), tmp_path)
    found = index(tmp_path)
    beside = [address for address in found.loaded if not address.startswith("data:")]
    assert beside
    assert all((tmp_path / address).is_file() for address in beside)
    assert len((tmp_path / "index.html").read_bytes()) < limit + 1000


@pytest.mark.usefixtures("without_drawings")
def test_the_same_comparison_gives_the_same_bytes(tmp_path: Path) -> None:
    for place in ("a", "b"):
        page.write(comparison(), tmp_path / place)
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes(), path.name


def written(one: Comparison, folder: Path) -> str:
    page.write(one, folder)
    return index(folder).text


@pytest.mark.usefixtures("without_drawings")
def test_no_text_is_taken_for_markup(tmp_path: Path) -> None:
    one = comparison(candidates=(ODD,))
    one = replace(one, command=f"adam-repro compare '{ODD}'", label=ODD)
    assert written(one, tmp_path).count(ODD) >= 5
    assert "b" not in index(tmp_path).tags
    rows = [
        line
        for line in (tmp_path / "summary.md").read_text(encoding="utf-8").splitlines()
        if line.startswith("|") and "logreg | adam |" in line
    ]
    assert len(re.findall(r"(?<!\\)\|", rows[0])) == 8  # the ends of seven cells


@pytest.mark.usefixtures("without_drawings")
def test_smoke_scale_says_that_it_says_nothing(tmp_path: Path) -> None:
    assert "says nothing about the optimizers" in written(
        replace(comparison(), scale="smoke"), tmp_path
    )


@pytest.mark.usefixtures("without_drawings")
def test_who_cannot_train_is_told_and_the_others_are_shown(tmp_path: Path) -> None:
    one = comparison(("logreg",))
    labels = [entrant.label for entrant in one.entrants]
    without = {label: rate for label, rate in synthetic.rates(labels).items() if label != "Mine"}
    task = synthetic.task("logreg", without, cannot={"Mine": "it raised ValueError"})
    scores = tuple(
        score("logreg", "Mine", rival, UNDECIDED, ratio=math.nan, low=math.nan, high=math.nan,
              candidate_value=math.nan, n=0, why="Mine does not train on this task")
        for rival in RIVALS
    )  # fmt: skip
    text = written(replace(one, tasks=(task,), scores=scores), tmp_path)
    assert "Mine could not train logreg: it raised ValueError" in text
    assert "Mine does not train on this task" in text
    assert "nan" not in text.lower()


@pytest.mark.usefixtures("without_drawings")
def test_who_diverged_at_every_setting_is_told_beside_the_verdict(tmp_path: Path) -> None:
    one = comparison(("logreg", "mlp"), rivals=("adam",))
    none = {"ratio": math.nan, "low": math.nan, "high": math.nan, "p": math.nan, "n": 0}
    scores = (
        score("logreg", "Mine", "adam", HIGHER, candidate_value=math.inf, rival_value=0.3,
              why="Mine diverged at every setting", **none),
        score("mlp", "Mine", "adam", LOWER, candidate_value=0.25, rival_value=math.inf,
              why="adam diverged at every setting", **none),
    )  # fmt: skip
    tasks = [
        synthetic.task(name, {other: 0.7}) for name, other in (("logreg", "adam"), ("mlp", "Mine"))
    ]
    one = replace(one, tasks=tuple(tasks), scores=scores)
    text = re.sub(r"\s+", " ", written(one, tmp_path))
    assert re.search("logreg ?diverged ?↑ higher Mine diverged at every setting", text)
    assert "↓ lower adam diverged at every setting" in text
    assert "Why some are undecided" not in text
    assert "higher than adam’s on logreg (Mine diverged at every setting)" in texts.sentence(
        one, one.candidates[0]
    )
    summary = (tmp_path / "summary.md").read_text(encoding="utf-8")
    assert "| diverged | 0.3 | – | 0 | higher (Mine diverged at every setting) |" in summary
    latex = (tmp_path / "table.tex").read_text(encoding="utf-8")
    assert r"logreg & diverged & $\uparrow$ -- \\" in latex
    assert r"$\downarrow$ diverged \\" in latex
    store.write(one, tmp_path)
    again = [(one.verdict, one.why, one.candidate_value) for one in store.read(tmp_path).scores]
    assert again == [(one.verdict, one.why, one.candidate_value) for one in scores]


@pytest.mark.usefixtures("without_drawings")
def test_an_untuned_stepsize_is_a_warning_on_the_page(tmp_path: Path) -> None:
    one = comparison(("logreg",))
    entrants = [
        replace(x, lr_option="", notes=("it has no argument lr",)) for x in one.entrants[:2]
    ]
    written(replace(one, entrants=(*entrants, *one.entrants[2:])), tmp_path)
    html = (tmp_path / "index.html").read_text(encoding="utf-8")
    for label in ("Mine", "adam"):
        assert f'<p class="reduced">{label}: it has no argument lr.</p>' in html
        summary = (tmp_path / "summary.md").read_text(encoding="utf-8")
        assert f"**{label}: it has no argument lr.**" in summary


@pytest.mark.usefixtures("without_drawings")
def test_without_rivals_there_is_a_page_too(tmp_path: Path) -> None:
    text = written(comparison(rivals=(), scores=()), tmp_path)
    assert "beside nobody" in text
    assert (tmp_path / "table.tex").read_text(encoding="utf-8").count("tabular") == 2


@pytest.mark.slow
def test_a_task_that_nobody_finished_is_still_a_page(tmp_path: Path) -> None:
    one = comparison(("logreg",))
    task = one.tasks[0]
    rows = task.rows.assign(train_cost=math.inf, test_cost=math.nan, test_error=math.nan)
    rows = rows[rows["epoch"] == 0].assign(status="diverged")
    tuning = {
        label: tuple(replace(trial, cost=math.inf, status="diverged") for trial in trials)
        for label, trials in task.tuning.items()
    }
    rows = rows[rows["stage"] == "tuning"]
    task = replace(task, rows=rows, tuning=tuning, best={}, settings={}, step_seconds={})
    text = written(replace(one, tasks=(task,), scores=()), tmp_path)
    assert "5 of 5" in text


@pytest.mark.slow
def test_rows_without_steps_or_test_error_are_a_page(tmp_path: Path) -> None:
    one = comparison(("vae",))
    rows = one.tasks[0].rows.assign(step=math.nan, test_error=math.nan, seconds=math.nan)
    task = replace(one.tasks[0], rows=rows, state_bytes={})
    text = written(replace(one, tasks=(task,)), tmp_path)
    assert "epochs to" in text
    assert not (tmp_path / "vae_test_error.png").exists()


def test_the_sentence_counts_every_verdict() -> None:
    one = comparison(("a", "b", "c"), rivals=("adam",))
    scores = tuple(
        score(task, "Mine", "adam", verdict)
        for task, verdict in zip("abc", (LOWER, LOWER, SAME), strict=True)
    )
    text = texts.sentence(replace(one, scores=scores), one.candidates[0])
    measured = f"(× {tables.ratio(scores[0].ratio)} {tables.interval(scores[0])})"
    assert (
        f"lower than adam’s on a {measured} and b {measured}; within 1 % of adam’s on c (" in text
    )
    assert "5 trials" in text
    assert "4 others" in text
    assert "scale short, a machine, 2026-11-30" in text
    assert "higher" not in text
    assert text.replace(__version__, "").count(". ") == 0  # one sentence
    unknown = replace(scores[0], ratio=math.nan)
    assert "lower than adam’s on a (" in texts.sentence(
        replace(one, scores=scores), one.candidates[0]
    )
    without = texts.sentence(replace(one, scores=(unknown,)), one.candidates[0])
    assert "lower than adam’s on a (ratios with" in without


def test_the_table_of_latex_has_a_cell_for_every_rival() -> None:
    one = comparison(("a_b",), candidates=("50%_mine",))
    text = texts.latex(one)
    assert r"50\%\_mine" in text
    assert r"a\_b & " in text
    rows = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert {len(re.findall(r"(?<!\\)&", row)) for row in rows} == {1 + len(RIVALS)}
    unescaped = re.sub(r"\\[{}]", "", text)
    assert unescaped.count("{") == unescaped.count("}")
    assert text.count("$") % 2 == 0


@pytest.mark.parametrize("letter", list("\\{}$&%#_~^"))
def test_no_letter_is_a_command_of_latex(letter: str) -> None:
    assert texts.escaped(letter) != letter
    assert texts.escaped("plain") == "plain"


def test_adam_is_what_costs_are_told_beside() -> None:
    assert tables.reference_rival(comparison(rivals=("sgd_nesterov", "adam"))) == "adam"
    assert tables.reference_rival(comparison(rivals=("sgd_nesterov",))) == "sgd_nesterov"
    assert tables.reference_rival(comparison(rivals=())) is None


def test_what_is_searched_is_told() -> None:
    one = comparison(("logreg",))
    entrant = synthetic.entrant("Mine", search={"optimizer.kwargs.rho": (0.9, 0.99)})
    assert "optimizer.kwargs.rho among 0.9, 0.99" in texts.space(one, entrant)
    assert "grows until" in texts.space(one, entrant)
    assert "not tuned" in texts.space(one, replace(entrant, lr=(1.0,)))
    assert "between 1e-05 and 1" in texts.space(one, replace(entrant, lr_range=(1e-5, 1.0)))
    assert "no stepsize" in texts.space(one, replace(entrant, lr_option=""))


def test_what_ours_search_without_being_asked_is_told() -> None:
    one = comparison(("logreg",))
    tried = [(("optimizer.momentum", 0.9),), (("optimizer.momentum", 0.99),)] * 2
    trials = tuple(
        TuningTrial(Setting(0.1, "constant", others), 1.0, "finished") for others in tried
    )
    one = replace(one, tasks=(replace(one.tasks[0], tuning={"sgd_nesterov": trials}),))
    text = texts.space(one, one.rivals[1])
    assert text.endswith("optimizer.momentum among 0.9, 0.99")


def test_a_task_is_described_in_a_sentence() -> None:
    one = comparison(("logreg",)).tasks[0]
    trial = one.settings["Mine"]

    def told(name: str = "logreg", rows: pd.DataFrame = one.rows, **task: object) -> str:
        settings = {"Mine": {**trial, "task": {**trial["task"], **task}}}
        return texts.about(replace(one, task=name, rows=rows, settings=settings))

    assert "MNIST; an epoch is 6,400 examples in minibatches of 128" in told(epoch_examples=6400)
    assert "MNIST, here on generated data;" in told(data={"name": "synthetic"})
    own = {"model": "torch", "target": "my_task.TwoLayer", "data": {"name": "cifar10"}}
    assert told(**own).startswith("A task of one's own, my_task.TwoLayer, on cifar10; an epoch")
    assert told("mine").startswith("A task of one's own, logreg, on mnist;")
    steps = one.rows.assign(step=one.rows["epoch"] + 1.0)
    assert told("bigram", steps).endswith("an epoch is a step on the full batch")
    assert texts.about(replace(one, task="mine", settings={})) == "A task of one's own"
    assert texts.about(replace(one, settings={})).endswith("on MNIST")


def test_the_papers_curves_do_not_set_the_axes_of_the_page() -> None:
    one = comparison(("logreg",))
    drawings = page._of_task(one, one.tasks[0], dict(page._styles(one)))
    cost = next(drawing for name, _, drawing in drawings if name == "cost")
    assert any("the axes follow the trials" in text.get_text() for text in cost.texts)


@pytest.mark.parametrize("task", list(spec.load().tasks))
def test_every_task_says_what_it_is(task: str) -> None:
    about = spec.load().tasks[task].about
    assert len(about) > 30
    assert not about.endswith(".")


def test_other_options_of_the_best_setting_are_shown() -> None:
    one = comparison(("logreg",))
    best = {"Mine": Setting(1e-2, "constant", (("optimizer.rho", 0.9), ("clip_norm", 1.0)))}
    table = tables.settings(one, replace(one.tasks[0], best=best))
    cells = dict(zip(table.head, table.rows[0], strict=True))
    assert cells["other options"] == "rho 0.9, clip_norm 1.0"
    assert table.rows[1][1] == tables.NONE  # adam has no best setting


def test_one_pair_has_no_interval() -> None:
    one = comparison(("logreg",), rivals=("adam",))
    pair = score("logreg", "Mine", "adam", UNDECIDED, n=1, low=0.0, high=math.inf, why="1 pair")
    text = summary.summary(replace(one, scores=(pair,)))
    assert "inf" not in text
    assert tables.interval(pair) == ""
