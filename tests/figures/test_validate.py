"""Mistakes in a figure's file: one message with the file, the key, the value and what is legal."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from adam_repro.errors import UserError
from adam_repro.figures import load

LR = "lr: [1e-5, 1e-1]"
STEPSIZES = "must be two or more numbers above 0, the lowest first"
INTERVAL = "must be two numbers, the lower first"
TEXT = "text (quote what looks like a number)"
GRID = "must be options with lists of values, as {optimizer.rho: [0.9]}"

MISTAKES = [
    (
        "title: MNIST",
        "colour: red\ntitle: MNIST",
        "colour: there is no such option; legal here: title,",
    ),
    (
        "title: MNIST",
        "name: fig4\ntitle: MNIST",
        "name: there is no such option; legal here: title,",
    ),
    ("title: MNIST", "1: MNIST\ntitle: MNIST", "must be keys with values, as {key: value}"),
    ("title: MNIST logistic regression", "title: 2026", f"title=2026: must be {TEXT}"),
    ('section: "6.1"', "section: 6.2", f"section=6.2: must be {TEXT}"),
    ('section: "6.1"\n', "", f"section: missing; must be {TEXT}"),
    (
        "task: logreg",
        "task: logreg\nkind: pie",
        "kind=pie: must be one of curves, stepsizes, scaling",
    ),
    (
        "task: logreg",
        "task: logreg\nreadings: [once]",
        "readings=['once']: must be a list of at least one; every item must be one of fitted, tuned, "
        "as_printed, dense_grid",
    ),
    (
        "task: logreg",
        "task: logreg\noverrides: [1]",
        f"overrides=[1]: must be a list; every item must be {TEXT}",
    ),
    ("    xlabel: iterations over entire dataset\n", "", f"left: xlabel: missing; must be {TEXT}"),
    ("xlim: [0, 45]", "xlim: 45", f"left: xlim=45: {INTERVAL}"),
    ("ylim: [0.2, 0.7]", "ylim: [0.7, 0.2]", f"left: ylim=[0.7, 0.2]: {INTERVAL}"),
    ("    xzoom: [20, 45]\n", "", f"left: xzoom: missing; {INTERVAL}"),
    ("xstep: 5", "xstep: two", "left: xstep=two: must be a finite number, above 0"),
    (
        "xlim: [0, 45]",
        "xlim: [0, 45]\n    x: time",
        "left: x=time: must be one of epoch, normalised, lr, searched",
    ),
    (
        "xlim: [0, 45]",
        "xlim: [0, 45]\n    unit: SGD",
        "left: unit=SGD: must be one of AdaGrad, SGDNesterov, Adam",
    ),
    (
        "xlim: [0, 45]",
        "xlim: [0, 45]\n    quantity: Cost!",
        "left: quantity=Cost!: must be a column of metrics.csv, as train_cost",
    ),
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
    ("label: Adam,", "label: AdaGrad,", "series: label=AdaGrad: is used 2 times; must be unique"),
    ("label: Adam,", "label: 7,", f"7: label=7: must be {TEXT}"),
    ("style: 2", "style: red", "Adam: style=red: must be a whole number, at least 0"),
    (LR, "lr: [1e-5]", f"Adam: lr=[1e-05]: {STEPSIZES}"),
    (LR, "lr: [0, 1]", f"Adam: lr=[0, 1]: {STEPSIZES}"),
    (LR, "lr: [1, 3, 2]", f"Adam: lr=[1, 3, 2]: {STEPSIZES}"),
    (LR, "lr: 0.1", f"Adam: lr=0.1: {STEPSIZES}"),
    (
        "search: {optimizer.momentum: [0.9, 0.99]}",
        "search: {optimizer.momentum: 0.9}",
        f"SGDNesterov: search={{'optimizer.momentum': 0.9}}: {GRID}",
    ),
    (
        "search: {schedule: [constant, inv_sqrt_pass]}",
        "search: {schedule: constant}",
        f"search={{'schedule': 'constant'}}: {GRID}",
    ),
    ("search: {schedule: [constant, inv_sqrt_pass]}", "search: 3", f"search=3: {GRID}"),
    (
        "paper: {epochs: 46",
        "paper: {epochs: {mlp: 46}",
        "scales: paper: epochs={'mlp': 46}: must be a whole number, at least 1, or one for each of logreg",
    ),
    (
        "paper: {epochs: 46",
        "paper: {epochs: 4.5",
        "scales: paper: epochs=4.5: must be a whole number, at least 1, or one for each of logreg",
    ),
    ("short: {", "large: {", "scales=large: must be one of paper, short, smoke"),
    ("seeds: 3", "seeds: many", "scales: short: seeds=many: must be a whole number, at least 1"),
    (
        "per_decade: 2",
        "per_decade: 0",
        "scales: short: per_decade=0: must be a finite number, above 0",
    ),
    (
        "seconds: 0.1}",
        "seconds: {mlp: 1}}",
        "scales: paper: seconds={'mlp': 1}: must be a finite number, at least 0, or one for each of logreg",
    ),
]


def _message(folder: Path) -> str:
    with pytest.raises(UserError) as error:
        load.load("mine")
    path, message = str(error.value).split(".yaml: ", 1)
    assert path == str(folder / "mine")
    return message


@pytest.mark.slow
@pytest.mark.parametrize(("old", "new", "message"), MISTAKES, ids=[m[1] for m in MISTAKES])
def test_an_illegal_key_or_value_is_named_with_what_is_legal(
    old: str, new: str, message: str, folder: Path, write_changed: Callable[..., None]
) -> None:
    write_changed(old, new)
    assert _message(folder).startswith(message)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("search: {", "#search: {", "search: must hold one option, the x of kind=scaling"),
        ("search: {", "search: {seed: [0], ", "search: must hold one option"),
        ("targets: [0.01]", "targets: []", "targets: missing; kind=scaling counts the steps"),
        ("x: searched, ", "", "steps: kind=scaling needs x: searched and quantity: step"),
        (
            "style: 5,",
            "style: 5, search: {seed: [0]},",
            "GD: search: kind=scaling searches lr alone",
        ),
    ],
)
def test_a_figure_by_problem_size_has_one_size_and_a_target(
    old: str, new: str, message: str, folder: Path, write_changed: Callable[..., None]
) -> None:
    write_changed(old, new, "bigram")
    assert _message(folder).startswith(message)


def test_epochs_by_task_are_needed_of_every_panels_task(
    folder: Path, write_changed: Callable[..., None]
) -> None:
    write_changed("{logreg: 46, imdb: 41,", "{logreg: 46,", "adamax")
    message = _message(folder)
    assert message.startswith("scales: short: epochs=")
    assert message.endswith("at least 1, or one for each of cnn, imdb, logreg, mlp, vae")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", f"title: missing; must be {TEXT}"),
        (b"figure\n", "figure: there is no such option"),
        (b"- title\n", "must be keys with values"),
        (b"3\n", "cannot be read: Invalid loaded object type: int"),
        (b"title: \xff\xfe\n", "cannot be read: 'utf-8' codec can't decode"),
        (b"title: [\n", "cannot be read: line 2, column 1: expected the node content"),
        (b"title: a\ntitle: b\n", "cannot be read: line 2, column 1: found duplicate key title"),
        (b"title: ${nothing}\n", "cannot be read: Interpolation key 'nothing' not found"),
        (b"title: &title [*title]\n", "cannot be read: maximum recursion depth exceeded"),
    ],
)
def test_a_file_that_is_no_figure_is_one_message(
    content: bytes, message: str, folder: Path
) -> None:
    (folder / "mine.yaml").write_bytes(content)
    assert _message(folder).startswith(message)
