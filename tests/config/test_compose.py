"""Trials, their identity, and what is refused."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from adam_repro.config import compose
from adam_repro.config.trial import read
from adam_repro.errors import UserError
from adam_repro.figures.plan import GENERATED
from adam_repro.runs.check import check
from tests.helpers import Compose


def test_identity_is_of_the_science_not_of_the_execution(trial: Compose) -> None:
    one = trial("optimizer.lr=1", "device=cpu", "results_dir=here", tiny=False)
    assert one.identity == trial("optimizer.lr=1.0", "engine=looped", tiny=False).identity
    assert re.fullmatch("[0-9a-f]{12}", one.identity)


@pytest.mark.slow
@pytest.mark.parametrize(
    "change",
    ["seed=1", "epochs=7", "batch_size=64", "optimizer.lr=0.5", "task.l2=0.5", "optimizer=sgd",
     "schedule=inv_sqrt_iteration", "averaging=polyak", "task=mlp", "optimizer.eps=1e-7"],
)  # fmt: skip
def test_every_scientific_setting_is_part_of_the_identity(trial: Compose, change: str) -> None:
    assert trial(change, tiny=False).identity != trial(tiny=False).identity


@pytest.mark.slow
@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("schedule=linear", "schedule=linear: must be one of constant, inv_sqrt_iteration"),
        (
            "schedule=exponential_1.5",
            "schedule=exponential_1.5: must be one of constant, inv_sqrt_iteration",
        ),
        (
            "schedule=exponential_",
            "GAMMA a finite number, above 0 and below 1, as exponential_0.95",
        ),
        (
            "schedule=exponential_nan",
            "GAMMA a finite number, above 0 and below 1, as exponential_0.95",
        ),
        ("task.order=random", "task.order=random: must be one of once, every_pass, file"),
        ("seed=-1", "seed=-1: must be a whole number, at least 0"),
        ("seed=0.5", "seed=0.5: must be a whole number"),
        ("epochs=0", "epochs=0: must be a whole number, at least 1"),
        ("batch_size=none", "batch_size=none: must be a whole number"),
        ("engine=fast", "engine=fast: must be one of auto, batched, looped"),
        ("progress=perhaps", "progress=perhaps: must be true or false"),
    ],
)
def test_illegal_settings_are_named(trial: Compose, word: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        check(trial(word, tiny=False))


def test_the_papers_settings_yield_to_the_command_line(trial: Compose) -> None:
    assert trial("optimizer=adagrad", tiny=False).optimizer["lr"] == 1.06e-3
    assert trial("optimizer=adagrad", "optimizer.lr=0.5", tiny=False).optimizer["lr"] == 0.5
    assert trial("optimizer=adam", tiny=False).schedule == "inv_sqrt_pass"
    assert trial("optimizer=adam", "schedule=constant", tiny=False).schedule == "constant"


@pytest.mark.slow
@pytest.mark.parametrize("task", sorted(task for task, words in GENERATED.items() if words))
def test_a_smoke_epoch_is_one_pass_over_its_few_examples(task: str) -> None:
    """Epochs counted in examples of the real data would be thousands of passes."""
    trial = compose.trial([f"task={task}", *GENERATED[task]])
    assert trial.task["epoch_examples"] is None
    data = trial.task["data"]
    assert data["n_train"] <= 64 if "n_train" in data else data["tokens"] <= 300


def test_a_bare_number_is_the_name_of_a_folder() -> None:
    assert read(compose.settings(["results_dir=2014"]))[1].results_dir == Path("2014")
