"""Do the decoder's logits tell which runs of figure 4 diverge in the paper?

    python scripts/logits.py [--passes 2] [--out results/search/vae_logits.csv] [--quick]

log(sigmoid(x)) and log(1 - sigmoid(x)) in float32, without their stable forms, are not finite below -104 and
above 17. If the paper's code took them so, the runs that it draws as diverged should be those whose
logits pass a limit. For every stepsize of figure 4 from 1e-3 on of which the paper's drawing tells whether
it diverged, the largest and the smallest logit of the first passes of our run, with the stable form.
One row a run; a run that the CSV has is not trained again. `--quick` uses generated data.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import torch
from claims import MeasureEachEpoch
from torch import Tensor

from adam_repro.config import compose
from adam_repro.config.trial import Run
from adam_repro.engine.protocol import TrialStack
from adam_repro.engine.stack import Stack
from adam_repro.figures import load, paper_curves
from adam_repro.figures.plan import GENERATED
from adam_repro.files import write_text
from adam_repro.plots.series import DIVERGED_IN_PAPER
from adam_repro.runs.callbacks import Callback
from adam_repro.runs.execute import execute
from adam_repro.runs.provenance import commit, hardware
from adam_repro.tasks import Batch
from adam_repro.tasks.vae import VAEOutput

KEYS = ["beta1", "beta2", "correction", "lr"]
LEAST_LR = 9e-4  # no run of the paper's diverges below 1e-3


class Cell(NamedTuple):
    """A run of figure 4, and whether the paper's is drawn as diverged after 10 epochs or after 100."""

    beta1: float
    beta2: float
    correction: str
    lr: float
    diverged: bool


def cells() -> list[Cell]:
    """The runs whose fate the paper's drawing tells."""
    fate: dict[tuple[float, float, str, float], bool] = {}
    for panel in load.load("fig4").panels:
        where = panel.where
        for line, correction in (("bias_correction", "both"), ("no_bias_correction", "none")):
            x, y = paper_curves.loss_by_lr(panel.name, line)
            for log_lr, loss in zip(x, y, strict=True):
                lr = float(f"{10**log_lr:.1g}")
                if lr > LEAST_LR:
                    beta1, beta2 = where["optimizer.beta1"], where["optimizer.beta2"]
                    key = (float(beta1), float(beta2), correction, lr)
                    fate[key] = fate.get(key, False) or bool(loss >= DIVERGED_IN_PAPER)
    return [Cell(*key, diverged) for key, diverged in sorted(fate.items())]


class Extremes(Callback):
    """The largest and the smallest logit of all minibatches, so far."""

    def __init__(self) -> None:
        self.largest = self.smallest = 0.0

    def on_stack_start(self, stack: TrialStack, epochs: int) -> None:
        assert isinstance(stack, Stack)
        costs = stack.task.costs

        def watched(output: VAEOutput, batch: Batch) -> Tensor:
            if torch.is_grad_enabled():  # while it trains
                low, high = (float(one) for one in output.logits.detach().aminmax())
                self.smallest, self.largest = min(self.smallest, low), max(self.largest, high)
            return costs(output, batch)

        stack.task.costs = watched  # type: ignore[method-assign, assignment]


def measure(cell: Cell, passes: int, quick: bool) -> dict[str, Any]:
    """One run: its extremes, its last cost, and what the paper's did."""
    words = [
        "task=vae", "optimizer=adam", f"epochs={passes}", f"optimizer.lr={cell.lr}",
        f"optimizer.beta1={cell.beta1}", f"optimizer.beta2={cell.beta2}",
        f"optimizer.bias_correction={cell.correction}", *(GENERATED["vae"] if quick else ()),
    ]  # fmt: skip
    extremes, rows = Extremes(), MeasureEachEpoch(lambda _, row: {"cost": row["train_cost"]})
    with tempfile.TemporaryDirectory() as results:
        run = Run(device="cpu", engine="looped", results_dir=Path(results), progress=False)
        execute([compose.trial(words)], run, [extremes, rows])
    return {
        **cell._asdict(),
        "passes": len(rows.rows),
        "largest": extremes.largest,
        "smallest": extremes.smallest,
        "train_cost": rows.rows[-1]["cost"],
        "hardware": hardware(torch.device("cpu")),
        "torch": torch.__version__,
        "commit": commit(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--passes", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("results/search/vae_logits.csv"))
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    rows = pd.read_csv(options.out) if options.out.exists() else pd.DataFrame(columns=KEYS)
    known = set(rows[KEYS].itertuples(index=False, name=None))
    for cell in cells():
        if cell[:4] in known:
            continue
        found = pd.DataFrame([measure(cell, options.passes, options.quick)])
        rows = found if rows.empty else pd.concat([rows, found], ignore_index=True)
        write_text(options.out, rows.to_csv(index=False, float_format="%.6g", lineterminator="\n"))
        print(found.drop(columns=["hardware", "torch", "commit"]).to_string(header=False))


if __name__ == "__main__":
    main()
