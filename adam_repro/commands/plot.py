"""``adam-repro plot``: any trials beside each other in one picture."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from adam_repro.commands.options import parse
from adam_repro.config.trial import home_expanded
from adam_repro.errors import UserError
from adam_repro.plots import style
from adam_repro.plots.trials.draw import check_options, draw
from adam_repro.results import fairness
from adam_repro.results.frame import read


@dataclass
class Options:
    """``NAME=VALUE`` on the command line."""

    x: str = "epoch"
    y: str = "train_cost"
    group: str | None = None
    band: str = "range"
    xscale: str = "auto"
    yscale: str = "auto"
    out: Path = Path("plot.png")


def main(arguments: Sequence[str]) -> int:
    """Read, draw and say where the picture is; 0 even where some trials could not be read.

    Raises:
        UserError: no trial, an unknown option or column, or a file name that is no picture's.
    """
    there = [word for word in arguments if "=" in word and Path(word).is_dir()]  # a folder lr=0.1
    options, words = parse([word for word in arguments if word not in there], Options)
    places = [home_expanded("plot", word) for word in [*words, *there]]
    if not places:
        raise UserError(
            "which trials? Give their folder, one above them as results/runs/mlp, or a sweep's"
        )
    check_options(options.band, options.xscale, options.yscale)
    kind = options.out.suffix.lstrip(".")
    if kind not in style.FORMATS:
        legal = ", ".join(f".{ending}" for ending in style.FORMATS)
        raise UserError(f"out={options.out}: must be a file name that ends in one of {legal}")
    frame, problems = read(places)
    for problem in problems:
        print(problem, file=sys.stderr)
    group = options.group.split(",") if options.group else None
    drawing, messages = draw(
        frame, options.x, options.y, group, options.band, options.xscale, options.yscale
    )
    options.out.parent.mkdir(parents=True, exist_ok=True)
    style.save(drawing, options.out.parent, options.out.stem, (kind,))
    for message in messages:
        print(message)
    trials = frame.drop_duplicates("identity")
    for note in fairness.notes(trials.rename(columns={"optimizer.lr": "lr"})):
        print(note)
    print(f"{len(trials)} trial{'s' * (len(trials) != 1)}: {options.out}")
    return 0
