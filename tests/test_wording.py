"""The name that is meant: one helper, which every unknown name that a person types goes through."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import adam_repro
from adam_repro import import_path
from adam_repro.config.validate import Choice, check, known
from adam_repro.data import load as load_data
from adam_repro.engine import device
from adam_repro.errors import UserError
from adam_repro.figures import load as figures
from adam_repro.optim import schedules
from adam_repro.tasks.initialise import initialisation_name
from adam_repro.wording import suggestion

NAMES = ["adam", "adamax", "adamw", "sgd", "sgd_momentum", "sgd_nesterov"]


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("adma", "adam"),
        ("Adam", "adam"),
        ("ADAMW", "adamw"),
        ("adammax", "adamax"),
        ("sgd_n", "sgd_nesterov"),
        ("sgd_", "sgd_momentum or sgd_nesterov"),
        ("lion", None),
        ("a", None),
        ("", None),
        (3, None),
    ],
)
def test_the_name_that_is_meant(word: object, meant: str | None) -> None:
    assert suggestion(word, NAMES) == (f" (did you mean {meant}?)" if meant else "")


def test_the_prefix_is_that_of_the_option() -> None:
    assert suggestion("mome", ["momentum"], "optimizer.") == " (did you mean optimizer.momentum?)"


TYPED: list[tuple[Callable[[], object], str]] = [
    (lambda: check("panel", "cots", Choice("cost", "error")), "cost"),
    (lambda: known(["titel"], ["title", "task"]), "title"),
    (lambda: figures.resolve(["fig1_mnits"]), "fig1_mnist"),
    (lambda: figures.resolve(["fig1"]), "fig1_imdb or fig1_mnist"),
    (lambda: figures.load("fig4").scale("papre"), "paper"),
    (lambda: schedules.find("inv_sqrt"), "inv_sqrt_iteration or inv_sqrt_pass"),
    (lambda: schedules.find("cosine40"), "cosine_40"),
    (lambda: initialisation_name({"init": "glorot_unifrom"}), "glorot_uniform"),
    (lambda: load_data("minst"), "mnist"),
    (lambda: load_data("synthetic", n_trian=3), "task.data.n_train"),
    (lambda: device.resolve("CPU"), "cpu"),
    (lambda: import_path.find("task.target", "torch.optim.Adan", "", ""), "torch.optim.Adam"),
]


@pytest.mark.parametrize(("typed", "meant"), TYPED, ids=[meant for _, meant in TYPED])
def test_an_unknown_name_is_answered_with_the_one_that_is_meant(
    typed: Callable[[], object], meant: str
) -> None:
    words = meant.split(" or ")
    with pytest.raises(UserError, match=r"\(did you mean .*\?\)") as error:
        typed()
    told = str(error.value).partition("(did you mean ")[2].partition("?)")[0]
    assert sorted(told.split(" or ")) == sorted(words)


def test_nobody_else_compares_names() -> None:
    package = Path(adam_repro.__file__).parent
    found = [
        path.name
        for path in package.rglob("*.py")
        if "get_close_matches" in path.read_text(encoding="utf-8")
    ]
    assert found == ["wording.py"]
