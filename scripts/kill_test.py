"""A sweep killed at random moments ends with the same bytes as one that never was.

    python scripts/kill_test.py [--kills 20] [--signal KILL|TERM] [--competitors 1] [--seed 0]
    sudo python scripts/kill_test.py --full-disk

Trains a sweep of 12 trials of logistic regression once in peace. Then starts it again and again in
another folder, each time killing it at a random moment of its training, until the last start may finish;
compares every metrics.csv byte for byte. With two competitors, two processes train the same sweep at once.
A kill counts if it left something to train. Where a sweep was complete before its kills, it is begun anew
and killed earlier; a test whose kills did not all strike has failed.

With --full-disk nothing is killed: the other folder is a small disk in memory, which fills up in the
middle. The sweep must end with one message, leave only rows that are right, say the same when it is
started again on the full disk, and go on to the same bytes when there is room again.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

ATTEMPTS = 6  # starts for each kill, before the test gives up

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


def newest(folder: Path) -> int:
    """When a file of a trial was written last, in nanoseconds; 0 where there is none."""
    return max((path.stat().st_mtime_ns for path in folder.rglob("trial.yaml")), default=0)


def wait_for_training(folder: Path, since: int, processes: list[subprocess.Popen[bytes]]) -> None:
    """Wait until a start marks a trial as running; or has ended, because nothing was left to do."""
    while newest(folder) <= since and any(process.poll() is None for process in processes):
        time.sleep(0.02)


def complete(folder: Path, trials: int) -> bool:
    """Whether so many trials say that there is nothing left to train."""
    texts = [path.read_text(encoding="utf-8") for path in folder.rglob("trial.yaml")]
    ended = [text for text in texts if "status: finished" in text or "status: diverged" in text]
    return len(ended) == trials


def empty(folder: Path) -> None:
    for path in folder.iterdir():
        shutil.rmtree(path)


def killed(
    folder: Path, words: list[str], kills: int, how: signal.Signals, competitors: int,
    span: float, trials: int, chance: random.Random,
) -> int:  # fmt: skip
    """Kill ``kills`` starts, then let one finish; how many kills left something to train.

    ``span`` is how long the whole training takes, in seconds. A start gets a part of it that leaves
    something to do for the next, and half of that after every sweep that was faster.
    """
    struck, wait = 0, 1.5 * span / (kills + 1)
    for _ in range(ATTEMPTS * kills):
        if struck == kills:
            break
        since = newest(folder)
        processes = [start(folder, words) for _ in range(competitors)]
        wait_for_training(folder, since, processes)
        time.sleep(chance.uniform(0.0, wait))
        for process in processes:
            process.send_signal(how)  # nothing where it has ended
        for process in processes:
            process.communicate()
        struck += 1
        if complete(folder, trials):
            empty(folder)
            struck, wait = 0, wait / 2
    finish([start(folder, words) for _ in range(competitors)])
    return struck


def compare(
    kills: int, how: signal.Signals, competitors: int, seed: int, words: list[str]
) -> tuple[int, int, list[str]]:
    """(kills that struck, trials, places whose bytes differ)."""
    with tempfile.TemporaryDirectory() as peaceful, tempfile.TemporaryDirectory() as violent:
        process = start(Path(peaceful), words)
        wait_for_training(Path(peaceful), 0, [process])
        began = time.perf_counter()
        finish([process])
        span = time.perf_counter() - began
        whole = rows(Path(peaceful))
        struck = killed(
            Path(violent), words, kills, how, competitors, span, len(whole), random.Random(seed)
        )
        mended = rows(Path(violent))
        places = sorted(whole.keys() | mended.keys())
        return struck, len(whole), [p for p in places if whole.get(p) != mended.get(p)]


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """Mount 8 MB of memory at ``folder`` while the block lasts; ends the test where that is refused."""
    options = ["-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)]
    mounted = subprocess.run(
        ["mount", *options], capture_output=True, encoding="utf-8", check=False
    )
    if mounted.returncode != 0:
        sys.exit(f"a small disk cannot be mounted here (it takes root): {mounted.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def fill(ballast: Path) -> None:
    """Write until the disk is full."""
    with ballast.open("ab", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            return


def wait_for_rows(folder: Path, count: int, process: subprocess.Popen[bytes]) -> None:
    """Wait until some trial has ``count`` rows; ends the test when the sweep ends before."""
    while not any(text.count(b"\n") > count for text in rows(folder).values()):
        if process.poll() is not None:
            sys.exit("the sweep ended before the disk was full; give it more epochs")
        time.sleep(0.02)


def refused(process: subprocess.Popen[bytes]) -> str:
    """What a sweep on a full disk says; ends the test unless that is one message."""
    _, errors = process.communicate()
    text = errors.decode().strip()
    if process.returncode != 2 or "no space left" not in text or "Traceback" in text:
        sys.exit(f"on a full disk the sweep ended with status {process.returncode}:\n{text}")
    return text


def complete_rows(text: bytes) -> bytes:
    """Without a row that was cut off in the middle."""
    return text[: text.rfind(b"\n") + 1]


def full_disk(words: list[str]) -> tuple[list[str], int, list[str]]:
    """(messages on the full disk, trials, places whose bytes differ, then or in the end)."""
    with tempfile.TemporaryDirectory() as peaceful, tempfile.TemporaryDirectory() as small:
        finish([start(Path(peaceful), words)])
        whole, folder = rows(Path(peaceful)), Path(small)
        with small_disk(folder):
            process = start(folder, words)
            wait_for_rows(folder, 2, process)
            fill(folder / "ballast")
            messages = [refused(process)]
            for _ in range(2):
                fill(folder / "ballast")
                messages.append(refused(start(folder, words)))
            kept = rows(folder)
            if not kept:
                sys.exit("the full disk left no row to look at; give the sweep more epochs")
            wrong = [p for p, text in kept.items() if not whole[p].startswith(complete_rows(text))]
            (folder / "ballast").unlink()
            finish([start(folder, words)])
            mended = rows(folder)
            partial = [str(path) for path in folder.rglob("*.partial")]
    places = sorted(whole.keys() | mended.keys())
    return (
        messages,
        len(whole),
        wrong + partial + [p for p in places if whole.get(p) != mended.get(p)],
    )


def conclude(trials: int, different: list[str]) -> NoReturn:
    print("every metrics.csv has the same bytes" if not different else f"different: {different}")
    sys.exit(1 if different or not trials else 0)


def at_least_one(text: str) -> int:
    """A number of kills: a test without any would always pass."""
    if int(text) < 1:
        raise ValueError(text)
    return int(text)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=at_least_one, default=20)
    parser.add_argument("--signal", choices=["KILL", "TERM"], default="KILL")
    parser.add_argument("--competitors", type=int, choices=[1, 2], default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("overrides", nargs="*", help="of the sweep, e.g. epochs=10")
    parser.add_argument("--full-disk", action="store_true", help="fill the disk; kill nothing")
    options = parser.parse_args()
    if options.full_disk:
        messages, trials, different = full_disk(options.overrides)
        print("\n".join(["the sweep on a full disk said, one start a paragraph:", *messages]))
        print(f"{trials} trials, after there was room again:")
        conclude(trials, different)
    how = signal.Signals[f"SIG{options.signal}"]
    struck, trials, different = compare(
        options.kills, how, options.competitors, options.seed, options.overrides
    )
    print(f"{struck} starts killed with SIG{options.signal} in the middle, {trials} trials:")
    if struck < options.kills:
        sys.exit(
            f"FAILED: {options.kills} kills were asked for, and {struck} struck before the sweep was "
            "complete; give it more epochs"
        )
    conclude(trials, different)


if __name__ == "__main__":
    main()
