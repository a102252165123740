"""Train the trials of a figure but for those of some optimizers; what reproduce would, in part.

    python scripts/train_part.py fig2b --without sfo [scale=paper] [results_dir=results] [device=auto]

Merges and draws nothing: `adam-repro reproduce FIGURE train=false` does.
"""

from __future__ import annotations

import argparse
import signal
import sys

from adam_repro import reproduce
from adam_repro.errors import UserError
from adam_repro.plan import lines
from adam_repro.report import figures


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("figure", choices=figures.names())
    parser.add_argument("--without", action="append", required=True, metavar="OPTIMIZER")
    parser.add_argument("options", nargs="*", metavar="option=value", help="as for reproduce")
    options = parser.parse_intermixed_args()
    request = reproduce.parse([options.figure, *options.options])
    every = lines(figures.load(options.figure), request.scale)
    there = {line.series.optimizer for line in every}
    for name in options.without:
        if name not in there:
            raise UserError(f"--without {name}: {options.figure} has {', '.join(sorted(there))}")
    kept = [line for line in every if line.series.optimizer not in options.without]
    return 1 if reproduce.train({options.figure: kept}, request) else 0


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
