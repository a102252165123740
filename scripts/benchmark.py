"""The speed table: what we take, what a hand-written program takes, and the goal, in one run.

    python scripts/benchmark.py [--rows cpu cuda ...] [--repeats 5] [--csv results/benchmark/speed.csv]
                                [--quick]

Every row times two programs in turn and gives the medians and their ratio, theirs over ours; the hand-
written ones are in `loops.py`, JAX's in `loops_jax.py` (extra `bench`). What an epoch of ours takes
includes its rows, its checkpoints and the evaluation of the test set. The first epoch, in which data are
laid out and a step is compiled or recorded, is counted on neither side. Rows for a GPU need one; `--rows`
names single rows, or `cpu`, or `cuda`.
`--quick` trains two minibatches of each: enough to see that it works, too few for a number.
"""

from __future__ import annotations

import argparse
import csv
import os
import platform
import statistics
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields, replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import torch

import kernels
import loops_jax
import translation
from adam_repro.engine.device import precision
from adam_repro.runs.provenance import commit, hardware
from jobs import Job, ours
from loops import idiomatic, lean

CPU = {
    "logreg": Job("logreg", 60_000, 10_000, epochs=4),
    "mlp": Job("mlp", 60_000, 10_000, epochs=2),
    "mlp_deterministic": Job("mlp_deterministic", 60_000, 10_000, epochs=2),
    "vae": Job("vae", 60_000, 10_000, epochs=2, batch=100),
    "cnn": Job("cnn", 384, 128),
    "imdb": Job("imdb", 25_000, 25_000),
    "lm": Job("lm", 25_600, 2_560, batch=256),
    "lm_lstm": Job("lm_lstm", 400, 40, batch=20),
}
CUDA = {
    "logreg": Job("logreg", 60_000, 10_000, epochs=5),
    "mlp": Job("mlp", 60_000, 10_000),
    "vae": Job("vae", 60_000, 10_000, batch=100),
    "cnn": Job("cnn", 12_800, 2_560),
    "lm": Job("lm", 256_000, 25_600, batch=256),
}
STACK = {"logreg": 32, "mlp": 32, "vae": 32, "cnn": 8, "lm": 32}
GOAL = {"logreg": 15.0, "mlp": 15.0, "vae": 15.0, "cnn": 3.0, "lm": 20.0}

Way = Callable[[], float]


@dataclass(frozen=True)
class Row:
    """A line of the table. ``theirs``: what ours is compared with; ``goal``: the ratio to reach.

    ``idiomatic`` loops take minutes and vary little beside their length: they are timed at most twice.
    ``needs``: a package that theirs is written in, of the extra ``bench``.
    """

    what: str
    device: str
    ours: Way
    theirs: Way
    goal: float
    unit: str = "s/epoch"
    idiomatic: bool = False
    needs: str | None = None


@dataclass(frozen=True)
class Measured:
    """A line of the CSV, times in seconds."""

    row: str
    what: str
    unit: str
    ours: float
    theirs: float
    ratio: float
    goal: float
    reached: bool


def rows(quick: bool) -> dict[str, Row]:
    """Every line, by the name that ``--rows`` takes."""
    on_cpu, on_gpu = (
        {task: job.quick() if quick else job for task, job in jobs.items()} for jobs in (CPU, CUDA)
    )
    table = {
        f"cpu_{task}": Row(
            f"{task}: one trial, lean loop", "cpu",
            partial(ours, job, "cpu", 1, "looped"), partial(lean, job, "cpu"), 1.0,
        )
        for task, job in on_cpu.items()
    }  # fmt: skip
    job = on_cpu["logreg"]
    alone = partial(ours, job, "cpu", 1, "looped")
    stacked = partial(ours, job, "cpu", 16, "batched")
    table |= {
        "cpu_logreg_16": Row(
            "logreg: stack of 16, per trial, lean loop",
            "cpu", stacked, partial(lean, job, "cpu"), 2.0,
        ),
        "cpu_logreg_idiomatic": Row(
            "logreg: one trial, idiomatic loop",
            "cpu", alone, partial(idiomatic, job), 15.0, idiomatic=True,
        ),
        "cpu_logreg_16_idiomatic": Row(
            "logreg: stack of 16, per trial, idiomatic loop",
            "cpu", stacked, partial(idiomatic, job), 30.0, idiomatic=True,
        ),
    }  # fmt: skip
    for task in loops_jax.TASKS:
        table[f"cpu_{task}_jax"] = Row(
            f"{task}: one trial, jitted JAX loop", "cpu",
            partial(ours, on_cpu[task], "cpu", 1, "looped"),
            partial(loops_jax.measure, on_cpu[task]), 1.0, needs="jax",
        )  # fmt: skip
    table["cpu_logreg_16_jax"] = Row(
        "logreg: stack of 16, per trial, JAX vmap over the 16", "cpu",
        stacked, partial(loops_jax.measure, on_cpu["logreg"], 16), 1.0, needs="jax",
    )  # fmt: skip
    job = replace(job, optimizer=("optimizer=torch", "optimizer.target=torch.optim.Adam"))
    table["cpu_logreg_16_path"] = Row(
        "logreg: stack of 16 of torch.optim.Adam by import path, per trial, one trial alone", "cpu",
        partial(ours, job, "cpu", 16, "batched"), partial(ours, job, "cpu", 1, "looped"), 1.0,
    )  # fmt: skip
    job = on_cpu["lm"]
    table["cpu_lm_16"] = Row(
        "lm: stack of 16, per trial, one trial alone",
        "cpu", partial(ours, job, "cpu", 16), partial(ours, job, "cpu", 1), 1.0,
    )  # fmt: skip
    pairs = 128 if quick else 2560
    table["cpu_nmt"] = Row(
        "nmt: one trial, lean loop", "cpu",
        partial(translation.ours, pairs), partial(translation.lean, pairs), 1.0,
    )  # fmt: skip
    for device in ("cpu", "cuda"):
        table |= _adam(device)
    table["cpu_report"] = Row(
        "report on 1,000 trials, against 10 s",
        "cpu",
        partial(kernels.report, 50 if quick else 1000),
        lambda: 10.0,
        1.0,
        "s",
    )
    for task, job in on_gpu.items():
        table[f"cuda_{task}"] = Row(
            f"{task}: stack of {STACK[task]}, per trial, lean loop trial after trial", "cuda",
            partial(ours, job, "cuda", STACK[task]), partial(lean, job, "cuda"), GOAL[task],
        )  # fmt: skip
    # Convolutions in TF32 are PyTorch's default on a GPU; here both programs have it, the products too.
    table["cuda_cnn_tf32"] = replace(
        table["cuda_cnn"],
        what=f"cnn in TF32: stack of {STACK['cnn']}, per trial, lean loop in TF32",
        ours=partial(ours, on_gpu["cnn"], "cuda", STACK["cnn"], tf32=True),
        theirs=partial(_in_tf32, partial(lean, on_gpu["cnn"], "cuda")),
    )
    return table


