"""Times of one Adam step on ten million parameters, of a copy, and of a report on many trials."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from adam_repro.figures import load
from adam_repro.optim import Adam
from adam_repro.results import table

PARAMETERS = 10_000_000
BYTES = 7 * 4 * PARAMETERS  # a step reads theta, g, m, v and writes theta, m, v, in float32


def _seconds(call: Callable[[], object], device: str) -> float:
    """Seconds of one call, from enough of them."""
    count = 200 if device == "cuda" else 40
    for _ in range(3):
        call()
    _wait(device)
    started = time.perf_counter()
    for _ in range(count):
        call()
    _wait(device)
    return (time.perf_counter() - started) / count


def _wait(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def _parameter(device: str) -> torch.nn.Parameter:
    parameter = torch.nn.Parameter(torch.randn(PARAMETERS, device=device))
    parameter.grad = torch.randn_like(parameter)
    return parameter


def our_adam(device: str) -> float:
    """Seconds of a step of ``adam_repro.optim.Adam``."""
    return _seconds(Adam([_parameter(device)]).step, device)


def fused_adam(device: str) -> float:
    """Seconds of a step of ``torch.optim.Adam(fused=True)``."""
    return _seconds(torch.optim.Adam([_parameter(device)], fused=True).step, device)


def copy(device: str) -> float:
    """Seconds that a copy takes to move as many bytes as an Adam step does."""
    source = torch.randn(BYTES // 8, device=device)
    target = torch.empty_like(source)
    return _seconds(lambda: target.copy_(source), device)


def report(trials: int) -> float:
    """Seconds of ``adam-repro report`` on five figures with so many generated trials in all."""
    with tempfile.TemporaryDirectory() as results:
        folder = Path(results) / "paper"
        folder.mkdir()
        names = ("fig1_mnist", "fig1_imdb", "fig2a", "fig2b", "fig3")
        for name in names:
            _generate(name, trials // len(names)).to_csv(folder / f"{name}.csv", index=False)
        words = [sys.executable, "-m", "adam_repro", "report", f"results_dir={results}"]
        started = time.perf_counter()
        subprocess.run(words, check=True, capture_output=True)
        return time.perf_counter() - started


def _generate(name: str, trials: int) -> pd.DataFrame:
    """A figure's CSV: for each series ten repeats of the chosen setting, the rest its grid."""
    figure = load.load(name)
    rng = np.random.default_rng(0)
    epochs = np.arange(46)
    parts = []
    for i in range(trials):
        series = figure.series[i % len(figure.series)]
        seed = i // len(figure.series)
        chosen = seed < 10
        cost = 0.2 + np.exp(-epochs / 10 + 0.02 * rng.standard_normal(len(epochs)))
        values = {
            "figure": name, "panel": "", "reading": figure.readings[-1], "series": series.label,
            "scale": "paper", "lr": 1e-3 if chosen else 1e-3 * 1.1**seed, "grid": "",
            "seed": seed if chosen else 0, "epoch": epochs, "train_cost": cost,
            "eval_train_cost": cost, "test_cost": cost, "test_error": cost / 10,
            "seconds": epochs + 1.0, "status": "finished", "identity": f"{name}-{i}",
            "selected": chosen,
        }  # fmt: skip
        rows = pd.DataFrame(values)[list(table.COLUMNS)]
        parts.append(rows if chosen else rows.tail(1))
    return pd.concat(parts, ignore_index=True)
