from __future__ import annotations

import subprocess
import sys

import pytest

from adam_repro.data import DATASETS, load
from adam_repro.errors import UserError


def test_an_unknown_name_lists_the_legal_ones() -> None:
    with pytest.raises(UserError, match=r"task\.data\.name=minst: must be one of mnist, .*imdb, "):
        load("minst")


@pytest.mark.parametrize(
    ("name", "legal"),
    [
        ("mnist", "none"),
        ("cifar10", "whitening, zca_eps"),
        ("imdb", "values"),
        ("brown", "vocabulary, min_count, layout, context, tracks, steps, tokens"),
    ],
)
def test_an_unknown_option_lists_the_legal_ones(name: str, legal: str) -> None:
    told = rf"task\.data\.colour: the data set {name} has no such option; legal: {legal}"
    message = rf"{told}; ~task.data.colour"
    with pytest.raises(UserError, match=message):
        load(name, colour=1)


def test_each_source_has_the_name_of_its_entry() -> None:
    shared = {"brown_bigrams": "brown"}  # made of another set's files
    for name, entry in DATASETS.items():
        assert entry.source is None or entry.source.name == shared.get(name, name)


@pytest.mark.parametrize("module", ["adam_repro.data", "adam_repro.commands.data"])
def test_importing_brings_in_nothing_heavy(module: str) -> None:
    heavy = ("torch", "torchvision", "sklearn", "scipy", "PIL", "pandas")
    code = f"import sys, {module}; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
