"""Loggers, with the real libraries writing to disk: what is there afterwards is what metrics.csv has."""

from __future__ import annotations

import csv
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, ClassVar

import pytest

from adam_repro.cli import main
from adam_repro.config.trial import LOGGERS, Run, Trial
from adam_repro.errors import UserError
from adam_repro.runs import loggers
from adam_repro.runs.checkpoint import CheckpointSchedule
from adam_repro.runs.execute import execute
from adam_repro.runs.loggers.base import OpenRun, TrialLogger
from adam_repro.sweep import train_all
from tests.helpers import TINY_COMMAND, Compose, KillAfter, Killed, elsewhere, metrics_bytes

NAMES = [name for name in LOGGERS if name != "none"]


@dataclass
class Logged:
    """A run as its library has it on disk. ``points``: (epoch, training cost), in order of writing."""

    group: str
    settings: dict[str, str]
    points: list[tuple[int, float]]
    status: str
    curve: bool


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each logger whose library is installed, kept from the net."""
    if request.param in loggers.NEEDS:
        pytest.importorskip(loggers.NEEDS[request.param][0])
    monkeypatch.setenv("WANDB_MODE", "offline")
    for variable in ("MLFLOW_DISABLE_TELEMETRY", "DO_NOT_TRACK"):
        monkeypatch.setenv(variable, "true")
    for variable in ("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME", "WANDB_PROJECT"):
        monkeypatch.delenv(variable, raising=False)
    return str(request.param)


def from_tensorboard(results: Path) -> list[Logged]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = []
    for folder in sorted({file.parent for file in results.rglob("events.out.tfevents.*")}):
        events = EventAccumulator(str(folder)).Reload()
        text, status = (
            "".join(
                part.decode() for one in events.Tensors(tag) for part in one.tensor_proto.string_val
            )
            if tag in events.Tags()["tensors"]
            else ""
            for tag in ("settings/text_summary", "status/text_summary")
        )
        lines = (line.strip().partition(": ") for line in text.splitlines())
        points = [(one.step, one.value) for one in events.Scalars("train_cost")]
        curve = "curve" in events.Tags()["images"]
        settings = {key: value for key, _, value in lines}
        found.append(Logged(folder.parent.name, settings, points, status, curve))
    return found


def from_mlflow(results: Path) -> list[Logged]:
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{results / 'mlflow.db'}")
    (experiment,) = (one for one in client.search_experiments() if one.name == "adam-repro")
    found = []
    for run in client.search_runs([experiment.experiment_id]):
        history = client.get_metric_history(run.info.run_id, "train_cost")
        files = [one.path for one in client.list_artifacts(run.info.run_id)]
        ended = run.data.tags["status"]
        assert run.info.status == {"failed": "FAILED", "running": "RUNNING"}.get(ended, "FINISHED")
        points = [(one.step, one.value) for one in history]
        group = run.data.tags["sweep"]
        found.append(Logged(group, run.data.params, points, ended, "curve.png" in files))
    return found


def from_wandb(results: Path) -> list[Logged]:
    """The runs of the offline files. Those of one id are one run once they are uploaded, the later over
    the earlier."""
    import wandb
    from wandb.proto.wandb_internal_pb2 import Record

    wandb.teardown()  # its service writes what it still holds
    found: dict[str, Logged] = {}
    for path in sorted(results.rglob("*.wandb"), key=lambda path: path.stat().st_mtime_ns):
        points = []
        run_id, one = "", Logged("", {}, [], "", False)
        for data in _records(path.read_bytes()[7:]):
            record = Record.FromString(data)
            if record.HasField("run"):
                run_id, one.group = record.run.run_id, record.run.run_group
                one.settings |= {item.key: item.value_json for item in record.run.config.update}
            values = {
                item.key or "/".join(item.nested_key): item.value_json
                for item in record.history.item
            }
            if "train_cost" in values:
                points.append((int(values["_step"]), float(values["train_cost"])))
            one.curve |= any(key.startswith("curve") for key in values)
            for item in record.summary.update:
                if item.key == "status":
                    one.status = item.value_json.strip('"')
        one.points = points
        found[run_id] = one
    return list(found.values())


def _records(content: bytes) -> Iterator[bytes]:
    """The records of a LevelDB log: blocks of 32 KiB, with a checksum, length and kind before each piece."""
    at, whole = 0, b""
    while at + 7 <= len(content):
        left = 32768 - (at + 7) % 32768  # of the block; the file's own head is its first 7 bytes
        if left < 7:
            at += left
            continue
        length, kind = struct.unpack("<HB", content[at + 4 : at + 7])
        whole += content[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # a whole record, or its last piece
            yield whole
            whole = b""


READ: dict[str, Callable[[Path], list[Logged]]] = {
    "tensorboard": from_tensorboard,
    "mlflow": from_mlflow,
    "wandb": from_wandb,
}


def rows(trial: Trial, run: Run) -> list[tuple[int, float]]:
    """(epoch, training cost) of a trial's metrics.csv."""
    with (trial.folder(run.results_dir) / "metrics.csv").open(encoding="utf-8") as file:
        return [(int(row["epoch"]), float(row["train_cost"])) for row in csv.DictReader(file)]


