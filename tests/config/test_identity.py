"""Identities are for ever: they name trials that people have on disk, and committed rows."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from adam_repro.config import compose
from adam_repro.config.trial import _canonical
from adam_repro.figures import load, plan

PAPER = Path(__file__).parents[2] / "results" / "paper"

#: As version 0.1.0 computed them.
SAMPLE = [
    ("task=logreg optimizer=adam", "b3aa23f2fb2d"),
    ("task=logreg optimizer=adagrad seed=3", "0ae384d3c196"),
    ("task=imdb optimizer=rmsprop", "6b20b019635f"),
    ("task=mlp optimizer=adadelta", "8624febd0a64"),
    ("task=mlp_deterministic optimizer=sfo", "fa73a594de91"),
    (
        "task=cnn optimizer=sgd_nesterov task.dropout_input=0.2 task.dropout_hidden=0.5",
        "ee9a8b3b07ff",
    ),
    ("task=cnn_mnist optimizer=adamax", "0aec84efdfaa"),
    (
        "task=vae optimizer=adam optimizer.bias_correction=none task.divergence=exact",
        "0d0f7c93e4ef",
    ),
    ("task=regret optimizer=amsgrad", "48bc1f3e6375"),
    ("task=counterexample optimizer=adam", "96a9347e42b8"),
    (
        "task=logreg optimizer=torch optimizer.target=torch.optim.NAdam optimizer.kwargs.momentum_decay=1",
        "8b3a57e2f8b3",
    ),
    (
        "task=mlp optimizer=adamw averaging=exponential schedule=exponential_0.95 epochs=7 batch_size=64",
        "7f21a36c271a",
    ),
]


@pytest.mark.slow
@pytest.mark.parametrize(("words", "identity"), SAMPLE)
def test_an_identity_never_changes(words: str, identity: str) -> None:
    assert compose.trial(words.split()).identity == identity


@pytest.mark.parametrize("name", ["fig1_mnist", "fig2b", "fig4_first"])
def test_committed_rows_are_of_planned_trials(name: str) -> None:
    with (PAPER / f"{name}.csv").open(newline="", encoding="utf-8") as file:
        committed = {row["identity"] for row in csv.DictReader(file) if row["seed"] == "0"}
    lines = plan.plan_figure(load.load(name), "paper")
    planned = {entry.trial.identity for line in lines for entry in line.grid_stage()}
    assert committed
    assert committed <= planned


@pytest.mark.slow
def test_whole_numbers_that_floats_skip_have_identities_of_their_own() -> None:
    """Seeds by ``date +%s%N`` are of this size; smaller ones keep the identity they always had."""
    big = [f"seed={2**60 + i}" for i in range(3)] + [f"seed={10**200 + i}" for i in range(2)]
    big += [f"task.epoch_examples={2**54 + i}" for i in range(2)]
    found = {compose.trial(["task=logreg", word]).identity for word in big}
    assert len(found) == len(big)
    for value in (0, 1, 2**53 - 1, 2**53, 2**60, -(2**53)):
        assert json.dumps(_canonical({"seed": value})) == json.dumps({"seed": float(value)})
    assert _canonical([2**53 + 1, 1.5, True]) == [2**53 + 1, 1.5, True]
