"""The trials of the figures: every one composes into settings that the engine would train."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace

import pytest

from adam_repro.errors import UserError
from adam_repro.figures import load, paper_curves, plan
from tests.helpers import Compose


@pytest.mark.slow
@pytest.mark.parametrize("name", load.names())
def test_every_figure_composes_into_legal_trials_at_every_scale(name: str) -> None:
    figure = load.load(name)
    for scale in figure.scales:
        lines = plan.plan_figure(figure, scale)
        entries = [entry for line in lines for entry in line.grid_stage() + line.seed_stage({})]
        assert {entry.series for entry in entries} == {one.label for one in figure.series}
        assert {entry.reading for entry in entries} == set(figure.readings)
        for entry in entries:
            assert entry.trial.epochs == figure.scales[scale].epochs_of(entry.trial.task["name"])


@pytest.mark.slow
@pytest.mark.parametrize("name", load.names())
def test_every_setting_can_be_trained(name: str) -> None:
    from adam_repro.runs.check import check

    figure = load.load(name)
    for line in plan.plan_figure(figure, "smoke"):
        for entry in line.grid_stage():
            check(entry.trial)


@pytest.mark.slow
def test_as_printed_is_what_task_and_optimizer_alone_compose_to(trial: Compose) -> None:
    line = next(
        line
        for line in plan.plan_figure(load.load("fig1_mnist"), "paper")
        if line.key == ("as_printed", "", "AdaGrad")
    )
    alone = trial("task=logreg", "optimizer=adagrad", tiny=False)
    assert line.grid_stage()[0].trial.identity == alone.identity


def test_a_grid_point_is_the_trial_its_command_line_gives(trial: Compose) -> None:
    for line in plan.plan_figure(load.load("fig4"), "short"):
        entry = line.grid_stage()[-1]
        words = [f"{key}={value}" for key, value in entry.grid_point.items()]
        composed = trial(*line.overrides, *words, f"seed={entry.trial.seed}", tiny=False)
        assert composed.identity == entry.trial.identity


def test_the_grid_includes_both_ends_in_equal_factors() -> None:
    assert plan.log_grid(1e-4, 1e-2, 2) == [1e-4, 3.16e-4, 1e-3, 3.16e-3, 1e-2]
    assert plan.log_grid(1e-5, 1e-1, 0.5) == [1e-5, 1e-3, 1e-1]


def test_figure_4_has_the_papers_seven_stepsizes_and_twelve_panels() -> None:
    figure = load.load("fig4")
    printed = [line for line in plan.plan_figure(figure, "paper") if line.reading == "as_printed"]
    grids = {
        tuple(sorted(entry.grid_point.items())) for line in printed for entry in line.grid_stage()
    }
    assert len(grids) == 7 * 6
    drawn = {
        10.0**x
        for p in figure.panels
        for x in paper_curves.loss_by_lr(p.name, "bias_correction")[0]
    }
    assert {float(f"{lr:.1g}") for lr in drawn} == set(figure.printed["optimizer.lr"])


def test_figure_4s_dense_grid_is_its_stepsizes_and_the_ends_of_the_range() -> None:
    """Two a decade over the four decades that the text names, so that most of it is there twice over."""
    for name in ("fig4", "fig4_first"):
        figure = load.load(name)
        found = plan.plan_figure(figure, "paper")
        lines = [line for line in found if line.reading == "dense_grid"]
        assert lines
        for dense in lines:
            lrs = dense.axes()["optimizer.lr"]
            assert list(lrs) == [1e-5, *figure.printed["optimizer.lr"], 1e-1]
            assert len(dense.grid_stage()) == len(lrs) * 6
            assert len(dense.expected_seed_stage()) == (5 - 1) * 6
            twin = next(
                one for one in found if one.reading == "as_printed" and one.series == dense.series
            )
            shared = {entry.trial.identity for entry in twin.grid_stage() if entry.trial.seed == 0}
            assert len(shared - {entry.trial.identity for entry in dense.grid_stage()}) == 0


@pytest.mark.slow
def test_figure_3s_grid_of_the_first_passes_has_the_settings_of_fig3_first() -> None:
    first = {one.series.label: one for one in plan.plan_figure(load.load("fig3_first"), "paper")}
    for line in plan.plan_figure(load.load("fig3_grid"), "paper"):
        its = first[line.series.label]
        same = {"optimizer.lr": its.grid_stage()[0].trial.optimizer["lr"]}
        wanted = its.trial_at(same, 0).trial
        if line.series.label == "SGDNesterov+dropout":
            # Optimizers that are compared start from the same weights; the fitted curves do not.
            wanted = replace(wanted, task={**wanted.task, "init": "normal_0.007"})
        assert line.trial_at(same, 0).trial == wanted
        assert len(line.axes()["optimizer.lr"]) >= 9


#: Figures of two decades in finer steps: the best of a series moves little from size to size, and the
#: drawing marks one at an edge.
FINE = ("bigram", "bigram_brown", "rare_classes")


@pytest.mark.slow
@pytest.mark.parametrize("name", FINE)
def test_a_fine_grid_has_nine_stepsizes_or_more(name: str) -> None:
    for line in plan.plan_figure(load.load(name), "paper"):
        lrs = line.axes()["optimizer.lr"]
        assert len(lrs) >= 9
        assert lrs[-1] / lrs[0] >= 9.99


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in load.names() if load.load(name).number])
def test_a_dense_grid_has_four_decades_of_stepsizes(name: str) -> None:
    dense = (
        one for one in plan.plan_figure(load.load(name), "paper") if one.reading == "dense_grid"
    )
    for line in dense:
        lrs = line.axes().get("optimizer.lr", ())  # SFO has none
        assert not lrs or (lrs[-1] / lrs[0] >= 0.999e4 and list(lrs) == sorted(lrs)), line.key
        assert all(b / a <= 3.5 for a, b in itertools.pairwise(lrs)), line.key  # two in each


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in load.names() if not load.load(name).number])
def test_a_grid_beyond_the_paper_has_five_stepsizes(name: str) -> None:
    for line in plan.plan_figure(load.load(name), "paper"):
        lrs = line.axes().get("optimizer.lr", ())
        if line.reading == "dense_grid" and lrs:
            assert len(lrs) >= 5, line.key
            assert all(1 < b / a <= 3.5 for a, b in itertools.pairwise(lrs)), line.key


def test_an_unknown_scale_is_named_beside_the_legal_ones() -> None:
    with pytest.raises(UserError, match="scale=huge: must be one of paper, short, smoke"):
        plan.plan_figure(load.load("fig1_mnist"), "huge")


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("optimzer.lr", r"mine.yaml: optimzer.lr=0.9: .* legal in place of optimzer: .*optimizer"),
        ("optimizer.momntum", r"legal in place of momntum: .*momentum"),
        ("seed.first", r"mine.yaml: seed.first=0.9: there is no such option; .* first: none"),
    ],
)
def test_a_misspelt_option_that_is_searched_is_told(
    option: str, message: str, write_changed: Callable[..., None]
) -> None:
    write_changed("{optimizer.momentum: [0.9, 0.99]}", f"{{{option}: [0.9]}}")
    found = plan.plan_figure(load.load("mine"), "paper")
    with pytest.raises(UserError, match=message):
        [line.grid_stage() for line in found]


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
        [line.grid_stage() for line in plan.plan_figure(replace(figure, series=(mine,)), "paper")]
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
    found = plan.plan_figure(replace(figure, series=(mine,)), "paper")
    grid = next(line for line in found if line.reading == "dense_grid")
    kwargs = {str(entry.trial.optimizer["kwargs"]) for entry in grid.grid_stage()}
    assert kwargs == {"{'momentum': 0.5, 'alpha': 0.9}", "{'momentum': 0.5, 'alpha': 0.99}"}
    assert not any(word.startswith("+") for word in grid.overrides)
