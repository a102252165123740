"""The loop that a JAX user writes: an epoch jitted as one ``lax.scan``, ``vmap`` over the stepsizes.

    python scripts/loops_jax.py logreg 60000 10000 --epochs 4 --trials 16

It prints the seconds of an epoch and trial. As in the other loops the first epoch, which compiles, is not
counted, and every epoch evaluates the test set. The order of the minibatches is the engine's own. Adam is
written out, so that JAX alone has to be installed (``pip install '.[bench]'``). A process of its own keeps
PyTorch's threads and JAX's from waiting for each other.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from jobs import Job, load

TASKS = ("logreg", "mlp", "mlp_deterministic")
NETWORK = (784, 1000, 1000, 10)
WIDTHS = {"logreg": (784, 10), "mlp": NETWORK, "mlp_deterministic": NETWORK}
RATES = {"mlp": (0.1, 0.5, 0.5)}  # dropout on the inputs of each layer
BETA1, BETA2, EPS = 0.9, 0.999, 1e-8


def measure(job: Job, trials: int = 1) -> float:
    """Seconds of an epoch and trial, from a process of its own.

    Raises:
        subprocess.CalledProcessError: the process failed; what it said is on standard error.
    """
    words = [job.task, job.n_train, job.n_test]
    options = ["--epochs", job.epochs, "--batch", job.batch, "--trials", trials]
    command = [sys.executable, str(Path(__file__)), *map(str, [*words, *options])]
    environment = {**os.environ, "JAX_PLATFORMS": "cpu"}
    done = subprocess.run(
        command, env=environment, stdout=subprocess.PIPE, encoding="utf-8", check=True
    )
    return float(json.loads(done.stdout.splitlines()[-1])["seconds"])


def run(job: Job, trials: int) -> dict[str, float]:
    """Seconds of an epoch and trial, and the mean training cost of the last epoch, of the first trial."""
    import jax
    import jax.numpy as jnp
    import torch

    from adam_repro import random_streams

    dataset = load(job)
    x, y = _arrays(dataset.train)
    test_x, test_y = _arrays(dataset.test)
    stepsizes = jnp.asarray([1e-3 * (1 + i / 64) for i in range(trials)])
    step = _adam_step(RATES.get(job.task, ()), job.trials(1)[0].task["l2"])
    if trials > 1:
        step = jax.vmap(step, in_axes=(0, 0, None, None, None, 0, None))
        test_cost = jax.vmap(_cost, in_axes=(0, None, None))
    else:
        stepsizes, test_cost = stepsizes[0], _cost

    @jax.jit
    def epoch(theta: Any, moments: Any, done: Any, order: Any, key: Any) -> Any:
        def one(carried: Any, rows: Any) -> Any:
            theta, moments, t, key = carried
            key, own = jax.random.split(key)
            batch = x[rows], y[rows]
            theta, moments, cost = step(theta, moments, t + 1, *batch, stepsizes, own)
            return (theta, moments, t + 1, key), cost

        (theta, moments, _, _), costs = jax.lax.scan(one, (theta, moments, done, key), order)
        return theta, moments, costs.mean(0), test_cost(theta, test_x, test_y)

    theta = _initial(WIDTHS[job.task], trials)
    moments = (jax.tree.map(jnp.zeros_like, theta), jax.tree.map(jnp.zeros_like, theta))
    ends = []
    for number in range(job.epochs):
        draws = random_streams.generator(0, "order", number)
        order = torch.randperm(len(x), generator=draws)[: job.steps * job.batch]
        rows = jnp.asarray(order.view(job.steps, job.batch).int().numpy())
        key = jax.random.PRNGKey(number)
        theta, moments, costs, held_out = epoch(theta, moments, number * job.steps, rows, key)
        jax.block_until_ready((theta, held_out))
        ends.append(time.perf_counter())
    seconds = (ends[-1] - ends[0]) / (job.epochs - 1) / trials
    return {"seconds": seconds, "cost": float(costs.ravel()[0])}


def _arrays(split: Any) -> tuple[Any, Any]:
    import jax.numpy as jnp
    import numpy as np

    inputs = np.asarray(split.inputs).reshape(len(split.targets), -1).astype(np.float32) / 255
    return jnp.asarray(inputs), jnp.asarray(np.asarray(split.targets).astype(np.int32))


def _initial(widths: tuple[int, ...], trials: int) -> Any:
    """Weights [out, in] and biases of each layer, with a trial axis if there are several."""
    import jax
    import jax.numpy as jnp

    keys = jax.random.split(jax.random.PRNGKey(0), len(widths))
    layers = [
        (jax.random.normal(key, (after, before)) * jnp.sqrt(2 / before), jnp.zeros(after))
        for key, before, after in zip(keys, widths[:-1], widths[1:], strict=False)
    ]
    if len(widths) == 2:  # logistic regression begins at zero
        layers = jax.tree.map(jnp.zeros_like, layers)
    if trials == 1:
        return layers
    return jax.tree.map(lambda one: jnp.repeat(one[None], trials, 0), layers)


def _cost(theta: Any, x: Any, y: Any, rates: tuple[float, ...] = (), key: Any = None) -> Any:
    """Mean cross entropy of a network of ReLU layers, with dropout at ``rates``."""
    import jax
    import jax.numpy as jnp

    keys = jax.random.split(key, len(rates)) if rates else ()
    for i, (weight, bias) in enumerate(theta):
        if rates:
            kept = jax.random.bernoulli(keys[i], 1 - rates[i], x.shape)
            x = jnp.where(kept, x / (1 - rates[i]), 0)
        x = x @ weight.T + bias
        x = jax.nn.relu(x) if i + 1 < len(theta) else x
    return jnp.mean(jax.nn.logsumexp(x, 1) - jnp.take_along_axis(x, y[:, None], 1)[:, 0])


def _adam_step(rates: tuple[float, ...], l2: float) -> Any:
    """A step of Adam (Algorithm 1) on the cost plus l2/2 ||W||^2."""
    import jax
    import jax.numpy as jnp

    def objective(theta: Any, x: Any, y: Any, key: Any) -> Any:
        cost = _cost(theta, x, y, rates, key)
        return cost + l2 / 2 * sum(jnp.sum(weight**2) for weight, _ in theta), cost

    def step(theta: Any, moments: Any, t: Any, x: Any, y: Any, lr: Any, key: Any) -> Any:
        (_, cost), g = jax.value_and_grad(objective, has_aux=True)(theta, x, y, key)
        m = jax.tree.map(lambda m, g: BETA1 * m + (1 - BETA1) * g, moments[0], g)
        v = jax.tree.map(lambda v, g: BETA2 * v + (1 - BETA2) * g**2, moments[1], g)
        first, second = 1 - BETA1**t, 1 - BETA2**t
        theta = jax.tree.map(
            lambda p, m, v: p - lr * (m / first) / (jnp.sqrt(v / second) + EPS), theta, m, v
        )
        return theta, (m, v), cost

    return step


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("task", choices=TASKS)
    parser.add_argument("n_train", type=int)
    parser.add_argument("n_test", type=int)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--trials", type=int, default=1)
    given = parser.parse_args()
    job = Job(given.task, given.n_train, given.n_test, given.epochs, given.batch)
    print(json.dumps(run(job, given.trials)))


if __name__ == "__main__":
    main()
