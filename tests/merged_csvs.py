"""Merged CSVs and trial folders made up from the paper's own curves, for tests of drawings and claims."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from adam_repro.claims import judge
from adam_repro.claims.model import Verdict
from adam_repro.figures import load, paper_curves, plan
from adam_repro.figures.plan import PlannedSeries, PlannedTrial
from adam_repro.figures.spec import Figure
from adam_repro.report import figure_report
from adam_repro.results import table
from adam_repro.runs.metrics import COLUMNS

Make = Callable[..., pd.DataFrame]


def curves(
    name: str, factor: float = 1.0, noise: float = 0.0, seeds: int = 5, scale: str = "paper"
) -> pd.DataFrame:
    """The paper's curves of a figure, times ``factor``, as if they were ours."""
    figure = load.load(name)
    panel = max((p for p in figure.panels if p.x == "epoch"), key=lambda p: p.xlim[1])
    rng = np.random.default_rng(0)
    parts = []
    for reading in figure.readings:
        for one in figure.series:
            line = paper_curves.Reference(str(panel.curves), str(one.reference))
            x, _ = paper_curves.curve(line)
            first = max(np.ceil(x.min()), panel.first_x)
            epochs = np.arange(first, min(x.max(), panel.xlim[1]) + 1)
            for seed in range(seeds):
                cost = paper_curves.interpolate(line, epochs) * factor
                cost = cost * np.exp(noise * rng.standard_normal(len(epochs)))
                own = epochs - panel.first_x
                parts.append(rows(figure, reading, one.label, seed, own, cost, scale=scale))
    return pd.concat(parts, ignore_index=True)


def rows(figure, reading, label, seed, epochs, cost, **more) -> pd.DataFrame:  # type: ignore[no-untyped-def]
    """Rows of one trial."""
    epochs = np.asarray(epochs, int)
    values = {
        "figure": figure.name,
        "panel": "",
        "reading": reading,
        "series": label,
        "scale": "paper",
        "lr": 0.01,
        "grid": "",
        "seed": seed,
        "epoch": epochs,
        "train_cost": cost,
        "eval_train_cost": cost,
        "test_cost": np.asarray(cost) * 1.1,
        "test_error": np.asarray(cost) / 10,
        "seconds": 2.0 * (epochs + 1),
        "status": "finished",
        "identity": f"{reading}-{label}-{seed}",
        "selected": True,
        **more,
    }
    return pd.DataFrame(values)[list(table.COLUMNS)]


