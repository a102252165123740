"""What the benchmarks train: parts of the real data sets, and the engine's time for them."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from adam_repro import data
from adam_repro.config import compose
from adam_repro.config.trial import Run, Trial
from adam_repro.data.dataset import Dataset, SparseRows, Split
from adam_repro.engine.protocol import Row
from adam_repro.runs.callbacks import Callback
from adam_repro.runs.execute import execute

PART = "benchmark"  # the name under which the part of a data set is loaded


@dataclass(frozen=True)
class Job:
    """A task on the first examples of its data set. The first epoch warms up and is not counted."""

    task: str
    n_train: int
    n_test: int
    epochs: int = 3
    batch: int = 128
    optimizer: tuple[str, ...] = ("optimizer=adam",)

    @property
    def data(self) -> str:
        """The name of the task's data set."""
        return {"cnn": "cifar10", "imdb": "imdb", "lm": "brown", "lm_lstm": "wikitext2"}.get(
            self.task, "mnist"
        )

    @property
    def in_order(self) -> bool:
        """Whether every minibatch goes on where the one before it ended."""
        return self.task == "lm_lstm"

    @property
    def evaluation_batch(self) -> int:
        """Examples of an evaluation's minibatch."""
        return self.batch if self.in_order else 1000

    @property
    def steps(self) -> int:
        return self.n_train // self.batch

    def quick(self) -> Job:
        """Two minibatches of it."""
        return replace(self, n_train=2 * self.batch, n_test=2 * self.batch, epochs=2)

    def trials(self, count: int) -> list[Trial]:
        """That many trials, which differ in their stepsizes."""
        words = [
            f"task={self.task}", *self.optimizer, "averaging=none", "schedule=constant",
            f"epochs={self.epochs}", f"batch_size={self.batch}",
            f"task.order={'file' if self.in_order else 'every_pass'}",
            "task.epoch_examples=null", f"task.data.name={PART}",
            f"+task.data.n_train={self.n_train}", f"+task.data.n_test={self.n_test}",
            f"+task.data.of={self.data}", "eval_train_every=0",
        ]  # fmt: skip
        lrs = [1e-3 * (1 + i / 64) for i in range(count)]
        return [compose.trial([*words, f"optimizer.lr={lr}"]) for lr in lrs]


@cache
def part(
    of: str,
    n_train: int,
    n_test: int,
    whitening: str | None = None,
    zca_eps: float | None = None,
    values: str | None = None,
    layout: str | None = None,
    context: int | None = None,
    min_count: int | None = None,
    vocabulary: int | None = None,
    tokens: int | None = None,
    tracks: int | None = None,
    steps: int | None = None,
) -> Dataset:
    """The first examples of the data set ``of``, which some tasks give options of their own."""
    options = {
        "whitening": whitening, "zca_eps": zca_eps, "values": values,
        "layout": layout, "context": context, "min_count": min_count,
        "vocabulary": vocabulary, "tokens": tokens, "tracks": tracks, "steps": steps,
    }  # fmt: skip
    whole = data.load(of, **{key: value for key, value in options.items() if value is not None})
    train, test = _first(whole.train, n_train), _first(whole.test, n_test)
    return Dataset(PART, train, test, whole.classes, counts=whole.counts)


data.DATASETS[PART] = data.DatasetEntry(part)


def _first(split: Split, n: int) -> Split:
    inputs = split.inputs
    if isinstance(inputs, SparseRows):
        end = int(inputs.indptr[n])
        inputs = SparseRows(
            inputs.indptr[: n + 1], inputs.indices[:end], inputs.values[:end], inputs.columns
        )
        return Split(inputs, split.targets[:n])
    return Split(inputs[:n], split.targets[:n])


def load(job: Job) -> Dataset:
    """A job's data, as its trials have it."""
    options = dict(job.trials(1)[0].task["data"])
    options.pop("name")
    return part(**options)


class Clock(Callback):
    """Notes when each epoch ends."""

    def __init__(self) -> None:
        self.ends: list[float] = []

    def on_epoch_end(self, rows: dict[str, Row]) -> None:
        self.ends.append(time.perf_counter())


def ours(job: Job, device: str, stack: int = 1, engine: str = "auto", tf32: bool = False) -> float:
    """Seconds of an epoch and trial in the engine, with its rows, checkpoints and evaluations."""
    clock = Clock()
    with tempfile.TemporaryDirectory() as results:
        run = Run(
            device=device, engine=engine, tf32=tf32, results_dir=Path(results), progress=False
        )
        execute(job.trials(stack), run, [clock])
    return (clock.ends[-1] - clock.ends[0]) / (job.epochs - 1) / stack
