"""Help of the two commands, apart from what they need to run, so that it is there at once."""

from __future__ import annotations

from collections.abc import Sequence

from adam_repro.figures import load

REPRODUCE = """\
adam-repro reproduce FIGURE ... | all  [scale=paper|short|smoke] [results_dir=results]

Trains the trials of the figures that are not finished, in stacks, then merges and draws them into
RESULTS_DIR/paper. It can be stopped and given again at any time: nothing is trained twice.

  FIGURE        {names}
  scale         paper (default): every setting, epoch and seed; short; smoke: generated data, seconds
  reading       both; as_printed: the paper's own settings; dense_grid: every optimizer's best
  seeds         so many of each series at most are trained; without it, as many as the scale asks for
  keep          true: trials of the CSVs that are there are neither trained again nor lost
  train         true; false merges and draws what is there
  device, engine, tf32, progress              as for adam-repro run
  executor, workers, ...                      as for a sweep on a cluster (hydra.launcher.)
"""

REPORT = """\
adam-repro report [FIGURE ...]  [results_dir=results]

Draws the figures from RESULTS_DIR/paper/FIGURE.csv alone: PNG, PDF and SVG, the tables of agreement and
of the claims, index.html and README.md, all in RESULTS_DIR/paper. Without a name, every figure that has
a CSV there. An optimizer of your own joins a figure with a CSV of the same columns in
RESULTS_DIR/paper/extra; figure, series, epoch and train_cost are enough.

  FIGURE        {names}
"""


def shown(text: str, arguments: Sequence[str]) -> bool:
    """Print a help text if it is asked for; whether it was."""
    if not {"-h", "--help"} & set(arguments):
        return False
    print(text.format(names="\n                ".join(_lines(load.names()))), end="")
    return True


def _lines(names: Sequence[str]) -> list[str]:
    return [" ".join(names[i : i + 6]) for i in range(0, len(names), 6)]
