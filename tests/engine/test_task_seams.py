"""What a task may ask of the engine: clipping, groups, values of a minibatch, state, decoding, order."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from adam_repro.config.trial import Run
from adam_repro.data import DATASETS, DatasetEntry
from adam_repro.data.dataset import Dataset, Split
from adam_repro.engine.cuda_graph import GraphLoop
from adam_repro.engine.epoch_loop import DeviceLoop
from adam_repro.engine.minibatches import POOL, by_length
from adam_repro.errors import UserError
from adam_repro.runs.execute import execute
from adam_repro.runs.folder import TrialFolder
from adam_repro.sweep.grouping import group
from adam_repro.tasks import MODELS, Batch, Classifier
from adam_repro.tasks.initialise import initialise
from tests.helpers import Compose, KillAfter, Killed, elsewhere, metrics_bytes

ROWS, STEPS, FEATURES, CLASSES = 8, 3, 5, 4


def _split(pieces: int, seed: int) -> Split:
    rng = np.random.default_rng(seed)
    n = pieces * ROWS
    inputs = rng.standard_normal((n, STEPS, FEATURES)).astype(np.float32)
    return Split(inputs, rng.integers(CLASSES, size=n).astype(np.int32))


def _sequences() -> Dataset:
    counts = np.bincount(_split(6, 0).targets, minlength=CLASSES)
    return Dataset("sequences", _split(6, 0), _split(2, 1), CLASSES, _split(3, 2), counts)


class _Recurrent(nn.Module):
    """h = tanh(W x + U h) over the steps, and the outputs V h of the last."""

    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Linear(FEATURES, 6)
        self.u = nn.Linear(6, 6)
        self.v = nn.Linear(6, CLASSES)

    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        for step in range(STEPS):
            h = torch.tanh(self.w(x[:, step]) + self.u(h))
        return self.v(h), (h,)


class Sequences(Classifier):
    columns = (
        "validation_cost", "perplexity", "margin", "validation_margin", "low", "high", "largest",
        "decoded",
    )  # fmt: skip
    group_columns = ("low", "high")
    evaluation_batch = ROWS
    decodes = True

    def prepare(self, dataset: Dataset) -> None:
        self.classes = dataset.classes

    def model(self, generator: torch.Generator) -> nn.Module:
        assert self.classes == CLASSES
        return initialise(_Recurrent(), "glorot_uniform", generator)

    def initial_state(self, n: int, device: torch.device) -> tuple[Tensor, ...]:
        return (torch.zeros(n, 6, device=device),)

    def groups(self, batch: Batch) -> Tensor:
        return (batch.targets >= 2).long()

    def batch_metrics(self, batch: Batch) -> dict[str, Tensor]:
        assert isinstance(batch.inputs, Tensor)
        return {"largest": batch.inputs.max()}

    def test_metrics(self, output: Any, batch: Batch) -> dict[str, Tensor]:
        return {"margin": output.max(-1).values}

    def row_metrics(self, row: Mapping[str, float | int | None]) -> dict[str, float | None]:
        return {"perplexity": float(np.exp(row["test_cost"]))}

    def decode(
        self, model: nn.Module, dataset: Dataset, epoch: int, epochs: int
    ) -> dict[str, float | None]:
        if epoch + 1 < epochs:
            return {}
        x = torch.from_numpy(np.array(dataset.test.inputs[:ROWS]))
        return {"decoded": float(model(x, torch.zeros(ROWS, 6))[0].sum())}


@pytest.fixture
def sequences(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(MODELS, "sequences", Sequences)
    monkeypatch.setitem(DATASETS, "sequences", DatasetEntry(_sequences))
    return


@pytest.fixture
def one(trial: Compose, sequences: None) -> Any:
    """A trial of the task above, with the optimizer's and other settings given."""

    def make(clip: float | None = None, optimizer: str = "adam", **changes: Any) -> Any:
        settings = {
            "name": "sequences", "model": "sequences", "data": {"name": "sequences"}, "l2": 0.0,
            "order": "file", "epoch_examples": None,
        }  # fmt: skip
        base = trial("task=logreg", f"optimizer={optimizer}", "epochs=3", "schedule=constant")
        return replace(base, task=settings, batch_size=ROWS, clip_norm=clip, **changes)

    return make


