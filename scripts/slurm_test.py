"""A sweep on a real Slurm, one job requeued in the middle, ends with the bytes of one trained here.

    sudo -E python scripts/slurm_test.py [--epochs 10]

Needs Debian and root. Installs Slurm and munge where they are missing, starts a cluster of this one
machine with two one-core workers in a temporary folder (nothing in /etc is read or written), sends 24
trials of logistic regression on MNIST to it as a job array, requeues one job that is running, and
compares every metrics.csv byte for byte. The daemons are stopped in the end.
"""

from __future__ import annotations

import argparse
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

SWEEP = [
    "-m", "adam_repro", "run", "-m", "task=logreg", "optimizer=adam,adagrad,sgd_nesterov",
    "optimizer.lr=1e-3,1e-2", "seed=0,1,2,3", "progress=false",
]  # fmt: skip
WORKERS = ["hydra.launcher.executor=slurm", "hydra.launcher.workers=2"]

# No cgroups and no accounting: a container has neither. KillWait is short because a worker does not
# end by SIGTERM alone: submitit keeps that for the cluster's warnings.
CONFIGURATION = """\
ClusterName=test
SlurmctldHost={host}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
SlurmctldPort={controller}
SlurmdPort={node}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
MpiDefault=none
ReturnToService=2
JobRequeue=1
KillWait=2
NodeName={host} CPUs=2 Boards=1 SocketsPerBoard=1 CoresPerSocket=2 ThreadsPerCore=1 State=UNKNOWN
PartitionName=all Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


def install() -> None:
    """Install Debian's packages where they are missing."""
    if shutil.which("slurmctld") is None or shutil.which("munged") is None:
        packages = ["slurm-wlm", "munge"]
        subprocess.run(["apt-get", "update", "-q"], check=True)
        subprocess.run(
            ["apt-get", "install", "-qy", "--no-install-recommends", *packages],
            check=True, env=dict(os.environ, DEBIAN_FRONTEND="noninteractive"),
        )  # fmt: skip


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("", 0))
        return int(taken.getsockname()[1])


def until(what: str, holds: Callable[[], bool], seconds: float = 60.0) -> None:
    """Wait until a condition holds; end the test when it does not in time."""
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            sys.exit(f"FAILED: not {what} after {seconds:.0f} s")
        time.sleep(0.2)


def ask(*words: str) -> str:
    """What a command of Slurm answers; nothing when it fails."""
    return subprocess.run(words, capture_output=True, encoding="utf-8", check=False).stdout


@contextmanager
def cluster(folder: Path) -> Iterator[None]:
    """Slurm on this machine, while the block lasts; its files and logs are below ``folder``."""
    for name in ("state", "spool"):
        (folder / name).mkdir()
    key = folder / "munge.key"
    key.write_bytes(secrets.token_bytes(128))
    key.chmod(0o400)
    settings = folder / "slurm.conf"
    host = socket.gethostname().split(".")[0]
    content = CONFIGURATION.format(
        host=host, folder=folder, controller=free_port(), node=free_port()
    )
    settings.write_text(content, encoding="utf-8")
    os.environ["SLURM_CONF"] = str(settings)
    files = [f"--{name}-file={folder}/munge.{name}" for name in ("key", "pid", "seed", "log")]
    commands = [
        ["munged", "--foreground", "--force", f"--socket={folder}/munge.socket", *files],
        ["slurmctld", "-D", "-c", "-f", str(settings)],
        ["slurmd", "-D", "-f", str(settings)],
    ]
    daemons = []
    try:
        for command in commands:
            with (folder / f"{command[0]}.out").open("w", encoding="utf-8") as log:
                daemons.append(subprocess.Popen(command, stdout=log, stderr=log))
            if command[0] == "munged":
                until("munged ready", (folder / "munge.socket").exists)
        until("the node idle", lambda: ask("sinfo", "-h", "-o", "%T").strip() == "idle")
        yield
    except SystemExit:
        for command in commands:
            print(
                f"--- {command[0]}\n{(folder / f'{command[0]}.out').read_text(encoding='utf-8')[-3000:]}"
            )
        raise
    finally:
        for daemon in reversed(daemons):
            daemon.terminate()
        for daemon in daemons:
            daemon.wait()