def _in_tf32(way: Way) -> float:
    with precision(tf32=True):
        return way()


def _adam(device: str) -> dict[str, Row]:
    step = partial(kernels.our_adam, device)
    return {
        f"{device}_adam": Row(
            "Adam step, 10 M parameters, torch.optim.Adam(fused=True)",
            device, step, partial(kernels.fused_adam, device), 1.0, "s/step",
        ),
        # On a CPU this says where the step stands; the goal is a GPU's.
        f"{device}_adam_copy": Row(
            "Adam step, 10 M parameters, a copy of as many bytes",
            device, step, partial(kernels.copy, device), 0.8 if device == "cuda" else 0.0, "s/step",
        ),
    }  # fmt: skip


def measure(name: str, row: Row, repeats: int) -> Measured:
    """Medians of both ways, timed in turn after one warm-up each."""
    if row.idiomatic:
        repeats = min(repeats, 2)
    else:
        row.ours(), row.theirs()
    times = [(row.ours(), row.theirs()) for _ in range(repeats)]
    mine, theirs = (statistics.median(column) for column in zip(*times, strict=True))
    ratio = theirs / mine
    return Measured(name, row.what, row.unit, mine, theirs, ratio, row.goal, ratio >= row.goal)


def head(repeats: int) -> str:
    """What was measured on, with what."""
    lines = [
        f"CPU: {hardware(torch.device('cpu'))}, {torch.get_num_threads()} threads of "
        f"{os.cpu_count()} cores"
    ]
    if torch.cuda.is_available():
        lines.append(f"GPU: {hardware(torch.device('cuda', 0))}, CUDA {torch.version.cuda}")
    lines.append(
        f"Python {platform.python_version()}, torch {torch.__version__}, commit {commit()}; "
        f"float32 without TF32; medians of {repeats} alternated runs"
    )
    return "\n".join(lines)


def chosen(words: list[str], table: dict[str, Row]) -> list[str]:
    """The rows that ``--rows`` asks for, in the table's order."""
    for word in words:
        if word not in table and word not in ("cpu", "cuda"):
            sys.exit(f"--rows {word}: must be cpu, cuda or one of {', '.join(table)}")
    return [name for name, row in table.items() if name in words or row.device in words]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", nargs="+", default=["cpu", "cuda"])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--csv", type=Path, help="keep the numbers there as well")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    table = rows(options.quick)
    names = chosen(options.rows, table)
    print(head(options.repeats))
    print(f"{'':<66}{'unit':>8}{'ours':>11}{'theirs':>11}{'ratio':>9}{'goal':>8}")
    torch.backends.cudnn.allow_tf32 = False  # for the loops; the engine sees to itself
    found = []
    for name in names:
        row = table[name]
        if row.device == "cuda" and not torch.cuda.is_available():
            print(f"{row.what:<66}  no GPU here: not measured")
            continue
        if row.needs and find_spec(row.needs) is None:
            print(f"{row.what:<66}  {row.needs} is not installed: not measured")
            continue
        found.append(measure(name, row, options.repeats))
        print(line(found[-1]), flush=True)
        if options.csv:
            write(found, options.csv, options.repeats)


def line(one: Measured) -> str:
    goal = f"{one.goal:.1f}x" if one.goal else "-"
    missed = "" if one.reached else "  missed"
    return (
        f"{one.what:<66}{one.unit:>8}{one.ours:>11.4g}{one.theirs:>11.4g}"
        f"{one.ratio:>8.2f}x{goal:>8}{missed}"
    )


def write(found: list[Measured], path: Path, repeats: int) -> None:
    """The table as CSV, with what it was measured on in every line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    made = {
        "repeats": repeats,
        "cpu": hardware(torch.device("cpu")),
        "threads": torch.get_num_threads(),
        "gpu": hardware(torch.device("cuda", 0)) if torch.cuda.is_available() else "",
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "commit": commit(),
    }
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Measured)] + list(made))
        writer.writeheader()
        writer.writerows({**asdict(one), **made} for one in found)


if __name__ == "__main__":
    main()
