"""A single run: a progress bar while it trains, then its curve and its summary."""

from __future__ import annotations

import sys
from dataclasses import replace

from tqdm import tqdm

from adam_repro.config.trial import Run, Trial
from adam_repro.engine.execute import execute
from adam_repro.engine.protocol import Row, TrialStack
from adam_repro.errors import UserError
from adam_repro.plots.trial import draw, read, summary


class Bar:
    """One progress bar over all minibatches, with the latest cost and the time left."""

    def __init__(self, shown: bool) -> None:
        self.shown = shown
        self.bar: tqdm | None = None

    def begin(self, stack: TrialStack, epochs: int) -> None:
        steps = stack.epoch_steps
        self.bar = tqdm(
            total=epochs * steps,
            initial=stack.epoch * steps,
            unit="step",
            disable=not self.shown,
            file=sys.stderr,
            mininterval=0.2 if sys.stderr.isatty() else 30.0,
        )

    def step(self) -> None:
        if self.bar is not None:
            self.bar.update()

    def epoch(self, rows: dict[str, Row]) -> None:
        row = next(iter(rows.values()))
        if self.bar is not None:
            self.bar.set_postfix_str(f"epoch {row['epoch']}, cost {row['train_cost']:.4g}", False)

    def close(self) -> None:
        if self.bar is not None:
            self.bar.close()


def train(trial: Trial, run: Run) -> float:
    """Train one trial unless it is finished, draw its curve, print its summary; its last cost."""
    if run.engine == "auto":  # alone, a model called as it is costs half of a stack of one
        run = replace(run, engine="looped")
    bar = Bar(run.progress)
    folder = trial.folder(run.results_dir)
    try:
        status = execute([trial], run, bar)[trial.identity]
    finally:
        bar.close()
    if status == "running":
        raise UserError(f"{folder}: another process is training this trial; wait for it")
    draw(folder)
    print(summary(folder))
    if bar.bar is None:  # no stack began
        print(
            "  it was there already, and nothing was trained; to train it again, delete that folder"
        )
    return float(read(folder)[1]["train_cost"].iloc[-1])