def close(found: Sequence[tuple[int, float]], wanted: Sequence[tuple[int, float]]) -> bool:
    same = [epoch for epoch, _ in found] == [epoch for epoch, _ in wanted]
    pairs = zip(found, wanted, strict=False)
    return same and all(abs(a - b) <= 1e-5 * abs(b) for (_, a), (_, b) in pairs)


@pytest.mark.slow
def test_each_trial_of_a_stack_is_a_run(name: str, trial: Compose, run: Run) -> None:
    trials = [trial("task=logreg", f"optimizer.lr={lr}") for lr in (1e-3, 1e-2)]
    logged = replace(run, engine="batched", logger=name, sweep="friday")
    train_all(trials, logged)
    found = READ[name](run.results_dir)
    assert len(found) == 2
    for one in found:
        assert (one.group, one.status, one.curve) == ("friday", "finished", True)
    for own in trials:
        (mine,) = (one for one in found if close(one.points, rows(own, run)))
        assert str(own.optimizer["lr"]) in " ".join(map(str, mine.settings.values()))
        assert not (own.folder(run.results_dir) / "logger.yaml").exists()
    plain = elsewhere(run, "plain", engine="batched")
    train_all(trials, plain)
    for own in trials:
        assert metrics_bytes(own, run) == metrics_bytes(own, plain)


