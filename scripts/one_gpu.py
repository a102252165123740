"""Everything that needs a GPU, in one command: tests, speed, then the figures, the dearest first.

    python scripts/one_gpu.py [FIGURE ...] [option=value ...] [--minutes 60] [--out one_gpu.tar.gz]
                              [--work build/one_gpu] [--rehearse]

1. the tests of the CUDA path (`pytest -m cuda`);
2. the GPU's rows of the speed table, and how time grows with the number of trials;
3. the figures at scale=paper, one after another;
4. merges and draws what there is, and packs CSVs, pictures, provenance, speeds and logs.

All figures, unless some are named; the options are those of `adam-repro reproduce`, as seeds=1 or tf32=true.
With keep=true it starts from what results/paper holds of a figure at that scale, and trains what is missing.
It stops before its minutes are over, with an archive of what was reached. Given again with the same
--work it goes on: what is done stays done, an interrupted figure continues from its checkpoints.
`--rehearse` does the same on a CPU, on generated data: to see that it works, not to learn anything.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from adam_repro.commands import reproduce
from adam_repro.errors import UserError
from adam_repro.figures import load
from adam_repro.results.overwrite import csv_scale
from adam_repro.runs.provenance import commit, hardware

SCRIPTS = Path(__file__).resolve().parent
ROOT = SCRIPTS.parent

#: What a figure's place in the queue follows from: how much of the paper it shows for its time.
#: The Sum-of-Functions Optimizer counts on the host, so its part of figure 2b comes last.
FIRST = ("fig1_mnist", "fig2b", "fig4", "fig2a", "fig3", "fig1_imdb")

RESERVE = 0.1  # the part of the time that is kept for drawing and packing, within these bounds
RESERVE_SECONDS = (20.0, 180.0)
PATIENCE = 60.0  # seconds that a stopped stage gets to end by itself
OWN = ("scale", "results_dir", "device", "train", "progress")  # what it tells `reproduce` itself
PACKED = (".csv", ".yaml", ".md", ".png", ".log", ".txt")


@dataclass(frozen=True)
class Stage:
    """A command. ``most``: the part of all the time it may take; ``once``: not when it was done."""

    name: str
    words: tuple[str, ...]
    most: float = 1.0
    once: bool = False


def plan(
    work: Path, rehearse: bool, names: Sequence[str] = (), options: Sequence[str] = ()
) -> list[Stage]:
    """The stages, in order: ``names`` are the figures, all of them if empty."""
    python, device = sys.executable, "cpu" if rehearse else "cuda"
    scale = "smoke" if rehearse else "paper"
    quick = ("--quick", "--repeats", "1") if rehearse else ("--repeats", "3")
    rows = ("cpu_logreg", "cpu_mlp") if rehearse else ("cuda",)
    own = (f"scale={scale}", f"results_dir={work}", f"device={device}", "progress=false", *options)
    test = str(ROOT / "tests/engine/test_cuda.py")
    tests = (python, "-m", "pytest", "-m", "cuda", "-rs", "-n", "4", test)
    speed = (python, str(SCRIPTS / "benchmark.py"), "--rows", *rows, *quick)
    scaling = (python, str(SCRIPTS / "scaling.py"), "--device", device, *quick)
    stages = [
        Stage("tests", tests, 0.25, once=True),
        Stage("speed", (*speed, "--csv", str(work / "benchmark/speed.csv")), 0.25, once=True),
        Stage("scaling", (*scaling, "--out", str(work / "benchmark")), 0.15, once=True),
    ]
    every = (*FIRST, *(name for name in load.names() if name not in FIRST))
    for name in names or every:
        words = (python, "-m", "adam_repro", "reproduce", name, *own)
        if name == "fig2b":
            part = (python, str(SCRIPTS / "train_part.py"), name, "--without", "sfo", *own)
            stages.append(Stage("fig2b_adam", part))
        else:
            stages.append(Stage(name, words))
    if any(stage.name == "fig2b_adam" for stage in stages):
        last = (python, "-m", "adam_repro", "reproduce", "fig2b", *own)
        stages.append(Stage("fig2b", last))
    return stages


def bring(work: Path, names: Sequence[str] = (), results: Path = ROOT / "results/paper") -> None:
    """Copy the figures' results at scale=paper to where ``keep=true`` looks for them.

    What is there at that scale already stays; a rehearsal's does not.
    """
    folder = work / "paper"
    folder.mkdir(parents=True, exist_ok=True)
    for name in names or load.names():
        csv = f"{name}.csv"
        if csv_scale(results / csv) == "paper" != csv_scale(folder / csv):
            for file in (csv, f"{name}.provenance.yaml"):
                shutil.copy(results / file, folder)


def run(
    stages: Iterable[Stage], work: Path, seconds: float, clock: Callable[[], float] = time.monotonic
) -> dict[str, str]:
    """Do the stages within ``seconds``; of each whether it is done, failed, stopped or skipped."""
    begun = clock()
    logs = work / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    outcome: dict[str, str] = {}
    for stage in stages:
        mark = logs / f"{stage.name}.done"
        left = seconds - (clock() - begun)
        if stage.once and mark.exists():
            outcome[stage.name] = "done before"
        elif left <= 0:
            outcome[stage.name] = "skipped: no time left"
        else:
            started = clock()
            outcome[stage.name] = _do(stage, logs, min(left, stage.most * seconds))
            if outcome[stage.name] == "done":
                mark.touch()
            outcome[stage.name] += f" ({clock() - started:.0f} s)"
        print(f"{stage.name}: {outcome[stage.name]}", flush=True)
    return outcome


def _do(stage: Stage, logs: Path, seconds: float) -> str:
    with (logs / f"{stage.name}.log").open("a", encoding="utf-8") as log:
        print("+", *stage.words, file=log, flush=True)
        process = subprocess.Popen(stage.words, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT)
        try:
            status = process.wait(seconds)
        except subprocess.TimeoutExpired:
            _stop(process)
            return "stopped: its time was over"
        except BaseException:
            _stop(process)
            raise
    return "done" if status == 0 else f"failed with status {status}, see its log"


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def draw(work: Path, rehearse: bool, options: Sequence[str] = ()) -> list[Stage]:
    """Merge and draw every figure that was begun; a stage that is done has drawn its own."""
    begun = {path.stem.removesuffix("_adam") for path in (work / "logs").glob("*.log")}
    done = {path.stem for path in (work / "logs").glob("*.done")}
    names = [name for name in load.names() if name in begun - done]
    if not names:
        return []
    words = (f"scale={'smoke' if rehearse else 'paper'}", f"results_dir={work}", "train=false")
    made = (sys.executable, "-m", "adam_repro", "reproduce", *names, *words, *options)
    return [Stage("drawing", made)]


def pack(work: Path, out: Path, outcome: dict[str, str]) -> None:
    """One archive of everything but the trials themselves."""
    lines = [f"{name}: {what}" for name, what in outcome.items()]
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    head = [f"{hardware(device)}, torch {torch.__version__}, commit {commit()}"]
    (work / "outcome.txt").write_text("\n".join([*head, *lines]) + "\n", encoding="utf-8")
    out.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(out, "w:gz") as archive:
        for path in sorted(work.rglob("*")):
            inside = path.relative_to(work)
            if path.suffix in PACKED and inside.parts[0] != "runs":
                archive.add(path, Path("one_gpu") / inside)
    print(f"{out} ({out.stat().st_size / 2**20:.1f} MiB)")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("words", nargs="*", metavar="FIGURE or option=value")
    parser.add_argument("--minutes", type=float, default=60.0, help="all the time there is")
    parser.add_argument("--out", type=Path, default=Path("one_gpu.tar.gz"), help="the archive")
    parser.add_argument("--work", type=Path, default=Path("build/one_gpu"), help="working folder")
    parser.add_argument("--rehearse", action="store_true", help="on a CPU, at scale=smoke")
    options = parser.parse_intermixed_args()
    names = [word for word in options.words if "=" not in word]
    settings = [word for word in options.words if "=" in word]
    taken = [word for word in settings if word.split("=")[0] in OWN]
    if taken:
        sys.exit(
            f"one_gpu: {taken[0]}: this script sets that itself; see --minutes, --work, --rehearse"
        )
    try:
        names = load.resolve(names)
        request = reproduce.parse([*(names or load.names()), *settings])
    except UserError as error:
        sys.exit(f"one_gpu: {error}")
    if not options.rehearse and not torch.cuda.is_available():
        sys.exit("one_gpu: PyTorch sees no GPU here; --rehearse does the same on a CPU")
    work = options.work.resolve()
    total = 60.0 * options.minutes
    reserve = min(max(RESERVE * total, RESERVE_SECONDS[0]), RESERVE_SECONDS[1])
    started = time.monotonic()
    if request.keep and not options.rehearse:
        bring(work, names)
    try:
        stages = plan(work, options.rehearse, names, settings)
        outcome = run(stages, work, total - reserve)
    except KeyboardInterrupt:
        outcome = {"interrupted": "by hand"}
    left = max(5.0, total - (time.monotonic() - started) - 5.0)
    outcome |= run(draw(work, options.rehearse, settings), work, left)
    pack(work, options.out, outcome)
    return 1 if any(what.startswith("failed") for what in outcome.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