def _rows(trial: Any, run: Run) -> list[dict[str, str]]:
    with TrialFolder(trial, run.results_dir).metrics.open(newline="") as file:
        return list(csv.DictReader(file))


def _by_hand(trial: Any, clip: float) -> list[dict[str, float]]:
    """The same training as a plain loop: the state is carried from minibatch to minibatch."""
    from adam_repro.random_streams import generator

    data = _sequences()
    task = Sequences(trial.task)
    task.prepare(data)
    model = task.model(generator(trial.seed, "init"))
    optimizer = torch.optim.Adam(model.parameters(), lr=trial.optimizer["lr"])
    rows = []
    for _ in range(trial.epochs):
        h, costs = torch.zeros(ROWS, 6), []
        for x, y in _batches(data.train):
            output, (h,) = model(x, h.detach())
            cost = nn.functional.cross_entropy(output, y, reduction="none")
            optimizer.zero_grad()
            cost.mean().backward()
            nn.utils.clip_grad_norm_(model.parameters(), clip)
            optimizer.step()
            costs.append((cost.detach(), y))
        found = {name: torch.cat([c[m(y)] for c, y in costs]).mean() for name, m in GROUPS.items()}
        with torch.no_grad():
            for name, split in (("test_cost", data.test), ("validation_cost", data.validation)):
                h, each = torch.zeros(ROWS, 6), []
                for x, y in _batches(split):
                    output, (h,) = model(x, h)
                    each.append(nn.functional.cross_entropy(output, y, reduction="none"))
                found[name] = torch.cat(each).mean()
        rows.append({name: float(value) for name, value in found.items()})
    return rows


GROUPS = {
    "train_cost": lambda y: y >= 0,
    "low": lambda y: y < 2,
    "high": lambda y: y >= 2,
}


def _batches(split: Split | None) -> Iterator[tuple[Tensor, Tensor]]:
    assert split is not None
    inputs = torch.from_numpy(np.array(split.inputs))
    targets = torch.from_numpy(np.array(split.targets)).long()
    return zip(inputs.split(ROWS), targets.split(ROWS), strict=True)


@pytest.mark.parametrize("engine", ["looped", "batched"])
def test_state_clipping_groups_and_validation_equal_a_loop_by_hand(
    one: Any, run: Run, engine: str
) -> None:
    trial, clip = one(0.3), 0.3
    execute([trial], replace(run, engine=engine))
    rows, expected = _rows(trial, run), _by_hand(trial, clip)
    for row, by_hand in zip(rows, expected, strict=True):
        for name, value in by_hand.items():
            assert float(row[name]) == pytest.approx(value, rel=2e-5), name
        assert float(row["perplexity"]) == pytest.approx(np.exp(by_hand["test_cost"]), rel=1e-4)
        assert float(row["largest"]) == pytest.approx(
            np.mean([x.max() for x, _ in _batches(_sequences().train)]), rel=1e-6
        )
        assert row["margin"]
        assert row["validation_margin"]
    assert [bool(row["decoded"]) for row in rows] == [False, False, True]
    assert max(float(row["grad_norm"]) for row in rows) > clip  # before clipping: it did clip