@pytest.mark.slow
def test_a_resumed_trial_has_no_gap_and_no_double_point(
    name: str, trial: Compose, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is killed in its third epoch; the checkpoint is of the first, so the second is trained again."""
    own = trial("task=logreg", "epochs=4")
    logged = replace(run, logger=name, sweep="friday")
    due, first = CheckpointSchedule.due, iter([True])
    monkeypatch.setattr(CheckpointSchedule, "due", lambda self: due(self) and next(first, False))
    with pytest.raises(Killed):
        execute([own], logged, [*loggers.make(logged), KillAfter(20)])
    monkeypatch.undo()
    monkeypatch.setenv("WANDB_MODE", "offline")
    if name == "wandb":  # its service ends with the process
        pytest.importorskip("wandb").teardown()
    again = replace(logged, sweep="monday")
    assert execute([own], again, loggers.make(again)) == {own.identity: "finished"}
    (found,) = READ[name](run.results_dir)
    assert (found.group, found.status, found.curve) == ("friday", "finished", True)
    assert close(found.points, rows(own, run))


@pytest.mark.slow
def test_a_logger_that_begins_late_has_every_epoch(name: str, trial: Compose, run: Run) -> None:
    own = trial("task=logreg")
    with pytest.raises(Killed):
        execute([own], run, [KillAfter(20)])
    logged = replace(run, logger=name)
    execute([own], logged, loggers.make(logged))
    (found,) = READ[name](run.results_dir)
    assert close(found.points, rows(own, run))


@pytest.mark.slow
def test_a_logger_that_fails_warns_once(
    name: str, trial: Compose, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    trials = [trial("task=logreg", f"seed={seed}") for seed in (0, 1)]
    logged = replace(run, logger=name)
    (logger,) = loggers.make(logged)

    def refuse(*_: Any) -> None:
        raise OSError("the server is on fire")

    monkeypatch.setattr(type(logger), "log", refuse)
    with pytest.warns(RuntimeWarning) as told:
        train_all(trials, logged)
    mine = [str(one.message) for one in told if "logger=" in str(one.message)]
    assert mine == [
        f"logger={name}: failed (OSError: the server is on fire); nothing is logged from here on, and "
        "training goes on"
    ]
    plain = elsewhere(run, "plain")
    train_all(trials, plain)
    for own in trials:
        assert metrics_bytes(own, run) == metrics_bytes(own, plain)


@pytest.mark.parametrize("name", loggers.NEEDS)
def test_a_missing_library_is_told_before_anything_is_trained(
    name: str, trial: Compose, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loggers, "find_spec", lambda module: None)
    with pytest.raises(UserError) as told:
        train_all([trial("task=logreg")], replace(run, logger=name))
    assert str(told.value) == f"logger={name}: {name} is not installed; pip install {name}"
    assert not run.results_dir.exists()


def test_what_is_needed_is_that_of_a_logger() -> None:
    assert set(loggers.NEEDS) <= set(NAMES)
    assert set(READ) == set(NAMES)  # a logger of your own: a function that reads back what it wrote


class Remembers(TrialLogger):
    """Keeps what it is given."""

    name = "remembers"
    kept: ClassVar[dict[str, dict[int, dict[str, float]]]] = {}

    def begin(self, trial: Trial, sweep: str, key: str | None) -> OpenRun:
        return OpenRun(self.kept.setdefault(trial.identity, {}), trial.identity)

    def log(self, run: OpenRun, epoch: int, values: Mapping[str, float]) -> None:
        run.handle[epoch] = dict(values)

    def end(self, run: OpenRun, status: str, curve: Path | None) -> None:
        run.handle[-1] = {}


def test_every_value_is_the_one_of_metrics_csv(trial: Compose, run: Run) -> None:
    own = trial("task=logreg")
    execute([own], run, [Remembers(run)])
    logged = Remembers.kept[own.identity]
    assert logged.pop(-1) == {}  # it was ended
    with (own.folder(run.results_dir) / "metrics.csv").open(encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == len(logged) == own.epochs
    for line in lines:
        cells = {name: float(text) for name, text in line.items() if text and name != "epoch"}
        assert logged[int(line["epoch"])] == cells


class Unfinished(TrialLogger):
    """Lacks everything."""


@pytest.mark.parametrize("module", [ModuleType("empty"), SimpleNamespace(Logger=Unfinished), None])
def test_a_logger_that_is_not_whole_is_told(
    module: Any, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = "adam_repro.runs.loggers.wandb"
    monkeypatch.setattr(loggers, "NEEDS", {})
    monkeypatch.setitem(sys.modules, place, module)
    with pytest.raises(UserError, match=rf"logger=wandb: {place} must have a class Logger"):
        loggers.make(replace(run, logger="wandb"))


def test_an_unknown_logger_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["run", "task=logreg", "logger=comet", *TINY_COMMAND]) == 2
    legal = ", ".join(LOGGERS)
    assert capfd.readouterr().err == f"adam-repro run: logger=comet: must be one of {legal}\n"


@pytest.mark.slow
def test_without_a_logger_no_library_is_imported() -> None:
    words = ["run", "task=logreg", *TINY_COMMAND]
    code = (
        "import sys, tempfile; from adam_repro.cli import main;"
        "status = main([*sys.argv[1:], f'results_dir={tempfile.mkdtemp()}']);"
        "found = {'tensorboard', 'mlflow', 'wandb'} & set(sys.modules);"
        "sys.exit(f'imported {found}' if found else status)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, encoding="utf-8"
    )
    assert done.returncode == 0, done.stderr
