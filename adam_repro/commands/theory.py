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
from adam_repro.files import config_folder, results_lock, write_text

GENERATED = {"mnist": "synthetic", "imdb": "synthetic_text"}

Plan = dict[str, Any]


@dataclass
class Options:
    """``NAME=VALUE`` on the command line."""

    scale: str = "paper"
    results_dir: Path = Path("results")
    progress: bool = True


@dataclass(frozen=True)
class Entry:
    """A trial and what it is called in its CSV: stream or sequence, method, lr, seed."""

    place: str
    method: str
    trial: Trial

    @property
    def keys(self) -> dict[str, Any]:
        lr = float(self.trial.optimizer["lr"])
        seed, identity = self.trial.seed, self.trial.identity
        return {
            "place": self.place,
            "method": self.method,
            "lr": lr,
            "seed": seed,
            "identity": identity,
        }


def main(arguments: Sequence[str]) -> int:
    """Run, merge, draw, print; 0.

    Raises:
        UserError: for an unknown option or value.
    """
    options, words = parse(arguments, Options)
    if words:
        raise UserError(f"{words[0]}: theory takes options alone, as scale=smoke")
    run = Run(device="cpu", results_dir=options.results_dir, progress=options.progress)
    reproduce(load(options.scale), run)
    return 0


def load(scale: str) -> Plan:
    """configs/theory.yaml with one of its scales.

    Raises:
        UserError: for an unknown scale.
    """
    plan: Plan = yaml.safe_load((config_folder() / "theory.yaml").read_text())
    scales = plan.pop("scales")
    check("scale", scale, Choice(*scales))
    return {**plan, "scale": scales[scale], "name": scale}


def reproduce(plan: Plan, run: Run) -> None:
    """Everything, into ``run.results_dir/paper``."""
    from adam_repro.online import closed_form_checks
    from adam_repro.plots.theory import draw_theory
    from adam_repro.sweep.train import train_all

    regret = list(regret_entries(plan))
    counter = list(counterexample_entries(plan))
    train_all([entry.trial for entry in regret + counter], run)
    folder = run.results_dir / "paper"
    folder.mkdir(parents=True, exist_ok=True)
    rows = closed_form_checks.every()
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


def regret_entries(plan: Plan) -> Iterator[Entry]:
    """Every stream with every method at every stepsize."""
    scale = plan["scale"]
    for stream in plan["regret"]["streams"]:
        data = GENERATED.get(stream, stream) if scale.get("generated") else stream
        for method in plan["regret"]["optimizers"]:
            words = [f"task.data.name={data}", f"optimizer={method}"]
            composed = compose.settings(["task=regret", *words, *_words(scale["regret"])])
            for lr in scale["lr"]:
                composed["optimizer"]["lr"] = lr
                yield Entry(stream, method, read(copy.deepcopy(composed))[0])


def counterexample_entries(plan: Plan) -> Iterator[Entry]:
    """Every sequence with every method and seed."""
    scale = plan["scale"]
    for sequence, methods in plan["counterexample"].items():
        for method, words in methods.items():
            own = [f"task.sequence={sequence}", f"task.rounds={scale['rounds'][sequence]}"]
            settings = _words(scale["counterexample"])
            composed = compose.settings(["task=counterexample", *own, *words, *settings])
            for seed in range(scale["seeds"][sequence]):
                composed["seed"] = seed
                yield Entry(sequence, method, read(copy.deepcopy(composed))[0])


def _words(settings: dict[str, int]) -> list[str]:
    return [f"{'task.' if key == 'rounds' else ''}{key}={value}" for key, value in settings.items()]


def merge(entries: Sequence[Entry], results: Path, scale: str) -> pd.DataFrame:
    """The rows of all trials, named."""
    parts = []
    for entry in entries:
        rows = pd.read_csv(entry.trial.folder(results) / "metrics.csv").dropna(axis=1, how="all")
        parts.append(rows.assign(scale=scale, **entry.keys))
    return pd.concat(parts, ignore_index=True)


def merge_regret(entries: Sequence[Entry], results: Path, scale: str) -> pd.DataFrame:
    """The same; of each stream and method only the stepsize of least final regret in full."""
    rows = merge(entries, results, scale)
    last = rows[rows["step"] == rows.groupby("identity")["step"].transform("max")]
    best = last.loc[last.groupby(["place", "method"])["regret"].idxmin(), "identity"]
    rows["best"] = rows["identity"].isin(best)
    return rows[rows["best"] | rows.index.isin(last.index)]