def test_a_state_that_is_not_carried_is_another_curve(
    one: Any, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    execute([one()], run)
    monkeypatch.setattr(Sequences, "initial_state", lambda self, n, device: (torch.ones(n, 6),))
    execute([one()], elsewhere(run, "ones"))
    assert metrics_bytes(one(), run) != metrics_bytes(one(), elsewhere(run, "ones"))


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["looped", "batched"])
def test_trials_of_a_stack_clip_and_carry_for_themselves(one: Any, run: Run, engine: str) -> None:
    stack = [one(0.3), one(None), one(0.05, "sgd"), one(1e9)]
    assert len(group(stack)) == 1
    execute(stack, replace(run, engine=engine))
    for trial in stack:
        alone = elsewhere(run, f"alone_{trial.identity}", engine=engine)
        execute([trial], alone)
        for row, same in zip(_rows(trial, run), _rows(trial, alone), strict=True):
            for name in ("train_cost", "validation_cost", "high", "grad_norm"):
                assert float(row[name]) == pytest.approx(float(same[name]), rel=1e-5)
    unclipped, unlimited = (_rows(one(c), run) for c in (None, 1e9))
    assert [r["train_cost"] for r in unclipped] == [r["train_cost"] for r in unlimited]


def test_a_killed_trial_ends_with_the_same_bytes(one: Any, run: Run) -> None:
    trial, killed = one(0.3), elsewhere(run, "killed")
    execute([trial], run)
    with pytest.raises(Killed):
        execute([trial], killed, [KillAfter(9)])
    execute([trial], killed)
    assert metrics_bytes(trial, run) == metrics_bytes(trial, killed)


class _Recorder:
    """Stands for a CUDA graph: what it records is the step itself."""

    def warm_up(self, step: Any) -> None:
        step()

    def record(self, step: Any, draws: Any) -> Any:
        return step


@pytest.mark.parametrize("loop", [DeviceLoop, lambda parts: GraphLoop(parts, _Recorder())])
def test_the_device_s_loop_gives_the_same_rows(
    one: Any, run: Run, monkeypatch: pytest.MonkeyPatch, loop: Any
) -> None:
    execute([one(0.3)], run)
    monkeypatch.setattr("adam_repro.engine.stack.make_loop", loop)
    execute([one(0.3)], elsewhere(run, "device"))
    for row, same in zip(
        _rows(one(0.3), run), _rows(one(0.3), elsewhere(run, "device")), strict=True
    ):
        assert {k: float(v or 0) for k, v in row.items()} == pytest.approx(
            {k: float(v or 0) for k, v in same.items()}, rel=1e-5
        )


def test_sorted_minibatches_hold_every_example_once_and_little_padding() -> None:
    lengths = torch.randint(
        1, 60, (POOL * 16 * 3 + 64,), generator=torch.Generator().manual_seed(0)
    )
    order = torch.randperm(len(lengths), generator=torch.Generator().manual_seed(1))
    found = by_length(order, lengths, 16, torch.Generator().manual_seed(2))
    assert torch.equal(found.sort().values, torch.arange(len(lengths)))

    def padding(rows: Tensor) -> int:
        each = lengths[rows].view(-1, 16)
        return int((each.max(1).values[:, None] - each).sum())

    assert padding(found) < padding(order) / 5
    firsts = lengths[found].view(-1, 16).float().mean(1)[:POOL]
    assert not torch.equal(firsts, firsts.sort().values)  # the minibatches themselves are shuffled


def test_an_order_by_length_needs_lengths(trial: Compose, run: Run) -> None:
    with pytest.raises(UserError, match=r"order=by_length.*have no lengths; use every_pass"):
        execute([trial("task=logreg", "task.order=by_length")], run)


def test_a_stack_refuses_sfo_with_clipping(trial: Compose, run: Run) -> None:
    with pytest.raises(UserError, match="clip_norm=1: SFO"):
        execute([trial("task=mlp_deterministic", "optimizer=sfo", "clip_norm=1")], run)


@pytest.mark.parametrize("value", ["0", "-1", "nan", "inf", "yes"])
def test_a_norm_that_cannot_be_is_refused(trial: Compose, value: str) -> None:
    with pytest.raises(UserError, match="clip_norm="):
        trial("task=logreg", f"clip_norm={value}")


def test_an_unclipped_trial_keeps_its_identity(trial: Compose) -> None:
    assert trial("clip_norm=null").identity == trial().identity
    assert trial("clip_norm=1").identity != trial().identity
    assert "clip_norm" not in trial().settings
