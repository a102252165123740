"""Measure what four claims of the paper need and no trial's metrics contain. Writes a CSV for each.

    python scripts/claims.py sfo_memory [--counts 6 12 18 24 36 48]
    python scripts/claims.py cnn_eps [--seeds 0 1 2 3 4] [--epochs 3]
    python scripts/claims.py invariance
    python scripts/claims.py memory

with [--out results/paper], where `adam-repro report` looks for them. A number of subfunctions, a whole
seed, a factor or a task that the CSV already has is not measured again. `--quick` uses generated data, to
show that everything runs, and writes to a file that no report reads.

sfo_memory: resident bytes of a trial of SFO on the deterministic network, after enough passes to fill the
subspace. Each number of subfunctions runs in its own process. cnn_eps: how many parameters have
sqrt(v_hat) <= eps after each of the first passes of Adam on CIFAR-10, with the settings of figure 3.
invariance: the cost of a fifth of a pass of the deterministic network, trained by Adam on its cost times
a factor, with eps = 0 and the default. memory: how many values Adam keeps for each parameter.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from adam_repro.config import compose
from adam_repro.config.trial import Run
from adam_repro.engine.protocol import TrialStack
from adam_repro.engine.sfo import SFOStack
from adam_repro.engine.stack import Row, Stack
from adam_repro.figures.plan import GENERATED
from adam_repro.files import write_text
from adam_repro.runs.callbacks import Callback
from adam_repro.runs.execute import execute
from adam_repro.runs.provenance import commit, hardware

PASSES_TO_FILL = 4  # passes after which SFO's subspace of 3 N + 3 vectors has been full
MMAP_THRESHOLD = 1 << 20  # bytes; glibc returns larger blocks at once when they are freed
QUANTILES = (0.01, 0.1, 0.5)
#: Powers of two change no digit of a float. Others round each gradient, and training enlarges that.
FACTORS = (1.0, 2.0**-20, 2.0**-10, 2.0**10, 2.0**20)  # 1: what the others are compared with

Measure = Callable[[TrialStack, Row], dict[str, Any]]


class MeasureEachEpoch(Callback):
    """Measures a stack of one trial after every epoch; ``rows`` are the results."""

    def __init__(self, measure: Measure) -> None:
        self.measure = measure
        self.rows: list[dict[str, Any]] = []

    def on_stack_start(self, stack: TrialStack, epochs: int) -> None:
        self.stack = stack

    def on_epoch_end(self, rows: dict[str, Row]) -> None:
        (row,) = rows.values()
        self.rows.append(self.measure(self.stack, row))


def memory(stack: TrialStack, row: Row) -> dict[str, Any]:
    """Resident bytes of this process, from Linux's ``/proc``."""
    assert isinstance(stack, SFOStack)
    pages = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[1])
    return {
        "n_subfunctions": stack.n,
        "parameters": stack.layout.size,
        "bytes": pages * os.sysconf("SC_PAGE_SIZE"),
    }


def second_moment(stack: TrialStack, row: Row) -> dict[str, Any]:
    """Compare Adam's sqrt(v_hat), v_hat = v / (1 - beta2^t), with its eps."""
    assert isinstance(stack, Stack)
    trial = stack.trials[0]
    v: Tensor = stack.groups[0].state(0)["v"]
    t = int(row["step"] or 0)
    root_v_hat = (v.double() / (1 - trial.optimizer["beta2"] ** t)).sqrt()
    eps = trial.optimizer["eps"]
    ordered = root_v_hat.sort().values
    return {
        "seed": trial.seed,
        "epoch": int(row["epoch"] or 0) + 1,
        "lr": trial.optimizer["lr"],
        "eps": eps,
        "parameters": root_v_hat.numel(),
        "share_below_eps": float((root_v_hat <= eps).double().mean()),
        "share_never_moved": float((v == 0).double().mean()),
        **{f"root_at_{q:g}": float(ordered[int(q * (len(ordered) - 1))]) for q in QUANTILES},
        "train_cost": row["train_cost"],
    }


def train(words: list[str], measure: Measure, *others: Callback) -> list[dict[str, Any]]:
    """Train one trial in a temporary folder; what was measured after each epoch."""
    callback = MeasureEachEpoch(measure)
    trial = compose.trial(words)
    with tempfile.TemporaryDirectory() as results:
        run = Run(device="cpu", engine="auto", results_dir=Path(results), progress=False)
        execute([trial], run, [*others, callback])
    provenance = {
        "hardware": hardware(torch.device("cpu")),
        "torch": torch.__version__,
        "commit": commit(),
    }
    return [{**row, **provenance} for row in callback.rows]


