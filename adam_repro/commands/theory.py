"""``adam-repro theory``: run what configs/theory.yaml asks for, merge it, draw it, print the numbers."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from adam_repro.commands.options import parse
from adam_repro.config import compose
from adam_repro.config.trial import Run, Trial, read
from adam_repro.config.validate import Choice, check
from adam_repro.errors import UserError
from adam_repro.file_locks import results_lock
from adam_repro.files import config_folder, write_text

GENERATED = {"mnist": "synthetic", "imdb": "synthetic_text"}

TheoryConfig = dict[str, Any]


@dataclass
class Options:
    """``NAME=VALUE`` on the command line."""

    scale: str = "paper"
    results_dir: Path = Path("results")
    progress: bool = True


@dataclass(frozen=True)
class TheoryTrial:
    """A trial and the columns that name it in the CSV: stream or sequence (``place``), method, lr, seed."""

    place: str
    method: str
    trial: Trial

    @property
    def columns(self) -> dict[str, Any]:
        return {
            "place": self.place,
            "method": self.method,
            "lr": float(self.trial.optimizer["lr"]),
            "seed": self.trial.seed,
            "identity": self.trial.identity,
        }


def main(arguments: Sequence[str]) -> int:
    """Run, merge, draw and print; return exit code 0.

    Raises:
        UserError: for an unknown option or value.
    """
    options, positional = parse(arguments, Options)
    if positional:
        raise UserError(f"{positional[0]}: theory takes only options, such as scale=smoke")
    run = Run(device="cpu", results_dir=options.results_dir, progress=options.progress)
    reproduce(load(options.scale), run)
    return 0


def load(scale: str) -> TheoryConfig:
    """configs/theory.yaml with one of its scales.

    Raises:
        UserError: for an unknown scale.
    """
    plan: TheoryConfig = yaml.safe_load(
        (config_folder() / "theory.yaml").read_text(encoding="utf-8")
    )
    scales = plan.pop("scales")
    check("scale", scale, Choice(*scales))
    return {**plan, "scale": scales[scale], "name": scale}


def reproduce(plan: TheoryConfig, run: Run) -> None:
    """Train every trial, then write the CSVs and figures into ``run.results_dir/paper``."""
    from adam_repro.online import closed_form_checks
    from adam_repro.plots.theory import draw_theory
    from adam_repro.sweep.train import train_all

    regret = list(regret_trials(plan))
    counter = list(counterexample_trials(plan))
    train_all([one.trial for one in regret + counter], run)
    folder = run.results_dir / "paper"
    folder.mkdir(parents=True, exist_ok=True)
    rows = closed_form_checks.run_all()
    frames = {
        "regret": merge_regret(regret, run.results_dir, plan["name"]),
        "counterexample": merge(counter, run.results_dir, plan["name"]),
        "demonstrations": closed_form_checks.frame(rows),
    }
    print(closed_form_checks.table(rows))
    with results_lock(folder):
        for name, frame in frames.items():
            write_text(folder / f"theory_{name}.csv", frame.to_csv(index=False))
        for drawing in draw_theory(folder):
            print(f"{folder / drawing.name}.png")


def regret_trials(plan: TheoryConfig) -> Iterator[TheoryTrial]:
    """The trials of every stream, method and stepsize."""
    scale = plan["scale"]
    for stream in plan["regret"]["streams"]:
        data = GENERATED.get(stream, stream) if scale.get("generated") else stream
        for method in plan["regret"]["optimizers"]:
            overrides = [f"task.data.name={data}", f"optimizer={method}"]
            composed = compose.settings(["task=regret", *overrides, *_overrides(scale["regret"])])
            for lr in scale["lr"]:
                composed["optimizer"]["lr"] = lr
                yield TheoryTrial(stream, method, read(copy.deepcopy(composed))[0])


def counterexample_trials(plan: TheoryConfig) -> Iterator[TheoryTrial]:
    """The trials of every sequence, method and seed."""
    scale = plan["scale"]
    for sequence, methods in plan["counterexample"].items():
        for method, overrides in methods.items():
            task = [f"task.sequence={sequence}", f"task.rounds={scale['rounds'][sequence]}"]
            settings = _overrides(scale["counterexample"])
            composed = compose.settings(["task=counterexample", *task, *overrides, *settings])
            for seed in range(scale["seeds"][sequence]):
                composed["seed"] = seed
                yield TheoryTrial(sequence, method, read(copy.deepcopy(composed))[0])


def _overrides(settings: dict[str, int]) -> list[str]:
    return [f"{'task.' if key == 'rounds' else ''}{key}={value}" for key, value in settings.items()]


def merge(trials: Sequence[TheoryTrial], results: Path, scale: str) -> pd.DataFrame:
    """The rows of all trials, with the columns that name them."""
    parts = []
    for one in trials:
        rows = pd.read_csv(one.trial.folder(results) / "metrics.csv").dropna(axis=1, how="all")
        parts.append(rows.assign(scale=scale, **one.columns))
    return pd.concat(parts, ignore_index=True)


def merge_regret(trials: Sequence[TheoryTrial], results: Path, scale: str) -> pd.DataFrame:
    """The same, but all rows only for the best stepsize of a stream and method; the last row for others."""
    rows = merge(trials, results, scale)
    last = rows[rows["step"] == rows.groupby("identity")["step"].transform("max")]
    best = last.loc[last.groupby(["place", "method"])["regret"].idxmin(), "identity"]
    rows["best"] = rows["identity"].isin(best)
    return rows[rows["best"] | rows.index.isin(last.index)]
