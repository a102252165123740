"""Whose code a trial's optimizer and task are: own files through their imports, packages by version."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest
import yaml

from adam_repro import source_code
from adam_repro.config.trial import Run
from adam_repro.runs import sources
from adam_repro.runs.execute import execute, warn_if_code_changed
from adam_repro.runs.folder import TrialFolder
from tests.helpers import Compose, KillAfter, Killed, foreign_trial

OWN = """
import torch
import yaml
from rates import scale

class Mine(torch.optim.SGD):
    def step(self, closure=None):
        import lazily.deep
        return super().step(closure)
"""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A module of a person's own that imports two more, one of them within a function."""
    (tmp_path / "lazily").mkdir()
    for name, text in (
        ("own_rule.py", OWN),
        ("rates.py", "from math import pi\nscale = 1.0\n"),
        ("lazily/__init__.py", ""),
        ("lazily/deep.py", "from . import sibling\n"),
        ("lazily/sibling.py", "depth = 1\n"),
    ):
        (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    for name in [one for one in sys.modules if one in ("own_rule", "rates") or "lazily" in one]:
        del sys.modules[name]


def test_own_modules_are_followed_and_packages_named(own: Path, trial: Compose) -> None:
    one = foreign_trial("", trial, "own_rule.Mine")
    code = source_code.source_code(["own_rule"])
    assert set(code.files) == {"own_rule", "rates", "lazily", "lazily.deep", "lazily.sibling"}
    assert code.packages == {
        "PyYAML": metadata.version("PyYAML")
    }  # not torch, which is anyway there
    entries = sources.provenance_entries(one, {})
    assert entries.pop(sources.FILES).keys() == {*code.files, "adam_repro.tasks.logreg"}
    assert entries == {sources.OPTIMIZER: code.digest, sources.PACKAGES: code.packages}
    assert not sources.changes(one, entries)


@pytest.mark.parametrize("name", ["own_rule.py", "rates.py", "lazily/sibling.py"])
def test_a_change_in_any_of_them_is_told(own: Path, trial: Compose, name: str) -> None:
    one = foreign_trial("", trial, "own_rule.Mine")
    before = sources.provenance_entries(one, {})
    with (own / name).open("a", encoding="utf-8") as file:
        file.write("more = 2\n")
    (change,) = sources.changes(one, before)
    assert change == f"{own / name} has changed"
    del before[sources.FILES]  # as of a trial from before they were noted
    (change,) = sources.changes(one, before)
    assert change == f"{own / 'own_rule.py'}, or a file that it imports, has changed"
    both = sources.provenance_entries(one, before)[sources.OPTIMIZER].split()
    assert both[0] == before[sources.OPTIMIZER]
    assert len(set(both)) == 2


def test_another_version_of_a_package_is_told(own: Path, trial: Compose) -> None:
    one = foreign_trial("", trial, "own_rule.Mine")
    before = sources.provenance_entries(one, {})
    before[sources.PACKAGES] = {"PyYAML": "3.0"}
    (change,) = sources.changes(one, before)
    assert change.startswith(f"PyYAML is {metadata.version('PyYAML')} now, and was 3.0")


def test_what_is_ours_or_pytorchs_needs_no_entry(trial: Compose) -> None:
    for one in (trial("task=logreg"), foreign_trial("", trial, "torch.optim.NAdam")):
        entries = sources.provenance_entries(one, {})
        assert all(name.startswith("adam_repro.") for name in entries.pop(sources.FILES))
        assert entries == {}


@pytest.mark.parametrize("module", ["adam_repro.tasks.logreg", "adam_repro.optim.adam"])
def test_a_file_of_the_package_counts_for_a_trial_that_goes_on(
    module: str, trial: Compose, run: Run
) -> None:
    one = trial("task=logreg", "optimizer=adam")
    folder = TrialFolder(one, run.results_dir)
    with pytest.raises(Killed):
        execute([one], run, [KillAfter(17)])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_if_code_changed([folder])
    content = yaml.safe_load(folder.metadata_path.read_text())
    content["provenance"][sources.FILES][module] = "of another file"
    folder.metadata_path.write_text(yaml.safe_dump(content))
    changed = rf"{module.rpartition('.')[2]}.py has changed since \S+ was begun; its rows stay, and"
    with pytest.warns(RuntimeWarning, match=changed):
        execute([one], run)
    with warnings.catch_warnings():  # a complete trial is as it was
        warnings.simplefilter("error")
        execute([one], run)


def test_an_argument_by_its_path_counts_too(own: Path, trial: Compose) -> None:
    base = "++optimizer.kwargs.base={_target_: hydra.utils.get_class, path: own_rule.Mine}"
    one = foreign_trial("", trial, "torch.optim.NAdam", base)
    assert sources.provenance_entries(one, {})[sources.OPTIMIZER]