def memory_of(count: int, quick: bool) -> list[dict[str, Any]]:
    """The row of one number of subfunctions, measured in a new process, which has trained nothing else."""
    words = [
        "task=mlp_deterministic", "optimizer=sfo", f"optimizer.n_subfunctions={count}",
        f"epochs={PASSES_TO_FILL}", "eval_train_every=0", *(GENERATED["mlp_deterministic"] if quick else ()),
    ]  # fmt: skip
    os.environ["MALLOC_MMAP_THRESHOLD_"] = str(MMAP_THRESHOLD)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(train, (words, memory))[-1:]


def sfo_memory(options: argparse.Namespace, known: pd.DataFrame) -> Iterator[list[dict[str, Any]]]:
    """A row for each number of subfunctions."""
    for count in options.counts:
        if known.empty or count not in set(known["n_subfunctions"]):
            yield memory_of(count, options.quick)


def cnn_eps(options: argparse.Namespace, known: pd.DataFrame) -> Iterator[list[dict[str, Any]]]:
    """A row for each seed and pass."""
    for seed in options.seeds:
        if not known.empty and (known["seed"] == seed).sum() >= options.epochs:
            continue
        words = ["task=cnn", "optimizer=adam", f"epochs={options.epochs}", f"seed={seed}"]
        words += GENERATED["cnn"] if options.quick else ()
        yield train(words, second_moment)


class RescaledCost(Callback):
    """Trains on the task's cost times a factor; a trial's gradients are multiplied by it."""

    def __init__(self, factor: float) -> None:
        self.factor = factor

    def on_stack_start(self, stack: TrialStack, epochs: int) -> None:
        assert isinstance(stack, Stack)
        costs = stack.task.costs
        stack.task.costs = lambda *given: self.factor * costs(*given)  # type: ignore[method-assign]


def invariance(options: argparse.Namespace, known: pd.DataFrame) -> Iterator[list[dict[str, Any]]]:
    """A row for each factor and eps: the training cost, divided by the factor again."""
    for factor in FACTORS:
        if not known.empty and (known["factor"] == factor).any():
            continue
        found = []
        for eps in (0.0, 1e-8):
            words = [
                "task=mlp_deterministic", "optimizer=adam", f"optimizer.eps={eps}", "task.l2=0",
                "optimizer.lr=1e-3", "task.epoch_examples=9984", "epochs=1", "eval_train_every=0",
                *(GENERATED["mlp_deterministic"] if options.quick else ()),
            ]  # fmt: skip
            cost = partial(_rescaled_row, factor=factor, eps=eps)
            found += train(words, cost, RescaledCost(factor))
        yield found


def _rescaled_row(stack: TrialStack, row: Row, factor: float, eps: float) -> dict[str, Any]:
    return {"factor": factor, "eps": eps, "train_cost": float(row["train_cost"] or 0) / factor}


def memory_of_state(
    options: argparse.Namespace, known: pd.DataFrame
) -> Iterator[list[dict[str, Any]]]:
    """A row for each task. Its network does not depend on the data, so these are tiny."""
    for task in ("logreg", "imdb", "mlp", "cnn", "vae"):
        if known.empty or task not in set(known["task"]):
            yield train([f"task={task}", "optimizer=adam", "epochs=1", *GENERATED[task]], state)


def state(stack: TrialStack, row: Row) -> dict[str, Any]:
    """How many values a trial's optimizer keeps from step to step."""
    assert isinstance(stack, Stack)
    kept = stack.groups[0].state(0)
    return {
        "task": stack.trials[0].task["name"],
        "parameters": stack.layout.size,
        "state": sum(value.numel() for name, value in kept.items() if name != "theta"),
    }


CLAIMS = {
    "sfo_memory": (sfo_memory, ["n_subfunctions"]),
    "cnn_eps": (cnn_eps, ["seed", "epoch"]),
    "invariance": (invariance, ["factor", "eps"]),
    "memory": (memory_of_state, ["task"]),
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("claim", choices=CLAIMS)
    parser.add_argument("--counts", type=int, nargs="+", default=[6, 12, 18, 24, 36, 48])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("results/paper"))
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    measure, keys = CLAIMS[options.claim]
    path = options.out / f"claim_{options.claim}{'_quick' * options.quick}.csv"
    rows = pd.read_csv(path) if path.exists() else pd.DataFrame()
    options.out.mkdir(parents=True, exist_ok=True)
    for found in measure(options, rows):
        rows = pd.concat([rows, pd.DataFrame(found)], ignore_index=True)
        rows = rows.drop_duplicates(keys, keep="last").sort_values(keys)
        write_text(path, rows.to_csv(index=False, float_format="%.6g", lineterminator="\n"))
        print(pd.DataFrame(found).drop(columns=["hardware", "torch", "commit"]).to_string())


if __name__ == "__main__":
    main()
