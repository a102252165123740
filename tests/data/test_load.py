from __future__ import annotations

import subprocess
import sys

import pytest

from adam_repro.data import load
from adam_repro.errors import UserError


def test_an_unknown_name_lists_the_legal_ones() -> None:
    with pytest.raises(UserError, match=r"'minst' is unknown; legal: .*mnist"):
        load("minst")


@pytest.mark.parametrize(
    ("name", "legal"), [("mnist", "none"), ("cifar10", "whitening, zca_eps"), ("imdb", "values")]
)
def test_an_unknown_option_lists_the_legal_ones(name: str, legal: str) -> None:
    with pytest.raises(UserError, match=f"option 'colour' is unknown; legal: {legal}"):
        load(name, colour=1)


@pytest.mark.parametrize("module", ["adam_repro.data", "adam_repro.commands.data"])
def test_importing_brings_in_nothing_heavy(module: str) -> None:
    heavy = ("torch", "torchvision", "sklearn", "scipy", "PIL", "pandas")
    code = f"import sys, {module}; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
