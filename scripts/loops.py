"""Training loops as people write them by hand, to measure the engine against.

``lean`` keeps tensors in memory, gathers minibatches on the device, updates with
``torch.optim.Adam(fused=True)``, sums costs on the device and looks at them once an epoch.
``idiomatic`` is the loop of the tutorials.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn.functional import (
    binary_cross_entropy_with_logits,
    cross_entropy,
    dropout,
    embedding_bag,
    softplus,
)
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import ToTensor

from jobs import Job, load

Inputs = Any


class Mlp(nn.Sequential):
    def __init__(self, rate: float, input_rate: float) -> None:
        drop = [nn.Dropout(rate)] if rate else []
        first = [nn.Dropout(input_rate)] if input_rate else []
        super().__init__(
            *first, nn.Linear(784, 1000), nn.ReLU(), *drop,
            nn.Linear(1000, 1000), nn.ReLU(), *drop, nn.Linear(1000, 10),
        )  # fmt: skip


class Cnn(nn.Sequential):
    def __init__(self) -> None:
        layers: list[nn.Module] = []
        for before, after in ((3, 64), (64, 64), (64, 128)):
            layers += [nn.Conv2d(before, after, 5, padding=2)]
            layers += [nn.MaxPool2d(3, stride=2, ceil_mode=True)]
        flat = [nn.Flatten(), nn.Linear(128 * 4 * 4, 1000), nn.ReLU(), nn.Linear(1000, 10)]
        super().__init__(*layers, *flat)


class Vae(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.heads = nn.Linear(784, 500), nn.Linear(500, 100)
        self.decoder, self.pixels = nn.Linear(50, 500), nn.Linear(500, 784)

    def forward(self, x: Tensor) -> Tensor:
        """The negative bound of every example, its divergence at the sample."""
        mean, log_variance = self.heads(softplus(self.encoder(x))).chunk(2, 1)
        epsilon = torch.randn_like(mean)
        z = mean + torch.exp(0.5 * log_variance) * epsilon
        logits = self.pixels(softplus(self.decoder(z)))
        cost = binary_cross_entropy_with_logits(logits, x, reduction="none").sum(1)
        return cost + 0.5 * (z.square() - epsilon.square() - log_variance).sum(1)


class Words(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.zeros(10_000, 1)), nn.Parameter(torch.zeros(1))

    def forward(self, rows: tuple[Tensor, Tensor, Tensor]) -> Tensor:
        words, offsets, values = rows
        values = dropout(values, 0.5, self.training)
        product = embedding_bag(words, self.weight, offsets, mode="sum", per_sample_weights=values)
        return product.squeeze(1) + self.bias


class NextWord(nn.Module):
    """Bengio et al. 2003: the features of the words before, tanh units, direct connections or none."""

    def __init__(self, words: int, direct: bool = False) -> None:
        super().__init__()
        self.features, self.hidden = nn.Embedding(words, 60), nn.Linear(4 * 60, 50)
        self.output = nn.Linear(50, words)
        self.direct = nn.Linear(4 * 60, words, bias=False) if direct else None

    def forward(self, context: Tensor) -> Tensor:
        x = torch.cat([self.features(word) for word in context.unbind(1)], 1)
        logits = self.output(torch.tanh(self.hidden(x)))
        return logits if self.direct is None else logits + self.direct(x)


class WordLstm(nn.Module):
    """Embedding, two layers of 200 units, dropout 0.2; the state goes on from minibatch to minibatch."""

    def __init__(self, words: int) -> None:
        super().__init__()
        self.embedding, self.output = nn.Embedding(words, 200), nn.Linear(200, words)
        self.lstm, self.drop = nn.LSTM(200, 200, 2, dropout=0.2), nn.Dropout(0.2)

    def train(self, mode: bool = True) -> WordLstm:
        """Training and evaluation each begin with a state of zeros."""
        self.state: tuple[Tensor, Tensor] | None = None
        return super().train(mode)

    def forward(self, words: Tensor) -> Tensor:
        outputs, (h, c) = self.lstm(self.drop(self.embedding(words.t())), self.state)
        self.state = h.detach(), c.detach()
        return self.output(self.drop(outputs).flatten(0, 1))


class Sparse:
    """Sparse rows on the device, gathered by row."""

    def __init__(self, rows: Any, device: torch.device) -> None:
        self.starts, self.indices, self.values = (
            torch.from_numpy(np.array(x)).to(device)
            for x in (rows.indptr, rows.indices, rows.values)
        )
        self.values = self.values.float()
        self.lengths = self.starts.diff()

    def __len__(self) -> int:
        return len(self.lengths)

    def __getitem__(self, index: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        lengths = self.lengths[index]
        ends = lengths.cumsum(0)
        offsets = ends - lengths
        places = torch.repeat_interleave(self.starts[index] - offsets, lengths)
        places += torch.arange(len(places), device=places.device)
        return self.indices[places].long(), offsets, self.values[places]


#: By task, of the number of classes.
MODELS: dict[str, Callable[[int], nn.Module]] = {
    "logreg": lambda classes: nn.Linear(784, classes),
    "mlp": lambda _: Mlp(0.5, 0.1),
    "mlp_deterministic": lambda _: Mlp(0.0, 0.0),
    "cnn": lambda _: Cnn(),
    "vae": lambda _: Vae(),
    "imdb": lambda _: Words(),
    "lm": NextWord,
    "lm_lstm": WordLstm,
}


def cost_of(task: str, model: nn.Module, x: Inputs, y: Tensor) -> Tensor:
    """Mean cost of a minibatch."""
    if task == "vae":
        return model(x).mean()
    if task == "imdb":
        return binary_cross_entropy_with_logits(model(x), y.float())
    return cross_entropy(model(x), y.t().flatten())


def lean(job: Job, device: str) -> float:
    """Seconds of an epoch of one trial, evaluation of the test set included."""
    place = torch.device(device)
    dataset = load(job)
    (train, labels), (test, test_labels) = _splits(job, dataset, place)
    model = MODELS[job.task](dataset.classes).to(place)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)
    ends = []
    for _ in range(job.epochs):
        order = (torch.arange if job.in_order else torch.randperm)(len(train), device=place)
        total = torch.zeros((), device=place)
        model.train()
        for index in order[: job.steps * job.batch].split(job.batch):
            optimizer.zero_grad()
            cost = cost_of(job.task, model, train[index], labels[index])
            cost.backward()
            optimizer.step()
            total += cost.detach()
        model.eval()
        held_out = torch.zeros((), device=place)
        with torch.no_grad():
            for index in torch.arange(len(test), device=place).split(job.evaluation_batch):
                held_out += cost_of(job.task, model, test[index], test_labels[index])
        (total + held_out).item()
        ends.append(time.perf_counter())
    return (ends[-1] - ends[0]) / (job.epochs - 1)


def _splits(job: Job, dataset: Any, device: torch.device) -> list[tuple[Inputs, Tensor]]:
    found = []
    for split in (dataset.train, dataset.test):
        labels = torch.from_numpy(np.array(split.targets)).long().to(device)
        if job.task == "imdb":
            found.append((Sparse(split.inputs, device), labels))
            continue
        inputs = torch.from_numpy(np.array(split.inputs)).to(device)
        if inputs.dtype == torch.uint8:
            inputs = inputs.float().div_(255)
        found.append((inputs.view(-1, 3, 32, 32) if job.task == "cnn" else inputs, labels))
    return found


class Images(Dataset):
    """MNIST one PIL image at a time, as torchvision.datasets.MNIST gives it."""

    def __init__(self, inputs: Any, labels: Any) -> None:
        self.images = np.array(inputs).reshape(-1, 28, 28)
        self.labels = np.array(labels)
        self.transform = ToTensor()

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.transform(Image.fromarray(self.images[index])), int(self.labels[index])


def idiomatic(job: Job) -> float:
    """Seconds of an epoch of logistic regression: data set, DataLoader, `.item()` every minibatch."""
    dataset = load(job)
    pictures = [Images(split.inputs, split.targets) for split in (dataset.train, dataset.test)]
    train = DataLoader(pictures[0], batch_size=job.batch, shuffle=True, drop_last=True)
    test = DataLoader(pictures[1], batch_size=1000)
    model = nn.Sequential(nn.Flatten(), nn.Linear(784, 10))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    started = time.perf_counter()
    total = 0.0
    for images, labels in train:
        optimizer.zero_grad()
        cost = cross_entropy(model(images), labels)
        cost.backward()
        optimizer.step()
        total += cost.item()
    with torch.no_grad():
        for images, labels in test:
            total += cross_entropy(model(images), labels).item()
    return time.perf_counter() - started
