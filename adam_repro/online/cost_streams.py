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
from adam_repro.data.dataset import SparseRows
from adam_repro.errors import UserError

Vector = NDArray[np.float64]

GENERATED = ("least_squares", "sparse")

LEAST_SQUARES_COLUMNS = 20
SPARSE_COLUMNS, SPARSE_WORDS = 100, 3

# Bags of words keep their most frequent words. With all 10,000 the best point in hindsight fits every
# one of 10,000 reviews, and R(T)/T has hardly begun to fall.
WORDS = 500


class Link(NamedTuple):
    """phi(z, y), its first and its second derivative in z, each [n]."""

    cost: Any
    first: Any
    second: Any


#: log(1 + exp(-y z)), y in {-1, 1}.
LOGISTIC = Link(
    lambda z, y: np.logaddexp(0.0, -y * z),
    lambda z, y: -y * expit(-y * z),
    lambda z, y: expit(z) * expit(-z),
)

#: (z - y)^2 / 2.
SQUARE = Link(
    lambda z, y: 0.5 * (z - y) ** 2,
    lambda z, y: z - y,
    lambda z, y: np.ones_like(z),
)


class Objective:
    """The mean cost (1/n) sum phi(x_i . theta, y_i) over rows x [n, d]."""

    def __init__(self, x: Any, y: Vector, link: Link) -> None:
        self.x, self.y, self.link = x, y, link
        self.transposed = x.T.tocsr() if sparse.issparse(x) else x.T

    def value_and_gradient(self, theta: Vector) -> tuple[float, Vector]:
        """The mean cost and its gradient [d]."""
        z = self.x @ theta
        gradient = self.transposed @ self.link.first(z, self.y) / len(self.y)
        return float(self.link.cost(z, self.y).mean()), gradient

    def hessian(self, theta: Vector, free: NDArray[np.bool_]) -> Vector:
        """The second derivatives in the ``free`` coordinates, dense."""
        weights = self.link.second(self.x @ theta, self.y) / len(self.y)
        x = self.x[:, free]
        if sparse.issparse(x):
            return (x.T @ x.multiply(weights[:, None])).toarray()
        return x.T @ (x * weights[:, None])


class Stream:
    """Rows in the order they are shown; round t (from 0) shows ``size`` of them."""

    def __init__(self, x: Any, y: Vector, link: Link, size: int) -> None:
        self.x, self.y, self.link, self.size = x, y, link, size
        self.d: int = x.shape[1]
        if sparse.issparse(x):  # the row of every entry, counted within its minibatch
            self.owners = np.repeat(np.arange(len(y)) % size, np.diff(x.indptr))

    def round(self, t: int, theta: Vector) -> tuple[float, Vector]:
        """f_t(theta) and its gradient [d]."""
        first, last = t * self.size, (t + 1) * self.size
        y = self.y[first:last]
        if not sparse.issparse(self.x):
            x = self.x[first:last]
            z = x @ theta
            return float(self.link.cost(z, y).mean()), self.link.first(z, y) @ x / self.size
        # By hand: scipy takes ten times as long to cut out so few rows.
        entries = slice(self.x.indptr[first], self.x.indptr[last])
        columns, values, owners = (
            self.x.indices[entries],
            self.x.data[entries],
            self.owners[entries],
        )
        z = np.bincount(owners, values * theta[columns], self.size)
        slopes = self.link.first(z, y)[owners] / self.size
        gradient: Vector = np.bincount(columns, values * slopes, self.d).astype(
            np.float64, copy=False
        )
        return float(self.link.cost(z, y).mean()), gradient

    def first(self, rounds: int) -> Objective:
        """(1/T) sum of f_t over the first ``rounds`` T."""
        n = rounds * self.size
        return Objective(self.x[:n], self.y[:n], self.link)


def build(trial: Trial, rounds: int) -> Stream:
    """The stream of a trial's ``task.data``, ``rounds`` minibatches long.

    Raises:
        UserError: a data set with fewer examples, or one that cannot be had.
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


def _logistic(trial: Trial, name: str, settings: dict[str, Any], n: int) -> Stream:
    """Odd against even classes (digits; positive against negative reviews), with a bias."""
    if name not in data.DATASETS:
        legal = ", ".join((*GENERATED, *data.DATASETS))
        raise UserError(f"task.data.name={name}: must be one of {legal}")
    split = data.load(name, **settings).train
    if n > len(split):
        raise UserError(
            f"task.rounds={trial.task['rounds']} with batch_size={trial.batch_size}: {name} has "
            f"{len(split)} training examples, and a stream shows none twice; choose fewer rounds"
        )
    order = np.arange(n)
    if trial.task["order"] != "file":
        source = random_streams.generator(trial.seed, "order", 0)
        order = torch.randperm(len(split), generator=source)[:n].numpy()
    y = np.where(np.asarray(split.targets)[order] % 2, 1.0, -1.0)
    ones = np.ones((n, 1))
    inputs = split.inputs
    if isinstance(inputs, SparseRows):
        arrays = (
            np.asarray(inputs.values, float),
            np.array(inputs.indices),
            np.array(inputs.indptr),
        )
        x = sparse.csr_array(arrays, shape=inputs.shape)[order, :WORDS]
        return Stream(
            sparse.hstack([x, sparse.csr_array(ones)], "csr"), y, LOGISTIC, trial.batch_size
        )
    pixels = np.asarray(inputs[np.sort(order)], float).reshape(n, -1)[np.argsort(np.argsort(order))]
    if inputs.dtype == np.uint8:
        pixels /= 255
    return Stream(np.hstack([pixels, ones]), y, LOGISTIC, trial.batch_size)


def _least_squares(rng: np.random.Generator, n: int, size: int) -> Stream:
    """y = x . w + N(0, 1/4), x ~ N(0, diag(1, 1/2, 1/3, ...)), w uniform in [-1/2, 1/2]^20."""
    scales = 1 / np.sqrt(np.arange(1, LEAST_SQUARES_COLUMNS + 1))
    w = rng.uniform(-0.5, 0.5, LEAST_SQUARES_COLUMNS)
    x = rng.standard_normal((n, LEAST_SQUARES_COLUMNS)) * scales
    return Stream(x, x @ w + 0.5 * rng.standard_normal(n), SQUARE, size)


def _sparse(rng: np.random.Generator, n: int, size: int) -> Stream:
    """Three of 100 features a row, feature i drawn in proportion to 1/i, all equally telling.

    P(y = 1) = sigmoid(x . w), w in {-2, 2}^100: the case in which section 4 expects an adaptive
    method to pay, for most coordinates are rarely seen.
    """
    odds = 1 / np.arange(1, SPARSE_COLUMNS + 1)
    columns = rng.choice(SPARSE_COLUMNS, (n, SPARSE_WORDS), p=odds / odds.sum())
    rows = np.repeat(np.arange(n), SPARSE_WORDS)
    entries = (np.ones(n * SPARSE_WORDS), (rows, columns.ravel()))
    x = sparse.csr_array(entries, shape=(n, SPARSE_COLUMNS))  # a feature drawn twice counts twice
    w = rng.choice([-2.0, 2.0], SPARSE_COLUMNS)
    y = np.where(rng.random(n) < expit(x @ w), 1.0, -1.0)
    return Stream(x, y, LOGISTIC, size)
