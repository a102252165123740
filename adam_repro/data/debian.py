"""Fashion-MNIST from Debian's package `dataset-fashion-mnist`, installed or downloaded."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from adam_repro.data.sources import SourceError

PACKAGE = "dataset-fashion-mnist"
INSTALLED = Path("/usr/share/datasets/fashion-mnist")


def fashion_mnist(folder: Path) -> None:
    """Copy the package's four archives to FashionMNIST/raw in the folder.

    If the package is not installed, apt-get downloads it (no root needed) and dpkg unpacks it in the
    folder. Raises SourceError when neither works.
    """
    installed = INSTALLED
    if not installed.is_dir():
        installed = _download(folder) / INSTALLED.relative_to("/")
    raw = folder / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    for archive in installed.glob("*-ubyte.gz"):
        shutil.copyfile(archive, raw / archive.name)


def _download(folder: Path) -> Path:
    if shutil.which("apt-get") is None or shutil.which("dpkg") is None:
        raise SourceError(f"{INSTALLED} is not there, and this system has no apt-get")
    _run(["apt-get", "download", PACKAGE], folder)
    packages = list(folder.glob("*.deb"))
    if not packages:
        raise SourceError(f"apt-get download {PACKAGE} brought nothing")
    _run(["dpkg", "-x", packages[0].name, "unpacked"], folder)
    return folder / "unpacked"


def _run(command: list[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, errors="replace")
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if line.startswith("E:")]
        reason = " ".join(lines) or f"exit status {done.returncode}"
        raise SourceError(f"`{' '.join(command)}` failed: {reason}")
