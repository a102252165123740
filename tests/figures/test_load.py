"""The figures by name, and one figure that extends another."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from adam_repro import config_folders
from adam_repro.errors import UserError
from adam_repro.figures import load, paper_curves


def test_every_series_of_the_papers_figures_has_its_curve() -> None:
    for name in load.PAPER:
        figure = load.load(name)
        for panel in figure.panels:
            for one in figure.series:
                if figure.every_lr_is_drawn:
                    x, _ = paper_curves.loss_by_lr(panel.name, str(one.reference))
                else:
                    x, _ = paper_curves.curve(
                        paper_curves.Reference(str(panel.curves), str(one.reference))
                    )
                assert len(x), (name, panel.name, one.label)


def test_names_are_resolved_without_duplicates() -> None:
    assert load.resolve(["fig4", "fig2a", "fig4"]) == ["fig4", "fig2a"]
    assert load.resolve(["fig4", "all"]) == ["fig4", *(n for n in load.names() if n != "fig4")]


def test_an_unknown_figure_is_named_beside_the_legal_ones() -> None:
    with pytest.raises(UserError, match=r"no figure 'fig9'; use one of fig1_mnist, fig1_imdb"):
        load.resolve(["fig9"])


def test_numbers_are_read_as_in_every_other_configuration(folder: Path) -> None:
    text = config_folders.find("figure", "fig1_mnist").read_text(encoding="utf-8")
    text = text.replace("lr: [1e-4, 1.0]", "lr: [1e-6, 1e-2]")
    (folder / "mine.yaml").write_text(text)
    assert load.load("mine").series[0].lr == (1e-6, 1e-2)


def test_a_figure_that_extends_another_differs_only_in_its_own_keys(folder: Path) -> None:
    (folder / "mine.yaml").write_text(
        "extends: fig1_mnist\n"
        "title: mine\n"
        "targets: [0.4]\n"
        "series: [{label: Mine, optimizer: adamax, style: 7, lr: [1e-6, 1e-2]}, Adam]\n"
        "search: {optimizer.beta1: [0.5, 0.9]}\n"
        "scales: {short: {seeds: 1}}\n"
    )
    mine, base = load.load("mine"), load.load("fig1_mnist")
    own, adam = mine.series
    assert (own.label, own.lr) == ("Mine", (1e-6, 1e-2))
    assert adam == base.series_of("Adam")  # by its label alone
    assert mine == replace(
        base,
        name="mine",
        title="mine",
        targets=(0.4,),  # a list replaces the base's
        series=(own, adam),
        search={**base.search, "optimizer.beta1": [0.5, 0.9]},  # a mapping is merged
        scales={**base.scales, "short": replace(base.scales["short"], seeds=1)},
    )


def test_a_figure_may_extend_one_that_extends_another(folder: Path) -> None:
    (folder / "mine.yaml").write_text(
        "extends: fig4_first\npanels: [epochs10_beta1=0_beta2=0.99]\n"
    )
    mine, first, whole = (load.load(name) for name in ("mine", "fig4_first", "fig4"))
    assert mine.panels == first.panels[:1] == whole.panels[:1]
    assert mine.scales == first.scales
    assert mine.series == whole.series


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (
            {"mine": "extends: fig9"},
            "mine.yaml: extends=fig9: must be one of fig1_mnist, fig1_imdb, ",
        ),
        ({"mine": "extends: [fig4]"}, "mine.yaml: extends=['fig4']: must be one of fig1_mnist, "),
        ({"mine": "extends: mine"}, "mine.yaml: extends=mine: must not be circular: mine -> mine"),
        (
            {"mine": "extends: yours", "yours": "extends: theirs", "theirs": "extends: yours"},
            "theirs.yaml: extends=yours: must not be circular: mine -> yours -> theirs -> yours",
        ),
        (
            {"mine": "extends: fig2a\npanels: [b]"},
            "mine.yaml: panels=b: must be one of a",
        ),
        (
            {"mine": "extends: fig2a\nkind: pie"},
            "mine.yaml: kind=pie: must be one of curves, stepsizes",
        ),
        (
            {"mine": "extends: yours", "yours": "extends: fig2a\nscales: {paper: 3}"},
            "yours.yaml: scales: paper=3: must be keys with values, as {key: value}",
        ),
    ],
)
def test_a_mistake_in_what_is_extended_is_one_message(
    files: dict[str, str], message: str, folder: Path
) -> None:
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text)
    with pytest.raises(UserError) as error:
        load.load("mine")
    assert str(error.value).startswith(str(folder / "mine.yaml"))
    assert message in str(error.value)


@pytest.mark.parametrize("names", ["[fitted, tuned]", "[as_printed, dense_grid]"])
def test_readings_have_their_older_names_too(names: str, folder: Path) -> None:
    (folder / "mine.yaml").write_text(f"extends: fig2a\nreadings: {names}\n")
    assert load.load("mine").readings == ("as_printed", "dense_grid")  # as in CSVs
