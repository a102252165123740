"""Time against the number of trials, batched and looped: one picture of what a stack saves.

    python scripts/scaling.py [--device auto] [--counts 1 4 16 64] [--repeats 3] [--out results/benchmark]

Writes scaling.csv and scaling.png. Times are medians of seconds per epoch of the whole stack, all
combinations in turn within every repeat; the first epoch is not counted.
"""

from __future__ import annotations

import argparse
import statistics
from itertools import product
from pathlib import Path

import matplotlib
import pandas as pd
import torch

from adam_repro.engine.device import resolve
from adam_repro.runs.provenance import commit, hardware
from jobs import Job, ours

matplotlib.use("Agg")
import matplotlib.pyplot as plt

JOBS = {
    "cpu": [Job("logreg", 12_800, 1_000), Job("mlp", 1_280, 1_000, epochs=2)],
    "cuda": [Job("logreg", 60_000, 10_000), Job("mlp", 60_000, 10_000)],
}
ENGINES = ("batched", "looped")


def measure(device: str, counts: list[int], repeats: int, quick: bool) -> pd.DataFrame:
    """One row for every task, engine and number of trials."""
    jobs = [job.quick() if quick else job for job in JOBS[device]]
    cases = list(product(jobs, ENGINES, counts))
    times: dict[tuple[Job, str, int], list[float]] = {case: [] for case in cases}
    for _ in range(repeats):
        for job, engine, count in cases:
            times[job, engine, count].append(count * ours(job, device, count, engine))
    place = torch.device(device)
    made = {"hardware": hardware(place), "torch": torch.__version__, "commit": commit()}
    return pd.DataFrame(
        {
            "device": device, "task": job.task, "engine": engine, "trials": count,
            "examples": job.n_train, "seconds_per_epoch": statistics.median(seconds),
            "repeats": repeats, **made,
        }
        for (job, engine, count), seconds in times.items()
    )  # fmt: skip


def draw(frame: pd.DataFrame, path: Path) -> None:
    """Seconds against trials on logarithmic axes, one panel for each task."""
    tasks = frame["task"].unique()
    figure, panels = plt.subplots(1, len(tasks), figsize=(4.5 * len(tasks), 3.8), squeeze=False)
    for axes, task in zip(panels[0], tasks, strict=True):
        for engine, marker in zip(ENGINES, ("o", "s"), strict=True):
            mine = frame[(frame["task"] == task) & (frame["engine"] == engine)]
            axes.loglog(mine["trials"], mine["seconds_per_epoch"], marker=marker, label=engine)
        counts = sorted(frame["trials"].unique())
        first = frame[(frame["task"] == task) & (frame["trials"] == counts[0])]
        one = first["seconds_per_epoch"].min() / counts[0]
        axes.loglog(counts, [one * n for n in counts], "k:", lw=1, label="one after another")
        axes.set_xticks(counts, [str(n) for n in counts])
        axes.minorticks_off()
        axes.set_title(task)
        axes.set_xlabel("trials in the stack")
        axes.set_ylabel("seconds per epoch, whole stack")
        axes.legend(frameon=False)
    figure.suptitle(f"{frame['hardware'].iloc[0]}, torch {frame['torch'].iloc[0]}", fontsize=9)
    figure.tight_layout()
    figure.savefig(path, dpi=150)
    plt.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="auto")
    parser.add_argument("--counts", type=int, nargs="+", default=[1, 4, 16, 64])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("results/benchmark"))
    parser.add_argument("--quick", action="store_true", help="two minibatches: only to see it work")
    options = parser.parse_args()
    device = resolve(options.device).type
    frame = measure(device, options.counts, options.repeats, options.quick)
    options.out.mkdir(parents=True, exist_ok=True)
    frame.to_csv(options.out / "scaling.csv", index=False)
    draw(frame, options.out / "scaling.png")
    print(frame.drop(columns=["hardware", "torch", "commit"]).to_string(index=False))
    print(options.out / "scaling.png")


if __name__ == "__main__":
    main()