def train(folder: Path, words: list[str]) -> subprocess.Popen[bytes]:
    """Start the sweep below ``folder``."""
    return subprocess.Popen([sys.executable, *SWEEP, *words], cwd=folder)


def rows(folder: Path) -> dict[str, bytes]:
    """Every trial's metrics.csv, by its place below ``folder``."""
    found = sorted(folder.rglob("metrics.csv"))
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def stopped(job: str) -> bool:
    """Whether every Python process of a job of the array is stopped, and there is one."""
    array, _, task = job.partition("_")
    own = {f"SLURM_ARRAY_JOB_ID={array}".encode(), f"SLURM_ARRAY_TASK_ID={task}".encode()}
    states = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended
            if own <= set((process / "environ").read_bytes().split(b"\0")):
                head, _, rest = (process / "stat").read_text(encoding="utf-8").rpartition(")")
                states += [rest.split()[0]] if "(python" in head else []
    return len(states) > 0 and set(states) == {"T"}


def requeue_one(sweep: subprocess.Popen[bytes], folder: Path, epochs: int) -> tuple[str, int]:
    """Requeue a job that is in the middle; its id and the epochs the furthest trial had.

    The job is stopped before: it stays in the middle until Slurm kills it, however fast it trains.
    """
    running: list[str] = []

    def in_the_middle() -> bool:
        if sweep.poll() is not None:
            sys.exit(f"FAILED: the sweep ended with status {sweep.returncode}, before the requeue")
        counts = [text.count(b"\n") - 1 for text in rows(folder).values()]
        running[:] = ask("squeue", "-h", "--array", "-t", "RUNNING", "-o", "%i").split()
        return len(running) > 0 and any(2 <= count < epochs - 1 for count in counts)

    until("a job in the middle of its training", in_the_middle, 300.0)
    job = running[0]
    subprocess.run(["scancel", "--signal=STOP", job], check=True)
    until("the job stopped", lambda: stopped(job))
    reached = max(text.count(b"\n") - 1 for text in rows(folder).values())
    subprocess.run(["scontrol", "requeue", job], check=True)
    return job, reached


def sweep_on_slurm(folder: Path, epochs: int) -> None:
    """Train on the cluster, with one job requeued; ends the test unless that job ran twice."""
    process = train(folder, [f"epochs={epochs}", *WORKERS])
    job, reached = requeue_one(process, folder, epochs)
    print(f"requeued job {job}, {reached} of {epochs} epochs done", flush=True)
    if process.wait() != 0:
        sys.exit(f"FAILED: the sweep ended with status {process.returncode}")
    (log,) = folder.rglob(f"{job}_0_log.out")
    starts = log.read_text(encoding="utf-8").count("Starting with JobEnvironment")
    jobs = len(list(folder.rglob("*_0_log.out")))
    print(f"{jobs} jobs; job {job} was started {starts} times", flush=True)
    if starts < 2:
        sys.exit(f"FAILED: the requeued job did not run again\n{log.read_text(encoding='utf-8')}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--epochs", type=int, default=10)
    epochs = parser.parse_args().epochs
    if os.geteuid() != 0:
        sys.exit("this test installs packages and starts Slurm's daemons: give it as root")
    # Stopped by a signal, the test stops its daemons too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("FAILED: terminated"))
    install()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        folder.chmod(0o755)
        sent, here = folder / "sent", folder / "here"
        for one in (sent, here):
            one.mkdir()
        with cluster(folder):
            sweep_on_slurm(sent, epochs)
        if train(here, [f"epochs={epochs}"]).wait() != 0:
            sys.exit("FAILED: the sweep trained here")
        first, second = rows(sent), rows(here)
        places = sorted(first.keys() | second.keys())
        different = [place for place in places if first.get(place) != second.get(place)]
    if different or len(first) != 24:
        sys.exit(f"FAILED: {len(first)} trials, different from those trained here: {different}")
    print("PASSED: 24 trials, every metrics.csv has the same bytes as trained here")


if __name__ == "__main__":
    main()