def cells(
    factor: float = 1.0, offset: float = 0.0, seeds: int = 5, name: str = "fig4"
) -> pd.DataFrame:
    """Figure 4's points as if they were ours; a diverged run stays one."""
    figure = load.load(name)
    parts = []
    for panel in figure.panels:
        for one in figure.series:
            x, y = paper_curves.loss_by_lr(panel.name, str(one.reference))
            for lr, cost in zip(10.0**x, y, strict=True):
                dead = cost >= 399
                for seed in range(seeds):
                    parts.append(
                        rows(
                            figure, "as_printed", one.label, seed, [9],
                            [np.nan if dead else cost * factor + offset],
                            panel=panel.name, lr=float(f"{lr:.1g}"),
                            status="diverged" if dead else "finished",
                            identity=f"{panel.name}-{one.label}-{lr}-{seed}",
                        )
                    )  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def grid(name: str, points: int = 17) -> pd.DataFrame:
    """The tuning grid behind each series: one last row for each lr, a bowl with its end diverged."""
    figure = load.load(name)
    parts = []
    for one in figure.series:
        if one.lr is None:
            continue
        lrs = np.geomspace(*one.lr, points)
        for i, lr in enumerate(lrs):
            dead = i == points - 1
            cost = 0.2 * np.exp(0.1 * (i - points // 2) ** 2)
            parts.append(
                rows(
                    figure, "dense_grid", one.label, 0, [45], [np.nan if dead else cost],
                    lr=lr, selected=False, status="diverged" if dead else "finished",
                    identity=f"{one.label}-{i}",
                )
            )  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def put(folder: Path, name: str, found: pd.DataFrame) -> None:
    """A merged CSV, with its provenance, in a folder."""
    found.to_csv(folder / f"{name}.csv", index=False)
    record = {"figure": name, "scale": "paper", "hardware": {"a test": 1}, "series": []}
    (folder / f"{name}.provenance.yaml").write_text(yaml.safe_dump(record))


MNIST = load.load("fig1_mnist")


def one(lines: Sequence[PlannedSeries], reading: str, series: str) -> PlannedSeries:
    return next(line for line in lines if line.key == (reading, "", series))


def leave(
    results: Path, entry: PlannedTrial, costs: Sequence[float], status: str = "finished"
) -> Path:
    """Write a trial's folder with these training costs, as if it had been trained."""
    folder = entry.trial.folder(results)
    folder.mkdir(parents=True, exist_ok=True)
    record = {
        "identity": entry.trial.identity,
        "status": status,
        "config": entry.trial.settings,
        "provenance": {"hardware": "an abacus", "torch": "2.7", "commit": "c0ffee", "date": "2026-01-02"},
    }  # fmt: skip
    (folder / "trial.yaml").write_text(yaml.safe_dump(record))
    rows = pd.DataFrame({"epoch": range(len(costs)), "train_cost": costs}).reindex(columns=COLUMNS)
    rows.to_csv(folder / "metrics.csv", index=False)
    pd.DataFrame({"epoch": range(len(costs)), "seconds": 2.0}).to_csv(
        folder / "timing.csv", index=False
    )
    return folder


def leave_all(results: Path, lines: Sequence[PlannedSeries]) -> None:
    """Every trial of the first stage; the second grid point of each grid is its best."""
    for line in lines:
        for i, entry in enumerate(line.grid_stage()):
            last = 0.4 if not line.fitted and i == 1 else 0.5
            leave(results, entry, [2.0, 1.0, last])


def read(folder: Path) -> tuple[pd.DataFrame, dict]:
    provenance = yaml.safe_load((folder / "fig1_mnist.provenance.yaml").read_text(encoding="utf-8"))
    return table.read(folder, "fig1_mnist").rows, provenance


def leave_two_of_figure_4(results: Path) -> tuple[Figure, list[PlannedSeries]]:
    """A finished trial and one that diverged after its first mark, of the fitted settings."""
    figure = load.load("fig4")
    found = [line for line in plan.plan_figure(figure, "smoke") if line.reading == "as_printed"]
    printed = found[0].grid_stage()
    leave(results, printed[0], [500.0, 300.0])
    leave(results, printed[1], [400.0, np.nan], "diverged")
    return figure, found


LABELS = {"AdaGrad": 1.0, "SGDNesterov": 1.0, "Adam": 1.0}


def judged_of(folder: Path, *names: str) -> dict[str, Verdict]:
    """The verdicts on these figures' merged CSVs, by claim."""
    found = judge.judge({name: figure_report.load_context(name, folder) for name in names})
    return {one.claim.id: one for one in found}


def made_at(
    levels: dict[str, float], name: str = "fig1_mnist", seeds: int = 6, **more: object
) -> pd.DataFrame:
    """Series at these cost levels, with noise that the seeds of all series share."""
    figure = load.load(name)
    rng = np.random.default_rng(3)
    shared, parts = rng.standard_normal((seeds, 46)), []
    for reading in figure.readings:
        for label, level in levels.items():
            for seed in range(seeds):
                own = rng.standard_normal(46)
                cost = level * np.exp(0.2 * shared[seed] + 0.01 * own)
                parts.append(rows(figure, reading, label, seed, range(46), cost, **more))
    return pd.concat(parts, ignore_index=True)
