"""A sweep killed at random moments ends with the same bytes as one that never was.

    python scripts/kill_test.py [--kills 20] [--signal KILL|TERM] [--competitors 1] [--seed 0]

Trains a sweep of 12 trials of logistic regression once in peace. Then starts it again and again in
another folder, each time killing it at a random moment, until the last start may finish; compares
every metrics.csv byte for byte. With two competitors, two processes train the same sweep at once.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SWEEP = [
    "-m", "adam_repro", "run", "-m", "task=logreg", "optimizer=adam,adagrad,sgd_nesterov",
    "optimizer.lr=1e-4,1e-3,1e-2,1e-1", "progress=false",
]  # fmt: skip


def start(folder: Path, words: list[str]) -> subprocess.Popen[bytes]:
    """Start the sweep below ``folder``."""
    # Python's path would otherwise begin with the working folder; the package is installed.
    return subprocess.Popen(
        [sys.executable, *SWEEP, *words], cwd=folder, stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE, env=dict(os.environ, PYTHONSAFEPATH="1"),
    )  # fmt: skip


def rows(folder: Path) -> dict[str, bytes]:
    """Every trial's metrics.csv, by its place below ``folder``."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("metrics.csv"))
    }


def finish(processes: list[subprocess.Popen[bytes]]) -> None:
    """Wait for all; a failure ends the test with its message."""
    for process in processes:
        _, errors = process.communicate()
        if process.returncode != 0:
            sys.exit(f"the sweep ended with status {process.returncode}:\n{errors.decode()}")


def killed(
    folder: Path, words: list[str], kills: int, how: signal.Signals, competitors: int,
    span: float, chance: random.Random,
) -> int:  # fmt: skip
    """Kill ``kills`` starts at random moments, then let one finish; how many were still running."""
    struck = 0
    for _ in range(kills):
        processes = [start(folder, words) for _ in range(competitors)]
        time.sleep(chance.uniform(0.0, span))
        for process in processes:
            if process.poll() is None:
                process.send_signal(how)
                struck += 1
        for process in processes:
            process.communicate()
    finish([start(folder, words) for _ in range(competitors)])
    return struck


def compare(
    kills: int, how: signal.Signals, competitors: int, seed: int, words: list[str]
) -> tuple[int, int, list[str]]:
    """(kills that struck, trials, places whose bytes differ)."""
    with tempfile.TemporaryDirectory() as peaceful, tempfile.TemporaryDirectory() as violent:
        began = time.perf_counter()
        finish([start(Path(peaceful), words)])
        span = time.perf_counter() - began
        chance = random.Random(seed)
        struck = killed(Path(violent), words, kills, how, competitors, span, chance)
        whole, mended = rows(Path(peaceful)), rows(Path(violent))
        places = sorted(whole.keys() | mended.keys())
        return struck, len(whole), [p for p in places if whole.get(p) != mended.get(p)]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--signal", choices=["KILL", "TERM"], default="KILL")
    parser.add_argument("--competitors", type=int, choices=[1, 2], default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("overrides", nargs="*", help="of the sweep, e.g. epochs=10")
    options = parser.parse_args()
    how = signal.Signals[f"SIG{options.signal}"]
    struck, trials, different = compare(
        options.kills, how, options.competitors, options.seed, options.overrides
    )
    print(f"{struck} processes killed with SIG{options.signal} in the middle, {trials} trials:")
    print("every metrics.csv has the same bytes" if not different else f"different: {different}")
    sys.exit(1 if different or not trials else 0)


if __name__ == "__main__":
    main()
