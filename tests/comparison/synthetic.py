"""A comparison whose rows are generated: every optimizer has a known rate on every task."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from adam_repro.comparison.model import (
    HIGHER,
    LOWER,
    NOT_TESTED,
    REPEAT,
    ROW_COLUMNS,
    SAME,
    TUNING,
    UNDECIDED,
    Comparison,
    Entrant,
    Score,
    Setting,
    TaskResult,
    TuningTrial,
)

RIVALS = ("adam", "sgd_nesterov", "adagrad")
GRID = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
BEST = Setting(1e-2, "constant")
EPOCHS = 12
SEEDS = 5


def rates(labels: Sequence[str]) -> dict[str, float]:
    """The factor by which an optimizer's cost falls in an epoch: the first of the labels is fastest."""
    return {label: 0.70 + 0.04 * i for i, label in enumerate(labels)}


def task(
    name: str, by_label: Mapping[str, float], metric: str = "train_cost", **changes: Any
) -> TaskResult:
    """All optimizers on one task; ``by_label``: each one's rate."""
    parts = []
    for label, rate in by_label.items():
        for lr in GRID:
            parts.append(_rows(label, lr, 0, TUNING, metric, rate))
        parts += [
            _rows(label, BEST.lr or 0, seed, REPEAT, metric, rate) for seed in range(1, SEEDS)
        ]
    fields: dict[str, Any] = {
        "task": name,
        "epochs": EPOCHS,
        "metric": metric,
        "rows": pd.concat(parts, ignore_index=True)[list(ROW_COLUMNS)],
        "best": dict.fromkeys(by_label, BEST),
        "tuning": {label: _tuning(rate) for label, rate in by_label.items()},
        "settings": {label: _settings(name, label) for label in by_label},
        "schedules": ("constant", "inv_sqrt_pass"),
        "step_seconds": {label: 0.001 * (i + 1) for i, label in enumerate(by_label)},
        "state_bytes": {label: 1_000_000 * (i + 1) for i, label in enumerate(by_label)},
    }
    return TaskResult(**{**fields, **changes})


def _cost(rate: float, lr: float, seed: int) -> np.ndarray:
    """Costs of the epochs, [epochs]; the highest stepsize diverges."""
    distance = abs(math.log10(lr / 1e-2))
    cost = 2.0 * rate ** np.arange(1.0, EPOCHS + 1) * (1 + distance) * (1 + 0.01 * seed)
    return np.array([cost[0], np.inf]) if lr == GRID[-1] else cost


def _rows(label: str, lr: float, seed: int, stage: str, metric: str, rate: float) -> pd.DataFrame:
    cost = _cost(rate, lr, seed)
    n = len(cost)
    diverged = not np.isfinite(cost).all()
    return pd.DataFrame(
        {
            "optimizer": label,
            "lr": lr,
            "schedule": "constant",
            "grid": "",
            "seed": seed,
            "stage": stage,
            "epoch": np.arange(n),
            "step": 100.0 * np.arange(1, n + 1),
            "train_cost": cost,
            "eval_train_cost": cost if metric == "eval_train_cost" else math.nan,
            "test_cost": 1.1 * cost,
            "test_error": 0.1 * rate,
            "grad_norm": 1.0,
            "seconds": np.arange(1.0, n + 1),
            "status": "diverged" if diverged else "finished",
            "identity": f"{label}{lr}{seed}",
            "source": "trained" if label not in RIVALS else "committed",
        }
    )


def _tuning(rate: float) -> tuple[TuningTrial, ...]:
    found = []
    for lr in GRID:
        cost = _cost(rate, lr, 0)
        finite = bool(np.isfinite(cost).all())
        status = "finished" if finite else "diverged"
        found.append(TuningTrial(Setting(lr, "constant"), float(cost[-1]), status))
    return tuple(found)


def _settings(name: str, label: str) -> dict[str, Any]:
    foreign = {"name": "torch", "target": f"my_module.{label}", "lr": 0.01, "kwargs": {}}
    return {
        "task": {"name": name, "data": {"name": "mnist"}, "epoch_examples": None},
        "optimizer": {"name": label, "lr": 0.01} if label in RIVALS else foreign,
        "schedule": "constant",
        "seed": 0,
        "epochs": EPOCHS,
        "batch_size": 128,
    }


def entrant(label: str, **fields: Any) -> Entrant:
    words = (f"optimizer={label}",)
    if label not in RIVALS:
        words = ("optimizer=torch", f"optimizer.target=my_module.{label}")
    return Entrant(label, words, label not in RIVALS, **fields)


def score(task: str, candidate: str, rival: str, verdict: str, **fields: Any) -> Score:
    numbers: dict[str, Any] = {
        "candidate_value": 0.25, "rival_value": 0.3, "ratio": 0.8333, "low": 0.81, "high": 0.86,
        "n": SEEDS - 1, "p": 1e-4,
    }  # fmt: skip
    return Score(task, candidate, rival, "train_cost", **{**numbers, "verdict": verdict, **fields})


def comparison(
    tasks: Sequence[str] = ("logreg", "mlp"),
    candidates: Sequence[str] = ("Mine",),
    rivals: Sequence[str] = RIVALS,
    **changes: Any,
) -> Comparison:
    """A whole comparison, in which every verdict occurs."""
    labels = [*candidates, *rivals]
    verdicts = (LOWER, HIGHER, SAME, UNDECIDED)
    pairs = [(t, c, r) for t in tasks for c in candidates for r in rivals]
    scores = []
    for i, pair in enumerate(pairs):
        verdict = verdicts[i % len(verdicts)]
        why = "the interval is too wide" if verdict == UNDECIDED else ""
        scores.append(score(*pair, verdict, why=why))
        shown = score(*pair, NOT_TESTED)
        scores.append(Score(**{**vars(shown), "metric": "test_error"}))
    fields: dict[str, Any] = {
        "label": "_".join(candidates),
        "command": f"adam-repro compare {' '.join(f'my_module.{one}' for one in candidates)}",
        "scale": "short",
        "seeds": SEEDS,
        "budget": len(GRID),
        "entrants": tuple(entrant(label) for label in labels),
        "tasks": tuple(task(name, rates(labels)) for name in tasks),
        "scores": tuple(scores),
        "provenance": {
            "hardware": "a machine",
            "versions": {"torch": "2.7.0", "my_module": "1.0"},
            "commit": "0123456789ab",
            "dates": ["2026-11-29", "2026-11-30"],
            "committed": {"another machine": 12},
        },
    }
    return Comparison(**{**fields, **changes})
