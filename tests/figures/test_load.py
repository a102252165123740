"""The figures' YAML: every one composes into trials the engine would train."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import pytest

from adam_repro.config.trial import Trial
from adam_repro.errors import UserError
from adam_repro.figures import load, paper_curves, plan
from adam_repro.files import config_folder
from tests.helpers import Compose


@pytest.mark.parametrize("name", load.names())
def test_every_figure_composes_into_legal_trials_at_every_scale(name: str) -> None:
    figure = load.load(name)
    for scale in figure.scales:
        lines = plan.lines(figure, scale)
        entries = [entry for line in lines for entry in line.first() + line.second({})]
        assert {entry.series for entry in entries} == {one.label for one in figure.series}
        assert {entry.reading for entry in entries} == set(figure.readings)
        for entry in entries:
            assert entry.trial.epochs == figure.scales[scale].epochs_of(entry.trial.task["name"])


@pytest.mark.parametrize("name", load.names())
def test_every_setting_can_be_trained(name: str) -> None:
    from adam_repro.runs.check import check

    figure = load.load(name)
    for line in plan.lines(figure, "smoke"):
        for entry in line.first():
            check(entry.trial)


def test_as_printed_is_what_task_and_optimizer_alone_compose_to(trial: Compose) -> None:
    line = next(
        line
        for line in plan.lines(load.load("fig1_mnist"), "paper")
        if line.key == ("as_printed", "", "AdaGrad")
    )
    alone = trial("task=logreg", "optimizer=adagrad", tiny=False)
    assert line.first()[0].trial.identity == alone.identity


def test_a_grid_point_is_the_trial_its_command_line_gives(trial: Compose) -> None:
    for line in plan.lines(load.load("fig4"), "short"):
        entry = line.first()[-1]
        words = [f"{key}={value}" for key, value in entry.grid.items()]
        composed = trial(*line.words, *words, f"seed={entry.trial.seed}", tiny=False)
        assert composed.identity == entry.trial.identity


def test_the_grid_includes_both_ends_in_equal_factors() -> None:
    assert plan.spaced((1e-4, 1e-2), 2) == [1e-4, 3.16e-4, 1e-3, 3.16e-3, 1e-2]
    assert plan.spaced((1e-5, 1e-1), 0.5) == [1e-5, 1e-3, 1e-1]


def test_figure_4_has_the_papers_seven_stepsizes_and_twelve_panels() -> None:
    figure = load.load("fig4")
    printed = [line for line in plan.lines(figure, "paper") if line.reading == "as_printed"]
    grids = {tuple(sorted(entry.grid.items())) for line in printed for entry in line.first()}
    assert len(grids) == 7 * 6
    drawn = {
        10.0**x for p in figure.panels for x in paper_curves.stepsizes(p.name, "bias_correction")[0]
    }
    assert {float(f"{lr:.1g}") for lr in drawn} == set(figure.printed["optimizer.lr"])


def test_figure_4s_dense_grid_is_its_stepsizes_and_the_ends_of_the_range() -> None:
    """Two a decade over the four decades that the text names, so that most of it is there twice over."""
    for name in ("fig4", "fig4_first"):
        figure = load.load(name)
        found = plan.lines(figure, "paper")
        for dense in (line for line in found if line.reading == "dense_grid"):
            lrs = dense.axes()["optimizer.lr"]
            assert list(lrs) == [1e-5, *figure.printed["optimizer.lr"], 1e-1]
            assert len(dense.first()) == len(lrs) * 6
            assert len(dense.repeats()) == (5 - 1) * 6
            twin = next(
                one for one in found if one.reading == "as_printed" and one.series == dense.series
            )
            shared = {entry.trial.identity for entry in twin.first() if entry.trial.seed == 0}
            assert len(shared - {entry.trial.identity for entry in dense.first()}) == 0


def test_the_first_ten_epochs_are_figure_4s_own_settings() -> None:
    def settings(name: str) -> list[Trial]:
        printed = (x for x in plan.lines(load.load(name), "paper") if x.reading == "as_printed")
        return [replace(entry.trial, epochs=10) for line in printed for entry in line.first()]

    assert settings("fig4_first") == settings("fig4")
    first, whole = load.load("fig4_first"), load.load("fig4")
    assert first.panels == tuple(panel for panel in whole.panels if "epochs10_" in panel.name)


@pytest.mark.parametrize(
    ("grid", "whole", "reading", "but"),
    [
        ("fig2a_grid", "fig2a", "dense_grid", {}),
        # Optimizers that are compared start from the same weights; figure 3's printed curves do not.
        (
            "fig3_grid",
            "fig3_first",
            "as_printed",
            {"SGDNesterov+dropout": {"init": "normal_0.007"}},
        ),
    ],
)
def test_a_grid_of_the_first_passes_has_the_settings_of_its_figure(
    grid: str, whole: str, reading: str, but: dict[str, dict[str, str]]
) -> None:
    own = plan.lines(load.load(grid), "paper")
    theirs = {
        x.series.label: x for x in plan.lines(load.load(whole), "paper") if x.reading == reading
    }
    for line in own:
        its = theirs[line.series.label]
        at = its.first()[0].trial.optimizer["lr"]
        same = {
            "optimizer.lr": at,
            **{key: values[0] for key, values in line.series.search.items()},
        }
        wanted = replace(its.entry(same, 0).trial, epochs=line.scale.epochs_of("any"))
        wanted = replace(wanted, task={**wanted.task, **but.get(line.series.label, {})})
        assert line.entry(same, 0).trial == wanted
        assert len(line.axes()["optimizer.lr"]) >= 9


@pytest.mark.parametrize("name", load.names())
def test_a_dense_grid_has_four_decades_of_stepsizes(name: str) -> None:
    dense = (one for one in plan.lines(load.load(name), "paper") if one.reading == "dense_grid")
    for line in dense:
        lrs = line.axes().get("optimizer.lr", ())  # SFO has none
        assert not lrs or (lrs[-1] / lrs[0] >= 0.999e4 and list(lrs) == sorted(lrs)), line.key
        assert all(b / a <= 3.5 for a, b in itertools.pairwise(lrs)), line.key  # two in each


def test_every_series_of_the_papers_figures_has_its_curve() -> None:
    for name in load.PAPER:
        figure = load.load(name)
        for panel in figure.panels:
            for one in figure.series:
                if figure.kind == "stepsizes":
                    x, _ = paper_curves.stepsizes(panel.name, str(one.reference))
                else:
                    x, _ = paper_curves.curve(
                        paper_curves.Reference(str(panel.curves), str(one.reference))
                    )
                assert len(x), (name, panel.name, one.label)


def test_an_unknown_figure_is_named_beside_the_legal_ones() -> None:
    with pytest.raises(UserError, match=r"no figure 'fig9'; use one of fig1_mnist, fig1_imdb"):
        load.chosen(["fig9"])


def test_an_unknown_scale_is_named_beside_the_legal_ones() -> None:
    with pytest.raises(UserError, match="scale=huge: must be one of paper, short, smoke"):
        plan.lines(load.load("fig1_mnist"), "huge")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("colour: red", "colour: a figure has"),
        ("kind: pie", "kind=pie: must be one of curves, stepsizes"),
        ("readings: [once]", "readings=once: must be one of as_printed, dense_grid"),
    ],
)
def test_a_mistake_in_a_figures_file_is_told(
    change: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (config_folder() / "figure" / "fig1_mnist.yaml").read_text()
    (tmp_path / "mine.yaml").write_text(f"{text}{change}\n")
    monkeypatch.setattr(load, "folder", lambda: tmp_path)
    load.load.cache_clear()
    with pytest.raises(UserError, match=message):
        load.load("mine")


MISTAKES = [
    ("xlim: [0, 45]", "xlim: 45", "left: xlim=45: must be two numbers, the lower first"),
    ("ylim: [0.2, 0.7]", "ylim: [0.7, 0.2]", r"left: ylim=\[0.7, 0.2\]: must be two numbers"),
    ("    xzoom: [20, 45]\n", "", "left: xzoom=None: must be two numbers, the lower first"),
    ("xlim: [0, 45]", "xlim: [0, 45]\n    x: time", "left: x=time: must be one of epoch, norm"),
    ("xlim: [0, 45]", "xlim: [0, 45]\n    quantity: cost", "left: quantity=cost: must be one of"),
    (
        "curves: fig1_left",
        "curves: fig1",
        "left: curves=fig1: must be one of fig1_left, fig1_right",
    ),
    (
        "reference: Adam,",
        "reference: Adamm,",
        "Adam: reference=Adamm: must be one of AdaGrad, Adam, SGDNesterov, the lines of fig1_left",
    ),
    ("label: Adam,", "label: AdaGrad,", "series: label=AdaGrad: stands there 2 times"),
    (
        "lr: [1.0e-5, 1.0e-1]",
        "lr: [1.0e-5]",
        r"Adam: lr=\[1e-05\]: must be two or more numbers above 0",
    ),
    (
        "lr: [1.0e-5, 1.0e-1]",
        "lr: [0, 1]",
        r"Adam: lr=\[0, 1\]: must be two or more numbers above 0",
    ),
    ("lr: [1.0e-5, 1.0e-1]", "lr: [1, 3, 2]", r"Adam: lr=\[1, 3, 2\]: must be two or more numbers"),
    ("lr: [1.0e-5, 1.0e-1]", "lr: 0.1", "Adam: lr=0.1: must be two or more numbers above 0"),
    ("lr: [1.0e-5, 1.0e-1]", "lr: [1e-5, 1e-1]", "without the point it is text"),
    (
        "search: {optimizer.momentum: [0.9, 0.99]}",
        "search: {optimizer.momentum: 0.9}",
        r"SGDNesterov: search: optimizer.momentum=0.9: must be a list of values, as \[0.9\]",
    ),
    (
        "search: {schedule: [constant, inv_sqrt_pass]}",
        "search: {schedule: constant}",
        r"yaml: search: schedule=constant: must be a list of values, as \[constant\]",
    ),
    ("search: {schedule: [constant, inv_sqrt_pass]}", "search: 3", "search=3: must be options"),
    ("paper: {epochs: 46", "paper: {epochs: {mlp: 46}", "must be a whole .* for each of logreg"),
    ("paper: {epochs: 46", "paper: {epochs: 4.5", "scales: paper: epochs=4.5: must be a whole"),
    ("seeds: 3", "seeds: many", "scales: short: seeds=many: must be a whole number, at least 1"),
    ("per_decade: 2", "per_decade: 0", "short: per_decade=0: must be a number above 0"),
    ("seconds: 0.1}", "seconds: {mlp: 1}}", "scales: paper: seconds=.*: must be a number, or one"),
]


def _mine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old: str, new: str, name: str = "fig1_mnist"
) -> None:
    """A figure ``mine`` that is another but for one thing."""
    text = (config_folder() / "figure" / f"{name}.yaml").read_text()
    assert old in text
    (tmp_path / "mine.yaml").write_text(text.replace(old, new, 1))
    monkeypatch.setattr(load, "folder", lambda: tmp_path)
    load.load.cache_clear()


@pytest.mark.parametrize(("old", "new", "message"), MISTAKES, ids=[m[1] for m in MISTAKES])
def test_an_illegal_value_in_a_figures_file_is_told_with_what_is_legal(
    old: str, new: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _mine(tmp_path, monkeypatch, old, new)
    with pytest.raises(UserError, match=message) as told:
        load.load("mine")
    assert str(told.value).startswith(str(tmp_path / "mine.yaml"))


def test_epochs_by_task_are_needed_of_every_panels_task(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _mine(tmp_path, monkeypatch, "{logreg: 46, imdb: 41,", "{logreg: 46,", "adamax")
    with pytest.raises(
        UserError, match=r"scales: short: epochs=.*: must be .*for each of cnn, imd"
    ):
        load.load("mine")


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("optimzer.lr", r"mine.yaml: optimzer.lr=0.9: .* legal in place of optimzer: .*optimizer"),
        ("optimizer.momntum", r"legal in place of momntum: .*momentum"),
        ("seed.first", r"mine.yaml: seed.first=0.9: there is no such option; .* first: none"),
    ],
)
def test_a_misspelt_option_that_is_searched_is_told(
    option: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _mine(tmp_path, monkeypatch, "{optimizer.momentum: [0.9, 0.99]}", f"{{{option}: [0.9]}}")
    found = plan.lines(load.load("mine"), "paper")
    with pytest.raises(UserError, match=message):
        [line.first() for line in found]


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("optimizer.lrr=1", "optimizer.lrr: there is no such option"),
        ("optimizer=adma", "optimizer=adma: .*did you mean adam"),
        ("batch_size=0", "batch_size=0: must be"),
    ],
)
def test_a_setting_of_a_series_that_is_refused_is_told_with_file_and_series(
    word: str, message: str
) -> None:
    figure = load.load("fig1_mnist")
    mine = replace(figure.series[0], label="Mine", overrides=(word,))
    with pytest.raises(UserError, match=message) as told:
        [line.first() for line in plan.lines(replace(figure, series=(mine,)), "paper")]
    assert str(told.value).startswith("configs/figure/fig1_mnist.yaml: Mine: ")


def test_what_an_optimizer_by_import_path_takes_can_be_set_and_searched() -> None:
    figure = load.load("fig1_mnist")
    mine = replace(
        figure.series[0],
        label="Mine",
        optimizer="torch",
        overrides=("optimizer.target=torch.optim.RMSprop", "optimizer.kwargs.momentum=0.5"),
        search={"optimizer.kwargs.alpha": [0.9, 0.99]},
    )
    found = plan.lines(replace(figure, series=(mine,)), "paper")
    grid = next(line for line in found if line.reading == "dense_grid")
    kwargs = {str(entry.trial.optimizer["kwargs"]) for entry in grid.first()}
    assert kwargs == {"{'momentum': 0.5, 'alpha': 0.9}", "{'momentum': 0.5, 'alpha': 0.99}"}
    assert not any(word.startswith("+") for word in grid.words)
