"""One byte of one file of a trial is changed: it is told, or it changes nothing; never another curve."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from adam_repro.config.trial import Run, Trial
from adam_repro.errors import UserError
from adam_repro.plots import trial as drawing
from adam_repro.results.checksums import changed_csvs
from adam_repro.runs.checkpoint import Checkpoints, CheckpointSchedule
from adam_repro.runs.execute import execute
from adam_repro.runs.folder import TrialFolder
from tests.helpers import Compose, KillAfter, Killed, elsewhere, metrics_bytes

FILES = ("metrics.csv", "timing.csv", "trial.yaml", "state.pt", "state.previous.pt")


@pytest.fixture(autouse=True)
def _a_checkpoint_an_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CheckpointSchedule, "SHARE", float("inf"))


@pytest.fixture
def one(trial: Compose) -> Trial:
    return trial("task=logreg", "task.data.n_train=64", "task.data.n_test=16", "batch_size=16",
                 "epochs=5")  # fmt: skip


def kill(one: Trial, run: Run) -> TrialFolder:
    """A trial that is killed in its fourth epoch."""
    with pytest.raises(Killed):
        execute([one], run, [KillAfter(3 * 4 + 2)])
    folder = TrialFolder(one, run.results_dir)
    assert {path.name for path in folder.path.iterdir()} == {*FILES, ".lock"}
    return folder


def offsets(size: int, inside: int) -> list[int]:
    """Places in a file: its head, its tail, and so many between them."""
    between = np.linspace(0, size - 1, inside + 2).astype(int)
    edges = [1, 5, 9, 27, size - 2, size - 20, size - 75, size - 80, size - 95]
    return sorted({int(at) for at in (*between, *edges) if 0 <= at < size})


def change(path: Path, at: int, mask: int = 1) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= mask
    path.write_bytes(content)


def seconds(folder: TrialFolder) -> list[bytes]:
    return folder.timing.read_bytes().splitlines()


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
def test_a_changed_byte_of_a_killed_trial(name: str, one: Trial, run: Run) -> None:
    execute([one], elsewhere(run, "whole"))
    folder = kill(one, run)
    measured = seconds(folder)
    told = 0
    for at in offsets((folder.path / name).stat().st_size, 12):
        tried = elsewhere(run, f"at{at}")
        shutil.copytree(run.results_dir, tried.results_dir)
        there = TrialFolder(one, tried.results_dir)
        change(there.path / name, at)
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            assert execute([one], tried) == {one.identity: "finished"}
        told += any(name in str(one_said.message) for one_said in said)
        assert metrics_bytes(one, tried) == metrics_bytes(one, elsewhere(run, "whole"))
        kept = 3 if name == "state.pt" else 4  # the head, and a row for every epoch gone on from
        assert seconds(there)[:kept] == measured[:kept]
    # The older checkpoint is not looked at here, and a trial.yaml has words that mean nothing.
    assert told > 0 if name != "state.previous.pt" else told == 0


@pytest.mark.slow
@pytest.mark.parametrize("name", ["metrics.csv", "timing.csv", "trial.yaml"])
def test_a_changed_byte_of_a_finished_trial(name: str, one: Trial, run: Run) -> None:
    execute([one], run)
    whole = metrics_bytes(one, run)
    told = 0
    places = offsets((TrialFolder(one, run.results_dir).path / name).stat().st_size, 20)
    for at in places:
        tried = elsewhere(run, f"at{at}")
        shutil.copytree(run.results_dir, tried.results_dir)
        there = TrialFolder(one, tried.results_dir).path
        change(there / name, at)
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            try:
                outcome = execute([one], tried)
            except UserError as error:
                told += str(there) in str(error)
                continue
        told += bool(said)
        assert outcome == {one.identity: "finished"}
        assert metrics_bytes(one, tried) == whole
    assert told == len(places) if name != "trial.yaml" else told > 0


@pytest.mark.slow
def test_every_changed_byte_of_a_checkpoint_is_noticed(one: Trial, run: Run) -> None:
    folder = kill(one, run)
    content = folder.checkpoint.read_bytes()
    device = torch.device("cpu")
    places = {*range(64), *range(64, len(content), 997), *range(len(content) - 200, len(content))}
    for at in sorted(places):
        folder.checkpoint.write_bytes(content)
        change(folder.checkpoint, at)
        checkpoints = Checkpoints(folder.path, one.identity, one.epochs)
        with pytest.warns(RuntimeWarning, match=r"state.pt: this checkpoint is damaged .* epoch 2"):
            state = checkpoints.load(device)
        assert state is not None
        assert state["epoch"] == 2


def zero_the_middle(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes(4096) + content[middle + 4096 :]


@pytest.mark.slow
@pytest.mark.parametrize(
    "damage",
    [
        zero_the_middle,
        lambda content: content[: len(content) // 2],
        lambda content: content[:-30],
        lambda content: content[:-4096] + bytes(4096),
        lambda content: content + b"\0",
        lambda content: bytes(len(content)),
        lambda content: b"",
    ],
    ids=["zeros inside", "half", "no checksum", "zeros at the end", "longer", "zeros", "empty"],
)
def test_a_damaged_checkpoint_costs_an_epoch(
    damage: Callable[[bytes], bytes], one: Trial, run: Run
) -> None:
    execute([one], elsewhere(run, "whole"))
    folder = kill(one, run)
    folder.checkpoint.write_bytes(damage(folder.checkpoint.read_bytes()))
    counter = KillAfter(-1)
    with pytest.warns(RuntimeWarning, match=r"state.pt: this checkpoint is damaged .* epoch 2"):
        execute([one], run, [counter])
    assert counter.steps == 3 * 4
    assert metrics_bytes(one, run) == metrics_bytes(one, elsewhere(run, "whole"))


def test_a_good_checkpoint_is_not_replaced_by_a_damaged_one(one: Trial, run: Run) -> None:
    """A second kill, before there are two good ones again."""
    execute([one], elsewhere(run, "whole"))
    folder = kill(one, run)
    folder.checkpoint.write_bytes(zero_the_middle(folder.checkpoint.read_bytes()))
    good = folder.checkpoints.previous.read_bytes()
    with pytest.warns(RuntimeWarning, match="damaged"), pytest.raises(Killed):
        execute([one], run, [KillAfter(6)])  # it has saved its third epoch
    assert folder.checkpoints.previous.read_bytes() == good
    execute([one], run)
    assert metrics_bytes(one, run) == metrics_bytes(one, elsewhere(run, "whole"))


def test_a_kill_between_the_two_renames_costs_nothing(one: Trial, run: Run) -> None:
    folder = kill(one, run)
    folder.checkpoint.rename(folder.checkpoints.previous)
    assert folder.epoch() == 3


def test_two_damaged_checkpoints_are_named(one: Trial, run: Run) -> None:
    folder = kill(one, run)
    for path in (folder.checkpoint, folder.checkpoints.previous):
        change(path, 2000)
    with pytest.raises(
        UserError, match=r"state.pt and .*state.previous.pt: .*delete them to train"
    ):
        execute([one], run)


@pytest.mark.parametrize("name", ["metrics.csv", "timing.csv"])
@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_bytes(b"")])
def test_lost_rows_beside_a_good_checkpoint_cost_nothing(
    name: str, damage: Callable[[Path], None], one: Trial, run: Run
) -> None:
    execute([one], elsewhere(run, "whole"))
    folder = kill(one, run)
    damage(folder.path / name)
    counter = KillAfter(-1)
    with pytest.warns(RuntimeWarning, match=f"{name}: rows were lost or changed; put back"):
        execute([one], run, [counter])
    assert counter.steps == 2 * 4  # the fourth and the fifth epoch
    assert metrics_bytes(one, run) == metrics_bytes(one, elsewhere(run, "whole"))


def test_a_checkpoint_from_before_there_were_checksums_is_gone_on_from(
    one: Trial, run: Run
) -> None:
    execute([one], elsewhere(run, "whole"))
    folder = kill(one, run)
    state = torch.load(folder.checkpoint, weights_only=True)
    del state["rows"]
    torch.save(state, folder.checkpoint)
    folder.checkpoints.previous.unlink()
    counter = KillAfter(-1)
    execute([one], run, [counter])
    assert counter.steps == 2 * 4
    assert metrics_bytes(one, run) == metrics_bytes(one, elsewhere(run, "whole"))


@pytest.mark.parametrize(
    ("forge", "says"),
    [
        (
            lambda s: s | {"theta": torch.tensor(0.5)},
            r"theta'\] is float32 \[\], it must be float32",
        ),
        (lambda s: s | {"theta": s["theta"].double()}, "is float64"),
        (lambda s: s | {"theta": 0.0}, "is a float"),
        (lambda s: s | {"optimizer": {**s["optimizer"], "m": torch.zeros(1)}}, r"'m'\]"),
        (lambda s: s | {"optimizer": 3}, "must be a mapping"),
        (lambda s: s | {"epoch": 99}, "epoch 99 of 5"),
        (lambda s: s | {"epoch": -1}, "epoch -1 of 5"),
    ],
)
def test_a_forged_checkpoint_is_refused(
    forge: Callable[[dict[str, object]], dict[str, object]], says: str, one: Trial, run: Run
) -> None:
    """Without a checksum it is as good as one from before."""
    folder = kill(one, run)
    state = torch.load(folder.checkpoint, weights_only=True)
    torch.save(forge(state), folder.checkpoint)
    folder.checkpoints.previous.unlink()
    with pytest.raises(UserError, match=f"state.pt: not a readable checkpoint .*{says}"):
        execute([one], run)


@pytest.mark.parametrize(
    ("words", "forge"),
    [
        (["optimizer=sfo", "schedule=constant", "optimizer.n_subfunctions=4"],
         lambda s: s["sfo"].update(x=s["sfo"]["x"][:1])),
        (["optimizer=sfo", "schedule=constant", "optimizer.n_subfunctions=4"],
         lambda s: s["sfo"]["models"].update({key: torch.zeros(()) for key in s["sfo"]["models"]})),
        (["averaging=polyak"], lambda s: s["average"].update(mean=torch.zeros(1))),
        (["task=counterexample", "task.rounds=400", "optimizer.lr=0.1"],
         lambda s: s["point"].update(x="1.0")),
    ],
    ids=["SFO", "SFO's models", "average", "counterexample"],
)  # fmt: skip
def test_a_forged_part_of_any_state_is_refused(
    words: list[str],
    forge: Callable[[dict[str, dict[str, object]]], None],
    trial: Compose,
    run: Run,
) -> None:
    small = ["task.data.n_train=64", "task.data.n_test=16", "batch_size=16"]
    online = any("counterexample" in word for word in words)
    one = trial(*([] if online else ["task=logreg", *small]), "epochs=4", *words, tiny=not online)
    with pytest.raises(Killed):
        execute([one], run, [KillAfter(3 if online else 3 * 4)])
    folder = TrialFolder(one, run.results_dir)
    state = torch.load(folder.checkpoint, weights_only=True)
    forge(state)
    torch.save(state, folder.checkpoint)
    folder.checkpoints.previous.unlink(missing_ok=True)
    with pytest.raises(UserError, match=r"state.pt: not a readable checkpoint .* it must be"):
        execute([one], run)


@pytest.mark.parametrize(
    "text",
    [b"\xff\xfe\x00", b"identity: 1\nstatus: finished\ncon", b"", b"[1]", None],
    ids=["not UTF-8", "cut", "empty", "list", "gone"],
)
def test_the_rows_of_a_trial_whose_record_is_unreadable_are_kept(
    text: bytes | None, one: Trial, run: Run
) -> None:
    execute([one], run)
    expected = metrics_bytes(one, run)
    folder = TrialFolder(one, run.results_dir)
    folder.metadata_path.unlink() if text is None else folder.metadata_path.write_bytes(text)
    with pytest.warns(
        RuntimeWarning, match=r"trial.yaml: not .*which may be complete; they are kept"
    ):
        assert execute([one], run) == {one.identity: "finished"}
    assert metrics_bytes(one, run) == expected
    assert (folder.path / "metrics.csv.old1").read_bytes() == expected
    assert (folder.path / "timing.csv.old1").exists()
    if text is not None:
        assert (folder.path / "trial.yaml.old1").read_bytes() == text


@pytest.mark.slow
def test_a_record_cut_within_its_provenance_is_that_of_a_finished_trial(
    one: Trial, run: Run
) -> None:
    execute([one], run)
    folder = TrialFolder(one, run.results_dir)
    text = folder.metadata_path.read_bytes()
    start = text.index(b"provenance:")
    for end in range(start, len(text), 7):
        folder.metadata_path.write_bytes(text[:end])
        counter = KillAfter(-1)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a cut that happens to be at the end of a line
            assert execute([one], run, [counter]) == {one.identity: "finished"}
        assert counter.steps == 0
        assert "finished after 5 epochs" in drawing.summary(folder.path)
    assert (folder.path / "trial.yaml.old1").read_bytes() == text[:start]


def test_other_line_ends_are_not_a_change(one: Trial, run: Run) -> None:
    execute([one], run)
    folder = TrialFolder(one, run.results_dir)
    sums = yaml.safe_load(folder.metadata_path.read_text(encoding="utf-8"))["checksums"]
    lines = folder.metrics.read_bytes()
    folder.metrics.write_bytes(b"\xef\xbb\xbf" + lines.replace(b"\n", b"\r\n"))
    assert changed_csvs(folder.path, sums) == []
    for changed in (lines.replace(b"1", b"2", 1), lines.replace(b"test_cost", b"tess_cost"), b""):
        folder.metrics.write_bytes(changed)
        assert changed_csvs(folder.path, sums) == [folder.metrics]
