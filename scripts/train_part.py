"""Train some of a figure's trials: those of some panels, or all but some optimizers'.

    python scripts/train_part.py fig2b --without sfo [scale=paper] [results_dir=results] [device=auto]
    python scripts/train_part.py adamax --panel logreg --panel imdb [scale=paper] ...

Merges and draws nothing: `adam-repro reproduce FIGURE train=false` does.
"""

from __future__ import annotations

import argparse
import signal
import sys

from adam_repro.commands import reproduce
from adam_repro.errors import UserError
from adam_repro.figures import load
from adam_repro.figures.plan import plan_figure


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("figure", choices=load.names())
    parser.add_argument("--without", action="append", default=[], metavar="OPTIMIZER")
    parser.add_argument("--panel", action="append", default=[], help="these alone")
    parser.add_argument("options", nargs="*", metavar="option=value", help="as for reproduce")
    options = parser.parse_intermixed_args()
    if not options.without and not options.panel:
        parser.error("give --without or --panel; adam-repro reproduce trains the whole figure")
    request = reproduce.parse([options.figure, *options.options])
    every = plan_figure(load.load(options.figure), request.scale)
    _require(
        "--without", options.without, {line.series.optimizer for line in every}, options.figure
    )
    _require("--panel", options.panel, {line.panel for line in every} - {""}, options.figure)
    kept = [
        line
        for line in every
        if line.series.optimizer not in options.without
        and (not options.panel or line.panel in options.panel)
    ]
    return 1 if reproduce.train({options.figure: kept}, request) else 0


def _require(option: str, given: list[str], there: set[str], figure: str) -> None:
    for name in given:
        if name not in there:
            names = ", ".join(sorted(there)) or "none that is trained apart"
            raise UserError(f"{option} {name}: {figure} has {names}")


def stop(signum: int, frame: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, stop)
    try:
        sys.exit(main())
    except UserError as error:
        sys.exit(f"train_part: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
