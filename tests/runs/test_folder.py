"""Files of a trial that a disk, an editor or another program has damaged: told, never trained over."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from adam_repro.config.trial import Run
from adam_repro.errors import UserError
from adam_repro.runs.execute import execute
from adam_repro.runs.folder import TrialFolder
from tests.helpers import Compose, CountingCallback, KillAfter, Killed


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-9])


def garble(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:80] + b"\xff\x00\xfe\n")


def empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("damage", [cut, garble, empty, Path.unlink])
@pytest.mark.parametrize("name", ["metrics", "timing"])
def test_lost_rows_of_a_finished_trial_are_told(
    name: str, damage: Callable[[Path], None], trial: Compose, run: Run, counter: CountingCallback
) -> None:
    one = trial("task=logreg")
    execute([one], run, [counter])
    folder = TrialFolder(one, run.results_dir)
    path: Path = getattr(folder, name)
    damage(path)
    before = counter.steps
    with pytest.raises(
        UserError, match=rf"{name}.csv: the trial is finished, but has whole rows for \d of"
    ):
        execute([one], run, [counter])
    assert counter.steps == before


@pytest.mark.parametrize("damage", [cut, garble, empty, Path.unlink])
def test_a_checkpoint_without_rows_beyond_the_rows_is_not_gone_on_from(
    damage: Callable[[Path], None], trial: Compose, run: Run
) -> None:
    """One from before checkpoints held the rows up to their epoch."""
    one = trial("task=logreg")
    with pytest.raises(Killed):
        execute([one], run, [KillAfter(20)])  # in the third epoch
    folder = TrialFolder(one, run.results_dir)
    state = torch.load(folder.checkpoint, weights_only=True)
    del state["rows"]
    torch.save(state, folder.checkpoint)
    damage(folder.metrics)
    if len(folder._rows()[0].rows) >= state["epoch"]:  # the checkpoint is of an earlier row
        folder.metrics.unlink()
    with pytest.raises(
        UserError, match=r"metrics.csv: there are whole rows for \d epochs?, and the checkpoint"
    ):
        execute([one], run)
    assert folder.status() == "running"


def test_a_checkpoint_that_lacks_something_is_named(trial: Compose, run: Run) -> None:
    one = trial("task=logreg")
    with pytest.raises(Killed):
        execute([one], run, [KillAfter(10)])
    folder = TrialFolder(one, run.results_dir)
    state = torch.load(folder.checkpoint, weights_only=True)
    del state["theta"]
    torch.save(state, folder.checkpoint)
    with pytest.raises(
        UserError, match=r"state.pt: not a readable checkpoint \(KeyError\); delete it"
    ):
        execute([one], run)
