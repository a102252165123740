"""Streams of convex costs f_t(theta) = mean over a minibatch of phi(x . theta, y), theta in a box.

Logistic regression on any data set, least squares and sparse logistic regression on generated rows.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from scipy.special import expit

from adam_repro import data, random_streams
from adam_repro.config.trial import Trial
from adam_repro.config.validate import Choice, check
from adam_repro.data.dataset import SparseRows
from adam_repro.errors import UserError

Vector = NDArray[np.float64]

GENERATED = ("least_squares", "sparse")

LEAST_SQUARES_COLUMNS = 20
SPARSE_COLUMNS, SPARSE_WORDS = 100, 3

# Only the most frequent words are used. With all 10,000 words, the best fixed point fits each of
# 10,000 reviews, and R(T)/T has hardly begun to fall.
WORDS = 500


class Loss(NamedTuple):
    """phi(z, y) and its first and second derivatives in z, each [n]."""

    value: Any
    first_derivative: Any
    second_derivative: Any


#: log(1 + exp(-y z)), y in {-1, 1}.
LOGISTIC = Loss(
    lambda z, y: np.logaddexp(0.0, -y * z),
    lambda z, y: -y * expit(-y * z),
    lambda z, y: expit(z) * expit(-z),
)

#: (z - y)^2 / 2.
SQUARE = Loss(lambda z, y: 0.5 * (z - y) ** 2, lambda z, y: z - y, lambda z, y: np.ones_like(z))


class Objective:
    """The mean cost (1/n) sum phi(x_i . theta, y_i) over rows x [n, d]."""

    def __init__(self, x: Any, y: Vector, loss: Loss) -> None:
        self.x, self.y, self.loss = x, y, loss
        self.transposed = x.T.tocsr() if sparse.issparse(x) else x.T

    def value_and_gradient(self, theta: Vector) -> tuple[float, Vector]:
        """The mean cost and its gradient [d]."""
        z = self.x @ theta
        gradient = self.transposed @ self.loss.first_derivative(z, self.y) / len(self.y)
        return float(self.loss.value(z, self.y).mean()), gradient

    def hessian(self, theta: Vector, free: NDArray[np.bool_]) -> Vector:
        """The Hessian of the mean cost in the ``free`` coordinates, dense."""
        weights = self.loss.second_derivative(self.x @ theta, self.y) / len(self.y)
        x = self.x[:, free]
        if sparse.issparse(x):
            return (x.T @ x.multiply(weights[:, None])).toarray()
        return x.T @ (x * weights[:, None])


class CostStream:
    """Rows in the order of the rounds; round t (from 0) has a minibatch of ``size`` rows."""

    def __init__(self, x: Any, y: Vector, loss: Loss, size: int) -> None:
        self.x, self.y, self.loss, self.size = x, y, loss, size
        self.d: int = x.shape[1]
        if sparse.issparse(x):  # each entry's row within its minibatch
            self.entry_rows = np.repeat(np.arange(len(y)) % size, np.diff(x.indptr))

    def cost_and_gradient(self, t: int, theta: Vector) -> tuple[float, Vector]:
        """f_t(theta) and its gradient [d]."""
        first, last = t * self.size, (t + 1) * self.size
        y = self.y[first:last]
        if not sparse.issparse(self.x):
            x = self.x[first:last]
            z = x @ theta
            cost = float(self.loss.value(z, y).mean())
            return cost, self.loss.first_derivative(z, y) @ x / self.size
        # Not by scipy: its slicing takes ten times as long for so few rows.
        entries = slice(self.x.indptr[first], self.x.indptr[last])
        columns, values, rows = (
            self.x.indices[entries],
            self.x.data[entries],
            self.entry_rows[entries],
        )
        z = np.bincount(rows, values * theta[columns], self.size)
        slopes = self.loss.first_derivative(z, y)[rows] / self.size
        gradient = np.bincount(columns, values * slopes, self.d).astype(np.float64, copy=False)
        return float(self.loss.value(z, y).mean()), gradient

    def objective(self, rounds: int) -> Objective:
        """(1/T) sum of f_t over the first T = ``rounds`` rounds."""
        n = rounds * self.size
        return Objective(self.x[:n], self.y[:n], self.loss)


def build(trial: Trial, rounds: int) -> CostStream:
    """The cost stream of a trial's ``task.data``, ``rounds`` minibatches long.

    Raises:
        UserError: the data set is unknown, cannot be loaded, or has too few examples.
    """
    settings = dict(trial.task["data"])
    name = settings.pop("name")
    n = rounds * trial.batch_size
    if name not in GENERATED:
        return _logistic(trial, name, settings, n)
    if settings:
        raise UserError(f"task.data.{next(iter(settings))}: the stream {name} has no options")
    rng = np.random.default_rng(random_streams.stream_seed(trial.seed, "order"))
    generate = _least_squares if name == "least_squares" else _sparse
    return generate(rng, n, trial.batch_size)


def _logistic(trial: Trial, name: str, settings: dict[str, Any], n: int) -> CostStream:
    """Logistic regression with a bias: odd against even classes (of IMDB: positive against negative)."""
    if name not in data.DATASETS:
        check("task.data.name", name, Choice(*GENERATED, *data.DATASETS))
    dataset = data.load(name, **settings)
    if dataset.counts is not None:
        raise UserError(
            f"task.data.name={name}: a text, whose inputs are words and no numbers; "
            "choose images, or imdb"
        )
    split = dataset.train
    if n > len(split):
        raise UserError(
            f"task.rounds={trial.task['rounds']} with batch_size={trial.batch_size}: {name} has "
            f"{len(split)} training examples, and a stream uses each at most once; choose fewer rounds"
        )
    order = np.arange(n)
    if trial.task["order"] != "file":
        source = random_streams.generator(trial.seed, "order", 0)
        order = torch.randperm(len(split), generator=source)[:n].numpy()
    y = np.where(np.asarray(split.targets)[order] % 2, 1.0, -1.0)
    ones = np.ones((n, 1))
    inputs = split.inputs
    if isinstance(inputs, SparseRows):
        values = np.asarray(inputs.values, float)
        arrays = (values, np.array(inputs.indices), np.array(inputs.indptr))
        x = sparse.csr_array(arrays, shape=inputs.shape)[order, :WORDS]
        x = sparse.hstack([x, sparse.csr_array(ones)], "csr")
        return CostStream(x, y, LOGISTIC, trial.batch_size)
    pixels = np.asarray(inputs[np.sort(order)], float).reshape(n, -1)[np.argsort(np.argsort(order))]
    if inputs.dtype == np.uint8:
        pixels /= 255
    return CostStream(np.hstack([pixels, ones]), y, LOGISTIC, trial.batch_size)


def _least_squares(rng: np.random.Generator, n: int, size: int) -> CostStream:
    """y = x . w + N(0, 1/4), x ~ N(0, diag(1, 1/2, 1/3, ...)), w uniform in [-1/2, 1/2]^20."""
    scales = 1 / np.sqrt(np.arange(1, LEAST_SQUARES_COLUMNS + 1))
    w = rng.uniform(-0.5, 0.5, LEAST_SQUARES_COLUMNS)
    x = rng.standard_normal((n, LEAST_SQUARES_COLUMNS)) * scales
    return CostStream(x, x @ w + 0.5 * rng.standard_normal(n), SQUARE, size)


def _sparse(rng: np.random.Generator, n: int, size: int) -> CostStream:
    """Three of 100 features per row; feature i is drawn with probability proportional to 1/i.

    P(y = 1) = sigmoid(x . w), w in {-2, 2}^100. Most coordinates are rarely nonzero: the case in
    which section 4 expects an adaptive method to help.
    """
    odds = 1 / np.arange(1, SPARSE_COLUMNS + 1)
    columns = rng.choice(SPARSE_COLUMNS, (n, SPARSE_WORDS), p=odds / odds.sum())
    rows = np.repeat(np.arange(n), SPARSE_WORDS)
    entries = (np.ones(n * SPARSE_WORDS), (rows, columns.ravel()))
    x = sparse.csr_array(entries, shape=(n, SPARSE_COLUMNS))  # a feature drawn twice counts twice
    w = rng.choice([-2.0, 2.0], SPARSE_COLUMNS)
    y = np.where(rng.random(n) < expit(x @ w), 1.0, -1.0)
    return CostStream(x, y, LOGISTIC, size)
