"""What a trial costs, beside loops that people write by hand.

    python scripts/benchmark.py [--tasks logreg mlp] [--repeats 5]

Three ways to train the same model with Adam on the same data, timed in turn within one run:

- ours: the engine as `adam-repro run` uses it, with its rows, checkpoints and test evaluation;
- lean: a hand-written loop, tensors in memory, `torch.optim.Adam(fused=True)`, costs summed on the
  device, test evaluation every epoch;
- idiomatic: torchvision's data set, a `DataLoader`, `.item()` at every minibatch.

The table gives medians over the repeats and ratios of medians (their time over ours).
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from hydra import compose, initialize_config_dir
from PIL import Image
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import ToTensor

from adam_repro import data
from adam_repro.config import Run
from adam_repro.engine.execute import AnyStack, execute
from adam_repro.engine.provenance import commit, hardware
from adam_repro.engine.train import Row
from adam_repro.run import config_folder, read

EPOCHS = {"logreg": 5, "mlp_deterministic": 1, "mlp": 1}
EXAMPLES = {"logreg": 60_000, "mlp_deterministic": 12_800, "mlp": 12_800}
BATCH = 128


class Clock:
    """A watch that notes when training begins."""

    def begin(self, stack: AnyStack, epochs: int) -> None:
        self.started = time.perf_counter()

    def step(self) -> None:
        pass

    def epoch(self, rows: dict[str, Row]) -> None:
        self.ended = time.perf_counter()


def ours(task: str, stack: int = 1, engine: str = "looped") -> float:
    """Seconds of training per epoch and trial."""
    words = [f"task={task}", "optimizer=adam", f"epochs={EPOCHS[task]}", "task.order=every_pass"]
    words += [f"task.epoch_examples={EXAMPLES[task]}", "averaging=none", "schedule=constant"]
    with initialize_config_dir(str(config_folder()), version_base="1.3"):
        trials = [
            read(compose("config", [*words, f"optimizer.lr={1e-3 * (1 + i / 64)}"]))[0]
            for i in range(stack)
        ]
    clock = Clock()
    with tempfile.TemporaryDirectory() as results:
        run = Run(device="cpu", engine=engine, results_dir=Path(results), progress=False)
        execute(trials, run, clock)
    return (clock.ended - clock.started) / EPOCHS[task] / stack


def network(task: str) -> nn.Module:
    """The task's model as anyone would write it."""
    if task == "logreg":
        return nn.Linear(784, 10)
    dropout = [nn.Dropout(0.5)] if task == "mlp" else []
    return nn.Sequential(
        nn.Linear(784, 1000), nn.ReLU(), *dropout,
        nn.Linear(1000, 1000), nn.ReLU(), *dropout, nn.Linear(1000, 10),
    )  # fmt: skip


def evaluate(model: nn.Module, inputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Mean cost and error of a split."""
    model.eval()
    with torch.no_grad():
        outputs = torch.cat([model(part) for part in inputs.split(1000)])
        cost = cross_entropy(outputs, targets)
        error = (outputs.argmax(1) != targets).float().mean()
    model.train()
    return cost, error


def lean(task: str) -> float:
    """Seconds per epoch of the lean loop."""
    mnist = data.load("mnist")
    train = torch.from_numpy(np.array(mnist.train.inputs)).float().div_(255)
    labels = torch.from_numpy(np.array(mnist.train.targets)).long()
    test = torch.from_numpy(np.array(mnist.test.inputs)).float().div_(255)
    test_labels = torch.from_numpy(np.array(mnist.test.targets)).long()
    model = network(task)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)
    started = time.perf_counter()
    for _ in range(EPOCHS[task]):
        order = torch.randperm(len(train))[: EXAMPLES[task]]
        total = torch.zeros(())
        for index in order.split(BATCH):
            if len(index) < BATCH:
                continue
            optimizer.zero_grad()
            cost = cross_entropy(model(train[index]), labels[index])
            cost.backward()
            optimizer.step()
            total += cost.detach()
        total.item()
        evaluate(model, test, test_labels)
    return (time.perf_counter() - started) / EPOCHS[task]


class Images(Dataset):
    """MNIST one PIL image at a time, as torchvision.datasets.MNIST gives it."""

    def __init__(self, split: data.Split) -> None:
        self.images = np.array(split.inputs).reshape(-1, 28, 28)
        self.labels = np.array(split.targets)
        self.transform = ToTensor()

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.transform(Image.fromarray(self.images[index])), int(self.labels[index])


def idiomatic(task: str) -> float:
    """Seconds per epoch of the loop of the tutorials."""
    mnist = data.load("mnist")
    subset = torch.utils.data.Subset(Images(mnist.train), range(EXAMPLES[task]))
    train = DataLoader(subset, batch_size=BATCH, shuffle=True, drop_last=True)
    test = DataLoader(Images(mnist.test), batch_size=1000)
    model = nn.Sequential(nn.Flatten(), network(task))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    started = time.perf_counter()
    total = 0.0
    for images, labels in train:
        optimizer.zero_grad()
        cost = cross_entropy(model(images), labels)
        cost.backward()
        optimizer.step()
        total += cost.item()
    for images, labels in test:
        with torch.no_grad():
            total += cross_entropy(model(images), labels).item()
    return time.perf_counter() - started


def medians(repeats: int, *ways: Callable[[], float]) -> list[float]:
    """Median time of each way, run in turn ``repeats`` times after one warm-up."""
    for way in ways:
        way()
    times = [[way() for way in ways] for _ in range(repeats)]
    return [statistics.median(column) for column in zip(*times, strict=True)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tasks", nargs="+", default=list(EPOCHS), choices=list(EPOCHS))
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    device = torch.device("cpu")
    print(f"{hardware(device)}, {torch.get_num_threads()} threads, torch {torch.__version__}")
    print(f"commit {commit()}; medians of {options.repeats} alternated runs, seconds per epoch")
    print(f"{'task':<20}{'examples':>9}{'ours':>9}{'lean':>9}{'ratio':>8}")
    for task in options.tasks:
        mine, theirs = medians(options.repeats, lambda: ours(task), lambda: lean(task))  # noqa: B023
        print(f"{task:<20}{EXAMPLES[task]:>9}{mine:>9.3f}{theirs:>9.3f}{theirs / mine:>7.2f}x")
        if task == "logreg":
            slow = statistics.median(idiomatic(task) for _ in range(2))
            print(f"{'  idiomatic loop':<29}{mine:>9.3f}{slow:>9.3f}{slow / mine:>7.2f}x")
            stacked, theirs = medians(3, lambda: ours(task, 16, "batched"), lambda: lean(task))  # noqa: B023
            print(
                f"{'  stack of 16, per trial':<29}{stacked:>9.3f}{theirs:>9.3f}{theirs / stacked:>7.2f}x"
            )
            print(
                f"{'  the same, idiomatic loop':<29}{stacked:>9.3f}{slow:>9.3f}{slow / stacked:>7.2f}x"
            )


if __name__ == "__main__":
    main()
