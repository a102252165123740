"""What the command line says of the commonest slips, word for word."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

import pytest
from hydra.errors import HydraException
from packaging.requirements import Requirement

from adam_repro.cli import main
from adam_repro.config.hydra_errors import explain
from adam_repro.data import subwords
from adam_repro.errors import UserError
from adam_repro.wording import are, counted

ONE_VALUE = "one trial has one value; "
DASHES = "options have no dashes here; give "

MESSAGES = {
    "run lr=0.1": "lr: there is no such option; did you mean optimizer.lr?",
    "run +lr=0.1": "lr: there is no such option; did you mean optimizer.lr?",
    "run -m lr=0.1,1": "lr: there is no such option; did you mean optimizer.lr?",
    "run dropout_hidden=0 task=mlp": (
        "dropout_hidden: there is no such option; did you mean task.dropout_hidden?"
    ),
    "run seed=0,1": f"seed=0,1: {ONE_VALUE}give seed=0, or add -m to train a trial for each",
    "run optimizer=adam,sgd": (
        f"optimizer=adam,sgd: {ONE_VALUE}give optimizer=adam, or add -m to train a trial for each"
    ),
    "run seed=range(3)": f"seed=range(3): {ONE_VALUE}add -m to train a trial for each",
    "run optimizer.lr=interval(0,1)": (
        f"optimizer.lr=interval(0,1): {ONE_VALUE}add -m to train a trial for each"
    ),
    "run hydra/sweeper=optuna": (
        "hydra/sweeper=optuna: belongs to a search, which trains many trials; add -m"
    ),
    "run hydra.sweeper.n_trials=3": (
        "hydra.sweeper.n_trials=3: belongs to a search, which trains many trials; add -m"
    ),
    "run --task logreg": f"--task: {DASHES}task=logreg",
    "run --task=logreg": f"--task: {DASHES}task=logreg",
    "run -lr 0.1": f"-lr: {DASHES}lr=0.1",
    "run --batch-size 32": f"--batch-size: {DASHES}batch_size=32",
    "run --task": f"--task: {DASHES}task=VALUE",
    "reproduce fig1_mnist --scale smoke": f"--scale: {DASHES}scale=smoke",
    "report --results_dir=x": f"--results_dir: {DASHES}results_dir=x",
    "theory --scale=smoke": f"--scale: {DASHES}scale=smoke",
    "run task logreg": "task: options are given as NAME=VALUE, as task=logreg",
    "run -m optimizer.lr=1e-3 1e-2": "1e-2: options are given as NAME=VALUE, as task=logreg",
    "run -m optimizer.lr=1e-3;1e-2": (
        "optimizer.lr=1e-3;1e-2: values are separated by commas: optimizer.lr=1e-3,1e-2"
    ),
    "run seed=0|1": "seed=0|1: values are separated by commas: seed=0,1",
}


@pytest.mark.slow
@pytest.mark.parametrize(("words", "message"), MESSAGES.items(), ids=list(MESSAGES))
def test_a_slip_is_told_word_for_word(
    words: str,
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    command, *rest = words.split()
    assert main([command, *rest]) == 2
    assert capfd.readouterr().err == f"adam-repro {command}: {message}\n"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("value", ["1e-3, 1e-2", "'1e-3 1e-2'"])
def test_values_with_spaces_are_no_mistake_of_ours(value: str) -> None:
    """Spaces after commas are Hydra's own grammar; what stands in quotes is a text."""
    from adam_repro.config.command_words import prepare

    assert prepare(["-m", f"optimizer.lr={value}"]) == ["-m", f"optimizer.lr={value}"]


@pytest.mark.parametrize("plugin", ["optuna", "ax", "nevergrad"])
def test_a_plugin_that_is_missing_is_named(plugin: str) -> None:
    error = HydraException(
        f"In 'hydra/config': Could not find 'hydra/sweeper/{plugin}'\n\n"
        "Available options in 'hydra/sweeper':\n\tbasic\n"
    )
    told = explain(error)
    assert told.startswith(
        f"hydra/sweeper={plugin}: needs a plugin of Hydra's that is not installed; pip install "
    )
    assert f"hydra-{plugin}-sweeper" in told


def test_a_hint_names_packages_that_are_in_a_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of the extra: this package itself is in none."""
    project = tomllib.loads(
        (Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8")
    )["project"]
    names = [Requirement(one).name for one in project["optional-dependencies"]["text"]]
    monkeypatch.setitem(sys.modules, "sacremoses", None)
    with pytest.raises(UserError) as told:
        subwords.package("sacremoses")
    assert str(told.value) == (
        f"sacremoses is not installed; translation needs it: pip install {' '.join(names)}"
    )


def test_numbers_have_their_plurals() -> None:
    assert [counted(n, "epoch") for n in (0, 1, 2)] == ["0 epochs", "1 epoch", "2 epochs"]
    assert [are(n) for n in (0, 1, 2)] == ["are", "is", "are"]
